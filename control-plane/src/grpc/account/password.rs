//! Hashing passwords and checking them: argon2id (RFC 9106), off the async threads, one at a time.

use crate::digest::random;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use data_encoding::BASE64URL_NOPAD;
use std::sync::LazyLock;
use tonic::Status;

/// A hash of no password, so that an unknown address takes as long as a wrong password.
static NO_PASSWORD: LazyLock<Option<String>> =
    LazyLock::new(|| hash_password(&BASE64URL_NOPAD.encode(&random::<32>())).ok());

/// Hashes a password for the database (argon2id, PHC string).
///
/// # Errors
/// The library refused, for want of memory.
pub(crate) fn hash_password(password: &str) -> Result<String, argon2::password_hash::Error> {
    Argon2::default().hash_password_with_salt(password.as_bytes(), &random::<16>()).map(|hash| hash.to_string())
}

/// The same off the async threads. Whoever calls holds a turn.
pub(super) async fn hashed(password: String) -> Result<String, Status> {
    let hashed = tokio::task::spawn_blocking(move || hash_password(&password)).await;
    hashed.ok().and_then(Result::ok).ok_or_else(failed)
}

/// Whether a password fits a hash; it fits none when there is no hash, and takes as long to find out. Off the async threads; whoever calls
/// holds a turn.
pub(super) async fn fits(password: String, hash: Option<String>) -> Result<bool, Status> {
    let is_somebodys = hash.is_some();
    let checked = tokio::task::spawn_blocking(move || {
        let hash = hash.or_else(|| NO_PASSWORD.clone()).unwrap_or_default();
        PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    });
    Ok(checked.await.map_err(|_panicked| failed())? && is_somebodys)
}

fn failed() -> Status {
    Status::internal("the password could not be checked; try again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_fits_its_password_only() {
        let hash = hashed("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(fits("correct horse".to_owned(), Some(hash.clone())).await.unwrap());
        assert!(!fits("correct house".to_owned(), Some(hash.clone())).await.unwrap());
        assert!(!fits("correct horse".to_owned(), None).await.unwrap());
        assert_ne!(hash, hash_password("correct horse").unwrap());
    }
}
