//! Packs the compiled web UI for serving.
//!
//! In: the wasm module as the compiler left it and the folder of assets (`index.html`, style sheet, boot script, icon).
//! Out: a folder with `index.html` and everything else under a name that carries a hash of its content, so that it can be
//! cached for good; each file has a brotli-compressed twin with `.br` at its end.

mod bindings;
mod bundle;
mod page;
mod stamp;

use anyhow::Context as _;
use clap::Parser;
use std::path::PathBuf;

/// Packs the compiled web UI for serving.
#[derive(Debug, Parser)]
struct Arguments {
    /// The wasm module as the compiler left it.
    #[arg(long)]
    wasm: PathBuf,
    /// Folder with index.html, app.css, boot.js, favicon.svg and app.webmanifest.
    #[arg(long)]
    assets: PathBuf,
    /// Folder to write to. What does not belong to the bundle is removed from it.
    #[arg(long)]
    out: PathBuf,
    /// File that remembers what the bundle was made of, so that an unchanged one is not packed again.
    #[arg(long)]
    stamp: PathBuf,
    /// Largest sum of brotli-compressed files of a first load, bytes. Without it every size is taken.
    #[arg(long)]
    first_load_max_bytes: Option<usize>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let inputs = stamp::Inputs::read(&arguments.wasm, &arguments.assets)?;
    if inputs.is_packed(&arguments.stamp, &arguments.out) {
        return Ok(());
    }
    let bindings = bindings::generate(&arguments.wasm).context("cannot make the JavaScript side of the wasm module")?;
    let bundle = page::assemble(bindings, &arguments.assets)?;
    let compressed = bundle.write(&arguments.out)?;
    report(&compressed, arguments.first_load_max_bytes)?;
    inputs.remember(&arguments.stamp)
}

/// Prints the sizes and holds the budget.
fn report(files: &[bundle::Written], max_bytes: Option<usize>) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    for file in files {
        writeln!(out, "{:>9} B {:>9} B brotli  {}", file.bytes, file.compressed_bytes, file.name)?;
    }
    let total: usize = files.iter().map(|file| file.compressed_bytes).sum();
    writeln!(out, "{total:>23} B brotli  whole first load")?;
    if let Some(max_bytes) = max_bytes {
        anyhow::ensure!(total <= max_bytes, "the first load has {total} bytes compressed; the budget is {max_bytes}");
    }
    Ok(())
}
