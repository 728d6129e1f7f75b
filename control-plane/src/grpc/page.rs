//! Page tokens: where the next page begins, sealed so that a token fits only the list that gave it.

use crate::digest::sha256;
use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use kaliun_store::{AccountScope, OrganizationScope, PageTokenKey};
use kaliun_types::limits::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};
use std::sync::Arc;
use tonic::Status;

/// Bytes of the seal in front of a token.
const SEAL_BYTES: usize = 16;

/// Seals page tokens with the key that all replicas share.
#[derive(Clone)]
pub(crate) struct PageSeal {
    key: Arc<hmac::Key>,
}

impl PageSeal {
    pub(crate) fn new(key: &PageTokenKey) -> Self {
        Self::of(key.expose())
    }

    pub(crate) fn of(key: &[u8; 32]) -> Self {
        Self { key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key)) }
    }

    /// The list that a question asks for inside an organization, as far as the caller's right reaches there.
    pub(crate) fn list(&self, scope: &OrganizationScope, question: &str) -> List {
        self.list_of(&format!("{}\n{}", scope.organization(), scope.reach_setting()), question)
    }

    /// The list of a person's own things that a question asks for.
    pub(crate) fn list_of_account(&self, scope: &AccountScope, question: &str) -> List {
        self.list_of(&format!("account {}", scope.account()), question)
    }

    /// The list of whoever is named so.
    pub(crate) fn list_of(&self, whose: &str, question: &str) -> List {
        List { seal: self.clone(), id: sha256(format!("{whose}\n{question}").as_bytes()) }
    }
}

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
pub(crate) struct List {
    seal: PageSeal,
    id: [u8; 32],
}

impl List {
    fn seal(&self, position: &str) -> hmac::Tag {
        hmac::sign(&self.seal.key, &[&self.id, position.as_bytes()].concat())
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
        let seal = PageSeal::of(&[1; 32]);
        let list = seal.list_of("an organization", "site=graz");
        let token = list.token("cellar-1");
        assert_eq!(list.position(&token).unwrap().as_deref(), Some("cellar-1"));
        assert!(list.position("").unwrap().is_none());
        assert!(seal.list_of("an organization", "site=wien").position(&token).is_err());
        assert!(seal.list_of("another", "site=graz").position(&token).is_err());
        for broken in ["x", "////", &token[1..], &format!("{token}AA")] {
            assert!(list.position(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_token_fits_the_same_key_only() {
        let token = PageSeal::of(&[1; 32]).list_of("us", "devices").token("cellar-1");
        assert!(PageSeal::of(&[1; 32]).list_of("us", "devices").position(&token).is_ok());
        assert!(PageSeal::of(&[2; 32]).list_of("us", "devices").position(&token).is_err());
    }

    #[test]
    fn page_sizes_are_bounded() {
        assert_eq!(size(0, 50).unwrap(), 50);
        assert_eq!(size(500, 50).unwrap(), 500);
        assert!(size(501, 50).is_err());
    }
}
