//! The files of a bundle: named after their content, compressed, written.

use anyhow::Context as _;
use aws_lc_rs::digest::{SHA256, digest};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Hexadecimal digits of the content's hash in a file's name: 64 bits never collide by accident.
const HASH_DIGITS: usize = 16;

/// Files to be served.
#[derive(Default)]
pub(crate) struct Bundle {
    files: Vec<(String, Vec<u8>)>,
}

/// A file that was written, with its sizes.
pub(crate) struct Written {
    pub(crate) name: String,
    pub(crate) bytes: usize,
    pub(crate) compressed_bytes: usize,
}

impl Bundle {
    /// Adds a file under a name with the hash of its content and returns that name.
    pub(crate) fn add_hashed(&mut self, stem: &str, suffix: &str, content: Vec<u8>) -> String {
        let hash = hex(&content);
        let short = hash.get(..HASH_DIGITS).unwrap_or(&hash);
        let name = format!("{stem}-{short}{suffix}");
        self.files.push((name.clone(), content));
        name
    }

    /// Adds a file under a fixed name.
    pub(crate) fn add(&mut self, name: &str, content: Vec<u8>) {
        self.files.push((name.to_owned(), content));
    }

    /// Writes all files and their compressed twins, then removes what else is in the folder.
    pub(crate) fn write(self, out: &Path) -> anyhow::Result<Vec<Written>> {
        fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
        let mut keep = BTreeSet::new();
        let mut written = Vec::new();
        for (name, content) in self.files {
            let compressed = compress(&content).with_context(|| format!("cannot compress {name}"))?;
            for (name, bytes) in [(name.clone(), &content), (format!("{name}.br"), &compressed)] {
                let path = out.join(&name);
                fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
                keep.insert(name);
            }
            written.push(Written { name, bytes: content.len(), compressed_bytes: compressed.len() });
        }
        for entry in fs::read_dir(out)? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| keep.contains(name)) && entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(written)
    }
}

/// The SHA-256 of some bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}

fn compress(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 24,
        size_hint: content.len(),
        ..brotli::enc::BrotliEncoderParams::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &*content, &mut compressed, &parameters)?;
    Ok(compressed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_follows_the_content() {
        let mut bundle = Bundle::default();
        let first = bundle.add_hashed("app", ".js", b"one".to_vec());
        let second = bundle.add_hashed("app", ".js", b"two".to_vec());
        assert_ne!(first, second);
        assert_eq!(first.len(), "app-.js".len() + HASH_DIGITS);
        assert_eq!(bundle.add_hashed("app", ".js", b"one".to_vec()), first);
    }

    #[test]
    fn what_is_compressed_reads_back() {
        let content = b"the same words again and the same words again".repeat(20);
        let compressed = compress(&content).unwrap();
        assert!(compressed.len() < content.len());
        let mut back = Vec::new();
        brotli::BrotliDecompress(&mut &*compressed, &mut back).unwrap();
        assert_eq!(back, content);
    }
}
