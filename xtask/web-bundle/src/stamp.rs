//! Remembers what a bundle was made of, so that an unchanged one is not packed again.

use crate::bundle::hex;
use anyhow::Context as _;
use std::fs;
use std::path::Path;

/// What goes into a bundle, as one hash.
pub(crate) struct Inputs {
    hash: String,
}

impl Inputs {
    /// Reads the module, the assets and this program itself.
    pub(crate) fn read(wasm: &Path, assets: &Path) -> anyhow::Result<Self> {
        let mut all = String::new();
        let program = std::env::current_exe()?;
        for path in [wasm, &program] {
            let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            all.push_str(&hex(&bytes));
        }
        let mut paths = Vec::new();
        for entry in fs::read_dir(assets).with_context(|| format!("cannot read {}", assets.display()))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                paths.push(entry.path());
            }
        }
        paths.sort();
        for path in paths {
            all.push_str(&path.to_string_lossy());
            all.push_str(&hex(&fs::read(&path)?));
        }
        Ok(Self { hash: hex(all.as_bytes()) })
    }

    /// Whether the folder holds the bundle of these inputs.
    pub(crate) fn is_packed(&self, stamp: &Path, out: &Path) -> bool {
        fs::read_to_string(stamp).is_ok_and(|text| text == self.hash) && out.join("index.html").is_file()
    }

    /// Writes the stamp after the bundle is complete.
    pub(crate) fn remember(&self, stamp: &Path) -> anyhow::Result<()> {
        fs::write(stamp, &self.hash).with_context(|| format!("cannot write {}", stamp.display()))
    }
}
