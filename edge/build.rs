//! Notes when the program was built: no box that runs it lives before that. `SOURCE_DATE_EPOCH` (seconds) makes builds that can be
//! repeated.

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=src");
    let seconds: u64 = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse()?,
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    };
    println!("cargo::rustc-env=KALIUN_BUILT_AT_SECONDS={seconds}");
    Ok(())
}
