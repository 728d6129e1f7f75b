//! The file whose key seals all other keys before they go to the database.

use super::AuthorityError;
use crate::digest::random;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use data_encoding::BASE64;
use std::fmt;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What the file begins with; the key follows in base64.
const HEADER: &str = "kaliun-key-file-1 ";
/// What is sealed begins with the number of its form: nonce, ciphertext and tag of AES-256-GCM.
const FORM: u8 = 1;
/// What every purpose begins with, so that nothing else sealed with the same key fits.
const DOMAIN: &str = "kaliun sealed key v1\0";

/// The key from the file. Neither `Debug` nor any error shows it.
pub struct KeyFile {
    path: PathBuf,
    key: RandomizedNonceKey,
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl KeyFile {
    /// Reads the file; none when there is no such file.
    ///
    /// # Errors
    /// It cannot be read, or is no key file.
    pub fn open(path: &Path) -> Result<Option<Self>, AuthorityError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(AuthorityError::File { path: path.to_owned(), source }),
        };
        let damaged = || AuthorityError::NoKeyFile { path: path.to_owned() };
        let encoded = text.strip_prefix(HEADER).ok_or_else(damaged)?.trim_end();
        let bytes = Zeroizing::new(BASE64.decode(encoded.as_bytes()).map_err(|_error| damaged())?);
        Self::of_key(path, &bytes).map(Some).map_err(|_length| damaged())
    }

    /// A key that stands in no file of its own. `path` is what errors name.
    ///
    /// # Errors
    /// It is not 32 bytes long.
    pub(super) fn of_key(path: &Path, key: &[u8]) -> Result<Self, AuthorityError> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_length| AuthorityError::Key)?;
        Ok(Self { path: path.to_owned(), key })
    }

    /// Reads the file, and makes one with a new key where there is none. Nothing that exists is overwritten.
    ///
    /// # Errors
    /// It cannot be read or written, or is no key file.
    pub fn open_or_create(path: &Path) -> Result<Self, AuthorityError> {
        if let Some(known) = Self::open(path)? {
            return Ok(known);
        }
        let wrap = |source| AuthorityError::File { path: path.to_owned(), source };
        let text = Zeroizing::new(format!("{HEADER}{}\n", BASE64.encode(&*Zeroizing::new(random::<32>()))));
        // Written whole under another name first: whoever finds the file finds all of it.
        let temporary = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(wrap)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(wrap)?;
        // A link fails where a rename would overwrite: of two processes that start together one is first.
        let linked = std::fs::hard_link(&temporary, path);
        std::fs::remove_file(&temporary).map_err(wrap)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(wrap(error)),
            Ok(()) | Err(_) => {}
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(wrap)?;
        Self::open(path)?.ok_or_else(|| AuthorityError::NoKeyFile { path: path.to_owned() })
    }

    /// Seals a key. It opens only for the same purpose.
    ///
    /// # Errors
    /// The library refused.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, AuthorityError> {
        let mut body = plain.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(associated(purpose)), &mut body)
            .map_err(|_refused| AuthorityError::Key)?;
        Ok([&[FORM], nonce.as_ref().as_slice(), &body].concat())
    }

    /// Opens what was sealed for a purpose.
    ///
    /// # Errors
    /// It was sealed with another key or for another purpose, or is damaged.
    pub fn unseal(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
        let refused = || AuthorityError::OtherKeyFile { path: self.path.clone(), what: purpose.to_owned() };
        let (form, rest) = sealed.split_first().ok_or_else(refused)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or_else(refused)?;
        if *form != FORM {
            return Err(refused());
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_length| refused())?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self
            .key
            .open_in_place(nonce, Aad::from(associated(purpose)), &mut body)
            .map_err(|_unauthentic| refused())?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

fn associated(purpose: &str) -> Vec<u8> {
    [DOMAIN, purpose].concat().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_sealed_key_opens_with_its_file_and_for_its_purpose_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authority.key");
        assert!(KeyFile::open(&path).unwrap().is_none());
        let keys = KeyFile::open_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let sealed = keys.seal("authority 1", b"a secret").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_ne!(sealed, keys.seal("authority 1", b"a secret").unwrap(), "each has a nonce of its own");
        let again = KeyFile::open_or_create(&path).unwrap();
        assert_eq!(*again.unseal("authority 1", &sealed).unwrap(), b"a secret");
        assert!(again.unseal("authority 2", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(again.unseal("authority 1", &damaged).is_err(), "byte {at}");
            assert!(again.unseal("authority 1", &sealed[..at]).is_err(), "{at} bytes");
        }
        let other = KeyFile::open_or_create(&folder.path().join("other.key")).unwrap();
        let error = other.unseal("authority 1", &sealed).unwrap_err().to_string();
        assert!(error.contains("other.key") && error.contains("authority 1"), "{error}");
    }

    #[test]
    fn what_is_no_key_file_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        for content in
            ["", "hello", "kaliun-key-file-1 ", "kaliun-key-file-1 AAAA", "kaliun-key-file-1 not base64 at all"]
        {
            let path = folder.path().join("authority.key");
            std::fs::write(&path, content).unwrap();
            let error = KeyFile::open_or_create(&path).unwrap_err();
            assert!(matches!(error, AuthorityError::NoKeyFile { .. }), "{content:?}: {error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authority.key");
        let keys = KeyFile::open_or_create(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let secret = text.trim_end().strip_prefix(HEADER).unwrap();
        assert_eq!(secret.len(), 44);
        assert!(!format!("{keys:?}").contains(secret));
    }
}
