//! Program `kaliun-fuzz`: libFuzzer over the target that the variable `KALIUN_FUZZ_TARGET` names. `cargo xtask fuzz` builds and starts it.

#![no_main]

use kaliun_fuzz::{Target, find};
use std::sync::LazyLock;

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("KALIUN_FUZZ_TARGET").unwrap_or_default();
    find(&name).unwrap_or_else(|| panic!("KALIUN_FUZZ_TARGET: there is no target {name:?}; use `cargo xtask fuzz`"))
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _outcome = (TARGET.run)(data);
});
