//! Finds the packed web UI for rust-embed: `KALIUN_WEB_DIST`, or `target/web` of the workspace, or an empty folder.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=KALIUN_WEB_DIST");
    let usual = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..").join("target").join("web");
    let folder = match env::var_os("KALIUN_WEB_DIST") {
        Some(folder) => PathBuf::from(folder),
        None => usual,
    };
    println!("cargo::rerun-if-changed={}", folder.display());
    let folder = if folder.join("index.html").is_file() {
        folder
    } else {
        let empty = PathBuf::from(env::var("OUT_DIR")?).join("no-web");
        fs::create_dir_all(&empty)?;
        empty
    };
    println!("cargo::rustc-env=KALIUN_WEB_DIST={}", folder.display());
    Ok(())
}
