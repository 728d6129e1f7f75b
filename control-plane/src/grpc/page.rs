//! Page tokens: where the next page begins, sealed so that a token fits only the list that gave it.

use crate::digest::{random, sha256};
use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use kaliun_types::id::OrganizationId;
use kaliun_types::limits::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};
use std::sync::LazyLock;
use tonic::Status;

/// Tokens live as long as the process: a page asked for after a restart begins anew.
static KEY: LazyLock<hmac::Key> = LazyLock::new(|| hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()));

/// Bytes of the seal in front of a token.
const SEAL_BYTES: usize = 16;

/// How many to answer with: what was asked for, within bounds.
pub(crate) fn size(asked: u32, default: u32) -> Result<i64, Status> {
    match asked {
        0 => Ok(i64::from(default)),
        1..=PAGE_SIZE_MAX => Ok(i64::from(asked)),
        _ => Err(super::status::invalid("page_size", format!("must be at most {PAGE_SIZE_MAX}"))),
    }
}

/// The usual size.
pub(crate) const DEFAULT: u32 = PAGE_SIZE_DEFAULT;

/// Cuts a list that was read one longer than the page, and answers the token of the next page: empty on the last.
pub(crate) fn cut<T>(rows: &mut Vec<T>, size: i64, token: impl FnOnce(&T) -> String) -> String {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if rows.len() <= size {
        return String::new();
    }
    rows.truncate(size);
    rows.last().map(token).unwrap_or_default()
}

/// What a list is: whose, and by which question.
pub(crate) struct ListId([u8; 32]);

impl ListId {
    pub(crate) fn new(organization: OrganizationId, question: &str) -> Self {
        Self(sha256(format!("{organization}\n{question}").as_bytes()))
    }

    fn seal(&self, position: &str) -> hmac::Tag {
        hmac::sign(&KEY, &[&self.0, position.as_bytes()].concat())
    }

    /// A token for a position in this list.
    pub(crate) fn token(&self, position: &str) -> String {
        let seal = self.seal(position);
        let mut bytes = seal.as_ref().get(..SEAL_BYTES).unwrap_or_default().to_vec();
        bytes.extend_from_slice(position.as_bytes());
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// The position in a token; none for the first page.
    pub(crate) fn position(&self, token: &str) -> Result<Option<String>, Status> {
        if token.is_empty() {
            return Ok(None);
        }
        let refused =
            || super::status::invalid("page_token", "does not belong to this list; begin with the first page");
        if token.len() > 1024 {
            return Err(refused());
        }
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| refused())?;
        let (seal, position) = bytes.split_at_checked(SEAL_BYTES).ok_or_else(refused)?;
        let position = String::from_utf8(position.to_vec()).map_err(|_| refused())?;
        let expected = self.seal(&position);
        let expected = expected.as_ref().get(..SEAL_BYTES).unwrap_or_default();
        aws_lc_rs::constant_time::verify_slices_are_equal(expected, seal).map_err(|_| refused())?;
        Ok(Some(position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_its_own_list_only() {
        let organization = OrganizationId::new();
        let list = ListId::new(organization, "site=graz");
        let token = list.token("cellar-1");
        assert_eq!(list.position(&token).unwrap().as_deref(), Some("cellar-1"));
        assert!(list.position("").unwrap().is_none());
        assert!(ListId::new(organization, "site=wien").position(&token).is_err());
        assert!(ListId::new(OrganizationId::new(), "site=graz").position(&token).is_err());
        for broken in ["x", "////", &token[1..], &format!("{token}AA")] {
            assert!(list.position(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn page_sizes_are_bounded() {
        assert_eq!(size(0, 50).unwrap(), 50);
        assert_eq!(size(500, 50).unwrap(), 500);
        assert!(size(501, 50).is_err());
    }
}
