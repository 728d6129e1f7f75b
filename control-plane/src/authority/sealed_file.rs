//! Files that take keys out of the database and back: sealed under a passphrase, or with the key of another key file.
//!
//! ```text
//! kaliun-sealed-1 authorities argon2id 65536 3 1 c2FsdHNhbHRzYWx0c2FsdA==
//! AbC…
//! ```
//!
//! The first line says what is inside and how its key is made; it is authenticated with the rest. The second is what [`KeyFile`] seals,
//! in base64.

use super::key_file::KeyFile;
use super::{AuthorityError, new_file};
use crate::digest::random;
use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::BASE64;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const HEADER: &str = "kaliun-sealed-1";
/// Shortest passphrase for a new file, characters: whoever finds the file may guess for years.
pub const PASSPHRASE_MIN_CHARS: usize = 20;
/// Memory in KiB, passes and lanes for a new file: RFC 9106's second recommendation. A guess takes 64 MiB and some 100 ms.
const COST: (u32, u32, u32) = (64 * 1024, 3, 1);
/// Most of each that a file may ask for: 1 GiB, and a minute or so.
const COST_MOST: (u32, u32, u32) = (1024 * 1024, 64, 16);
/// Largest file that is read, bytes: 64 bundles of 64 kB, their authorities and keys, in base64.
const FILE_MAX_BYTES: u64 = 8 * 1024 * 1024;

/// What a file is sealed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lock {
    /// A passphrase, in a file.
    PassphraseFile(PathBuf),
    /// The key of a key file, as `authority_key_file` is one.
    KeyFile(PathBuf),
}

impl Lock {
    /// Seals and writes a new file, readable for its owner alone. One that exists is never overwritten.
    ///
    /// # Errors
    /// The lock cannot be read or is too weak, or the file exists or cannot be written.
    pub fn write(&self, path: &Path, what: &str, plain: &[u8]) -> Result<(), AuthorityError> {
        let (method, key) = match self {
            Self::PassphraseFile(file) => {
                let passphrase = passphrase(file)?;
                if passphrase.chars().count() < PASSPHRASE_MIN_CHARS {
                    return Err(AuthorityError::WeakPassphrase { path: file.clone() });
                }
                let salt = random::<16>();
                let (memory, passes, lanes) = COST;
                let method = format!("argon2id {memory} {passes} {lanes} {}", BASE64.encode(&salt));
                (method, stretch(path, &passphrase, &salt, COST)?)
            }
            Self::KeyFile(file) => ("key-file".to_owned(), open_key_file(file)?),
        };
        let first_line = format!("{HEADER} {what} {method}");
        let body = BASE64.encode(&key.seal(&first_line, plain)?);
        new_file(path, format!("{first_line}\n{body}\n").as_bytes())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, holds something else, or does not open with this lock.
    pub fn read(&self, path: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
        let wrap = |source| AuthorityError::File { path: path.to_owned(), source };
        let other = || AuthorityError::NotSealed { path: path.to_owned(), what: what.to_owned() };
        if std::fs::metadata(path).map_err(wrap)?.len() > FILE_MAX_BYTES {
            return Err(other());
        }
        let text = std::fs::read_to_string(path).map_err(wrap)?;
        let (first_line, body) = text.split_once('\n').ok_or_else(other)?;
        let method = first_line.strip_prefix(&format!("{HEADER} {what} ")).ok_or_else(other)?;
        let body = BASE64.decode(body.trim_end().as_bytes()).map_err(|_error| other())?;
        let key = match (self, method.split(' ').collect::<Vec<_>>().as_slice()) {
            (Self::PassphraseFile(file), ["argon2id", memory, passes, lanes, salt]) => {
                let cost = cost(memory, passes, lanes).ok_or_else(other)?;
                let salt = BASE64.decode(salt.as_bytes()).map_err(|_error| other())?;
                stretch(path, &passphrase(file)?, &salt, cost)?
            }
            (Self::KeyFile(file), ["key-file"]) => open_key_file(file)?,
            (Self::PassphraseFile(_) | Self::KeyFile(_), _) => {
                return Err(AuthorityError::OtherLock { path: path.to_owned() });
            }
        };
        key.unseal(first_line, &body).map_err(|_unauthentic| AuthorityError::OtherLock { path: path.to_owned() })
    }
}

fn cost(memory: &str, passes: &str, lanes: &str) -> Option<(u32, u32, u32)> {
    let bounded = |text: &str, most| text.parse::<u32>().ok().filter(|number| (1..=most).contains(number));
    let (memory_most, passes_most, lanes_most) = COST_MOST;
    Some((bounded(memory, memory_most)?, bounded(passes, passes_most)?, bounded(lanes, lanes_most)?))
}

fn open_key_file(path: &Path) -> Result<KeyFile, AuthorityError> {
    KeyFile::open(path)?.ok_or_else(|| AuthorityError::NoKeyFile { path: path.to_owned() })
}

fn passphrase(path: &Path) -> Result<Zeroizing<String>, AuthorityError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| AuthorityError::File { path: path.to_owned(), source })?;
    let text = Zeroizing::new(text);
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Makes the key of a passphrase, with argon2id.
fn stretch(
    path: &Path,
    passphrase: &str,
    salt: &[u8],
    (memory, passes, lanes): (u32, u32, u32),
) -> Result<KeyFile, AuthorityError> {
    let params = Params::new(memory, passes, lanes, Some(32)).map_err(|_refused| AuthorityError::Key)?;
    let mut key = Zeroizing::new([0_u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice())
        .map_err(|_refused| AuthorityError::Key)?;
    KeyFile::of_key(path, key.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn locks(folder: &Path) -> [Lock; 2] {
        let (words, key) = (folder.join("words"), folder.join("other.key"));
        std::fs::write(&words, "correct horse battery staple\n").unwrap();
        KeyFile::open_or_create(&key).unwrap();
        [Lock::PassphraseFile(words), Lock::KeyFile(key)]
    }

    #[test]
    fn what_is_sealed_opens_with_its_lock_alone() {
        let folder = tempfile::tempdir().unwrap();
        let locks = locks(folder.path());
        for (number, lock) in locks.iter().enumerate() {
            let path = folder.path().join(format!("file-{number}"));
            lock.write(&path, "authorities", b"a secret").unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(!std::fs::read_to_string(&path).unwrap().contains(&BASE64.encode(b"a secret")[..8]));
            assert_eq!(*lock.read(&path, "authorities").unwrap(), b"a secret");
            assert!(matches!(lock.read(&path, "bundle-key"), Err(AuthorityError::NotSealed { .. })));
            let error = locks[1 - number].read(&path, "authorities").unwrap_err();
            assert!(matches!(error, AuthorityError::OtherLock { .. }), "{error}");
            let error = lock.write(&path, "authorities", b"another").unwrap_err();
            assert!(matches!(error, AuthorityError::File { .. }), "it is not overwritten: {error}");
            // What the first line says is authenticated, too.
            let text = std::fs::read_to_string(&path).unwrap().replacen("authorities", "bundle-key", 1);
            let forged = folder.path().join(format!("forged-{number}"));
            std::fs::write(&forged, text).unwrap();
            assert!(matches!(lock.read(&forged, "bundle-key"), Err(AuthorityError::OtherLock { .. })));
        }
        let other = folder.path().join("other-words");
        std::fs::write(&other, "correct horse battery stable").unwrap();
        let error = Lock::PassphraseFile(other).read(&folder.path().join("file-0"), "authorities").unwrap_err();
        assert!(matches!(error, AuthorityError::OtherLock { .. }), "{error}");
    }

    #[test]
    fn a_short_passphrase_and_a_file_that_asks_for_too_much_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (words, path) = (folder.path().join("words"), folder.path().join("file"));
        std::fs::write(&words, "nineteen characters\n").unwrap();
        let lock = Lock::PassphraseFile(words);
        let error = lock.write(&path, "authorities", b"a secret").unwrap_err();
        assert!(matches!(error, AuthorityError::WeakPassphrase { .. }) && !path.exists(), "{error}");
        for method in [
            "argon2id 4294967295 3 1 c2FsdHNhbHRzYWx0c2FsdA==",
            "argon2id 65536 65 1 c2FsdHNhbHRzYWx0c2FsdA==",
            "argon2id 65536 0 1 c2FsdHNhbHRzYWx0c2FsdA==",
            "argon2id 65536 3 1 not-base64",
        ] {
            std::fs::write(&path, format!("{HEADER} authorities {method}\nAAAA\n")).unwrap();
            let error = lock.read(&path, "authorities").unwrap_err();
            assert!(matches!(error, AuthorityError::NotSealed { .. }), "{method}: {error}");
        }
        for content in
            ["", "\n", "kaliun-sealed-1 authorities key-file", "kaliun-sealed-2 authorities key-file\nAAAA\n"]
        {
            std::fs::write(&path, content).unwrap();
            assert!(matches!(lock.read(&path, "authorities"), Err(AuthorityError::NotSealed { .. })), "{content:?}");
        }
    }
}
