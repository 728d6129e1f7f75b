//! What people type about themselves, checked.

use crate::digest::sha256;
use crate::grpc::status;
use kaliun_domain::password::{PASSWORD_MAX_BYTES, check_password};
use kaliun_types::email::EmailAddress;
use tonic::Status;

/// Longest name of a person or of what they make, characters.
const NAME_MAX_CHARS: usize = 80;
/// Longest secret of a mail's link or of a token.
const SECRET_MAX_BYTES: usize = 128;

/// An email address.
pub(crate) fn email(field: &str, text: &str) -> Result<EmailAddress, Status> {
    EmailAddress::parse(text).map_err(|problem| status::invalid(field, problem))
}

/// What a person, a home or an organization is called.
pub(crate) fn name<'a>(field: &str, text: &'a str) -> Result<&'a str, Status> {
    let text = text.trim();
    let length = text.chars().count();
    if (1..=NAME_MAX_CHARS).contains(&length) && !text.chars().any(char::is_control) {
        Ok(text)
    } else {
        Err(status::invalid(field, format!("must have 1 to {NAME_MAX_CHARS} printable characters, not {length}")))
    }
}

/// A password that is to be somebody's.
pub(crate) fn new_password(field: &str, password: &str, personal: &[&str]) -> Result<(), Status> {
    let personal: Vec<&str> = personal.iter().copied().chain(["kaliun"]).collect();
    check_password(password, &personal).map_err(|weak| status::invalid(field, weak))
}

/// A password that is somebody's, within bounds.
pub(crate) fn given_password<'a>(field: &str, password: &'a str) -> Result<&'a str, Status> {
    if password.len() > PASSWORD_MAX_BYTES {
        return Err(status::invalid(field, format!("must have at most {PASSWORD_MAX_BYTES} bytes")));
    }
    Ok(password)
}

/// The hash of a secret that somebody brings from a mail or keeps.
pub(crate) fn secret(field: &str, secret: &str) -> Result<[u8; 32], Status> {
    if secret.is_empty() || secret.len() > SECRET_MAX_BYTES {
        return Err(status::invalid(field, "is not whole; open the link of the mail once more, or copy all of it"));
    }
    Ok(sha256(secret.as_bytes()))
}
