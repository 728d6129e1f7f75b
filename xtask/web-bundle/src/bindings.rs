//! The JavaScript side of the wasm module, by wasm-bindgen as a library.

use anyhow::{anyhow, ensure};
use std::path::Path;
use wasm_bindgen_cli_support::Bindgen;

/// A wasm module with the JavaScript that loads it.
pub(crate) struct Bindings {
    /// An ES module; its default export takes the address of the wasm module.
    pub(crate) script: String,
    /// The module, rewritten for that script.
    pub(crate) wasm: Vec<u8>,
}

/// Rewrites the compiler's output for browsers.
pub(crate) fn generate(wasm: &Path) -> anyhow::Result<Bindings> {
    let mut bindgen = Bindgen::new();
    let mut output = bindgen
        .input_path(wasm)
        .out_name("app")
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()?;
    let inline = output.snippets().iter().filter(|(_, scripts)| !scripts.is_empty()).map(|(name, _)| name);
    let other_scripts: Vec<&String> = inline.chain(output.local_modules().keys()).collect();
    ensure!(
        other_scripts.is_empty() && output.npm_dependencies().is_empty(),
        "a dependency of the web UI brings JavaScript of its own, which this program cannot pack: {other_scripts:?}"
    );
    let script = output.js().to_owned();
    ensure!(!script.is_empty(), "wasm-bindgen wrote no script");
    let wasm = output.wasm_mut().emit_wasm();
    if wasm.is_empty() {
        return Err(anyhow!("wasm-bindgen wrote no wasm module"));
    }
    Ok(Bindings { script, wasm })
}
