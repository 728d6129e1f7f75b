//! The text of a join token: what a box needs to enrol, in one line that can be copied.
//!
//! `kjt1.<secret>.<hash>`: the secret is base64url of 24 random bytes; the hash is the SHA-256 of trust bundle version 1 in
//! lower-case hexadecimal, by which the box knows its server before it trusts anything else.

use crate::secret::SecretText;
use thiserror::Error;

/// What begins every join token.
pub const PREFIX: &str = "kjt1";

/// Characters of the secret part: 24 bytes in base64url without padding.
pub const SECRET_CHARS: usize = 32;

/// A join token, taken apart.
#[derive(Debug, Clone)]
pub struct JoinTokenText {
    secret: SecretText,
    trust_hash: [u8; 32],
}

/// The text is no join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a join token: expected kjt1.<32 characters>.<64 hexadecimal digits>, copied whole")]
pub struct InvalidJoinToken;

impl JoinTokenText {
    /// Takes a token apart.
    ///
    /// # Errors
    /// The text has another form.
    pub fn parse(text: &str) -> Result<Self, InvalidJoinToken> {
        let mut parts = text.trim().split('.');
        let (Some(PREFIX), Some(secret), Some(hash), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidJoinToken);
        };
        let secret_fits =
            secret.len() == SECRET_CHARS && secret.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if !secret_fits {
            return Err(InvalidJoinToken);
        }
        Ok(Self { secret: SecretText::new(secret.to_owned()), trust_hash: parse_hash(hash).ok_or(InvalidJoinToken)? })
    }

    /// The part that only the holder knows.
    #[must_use]
    pub fn secret(&self) -> &SecretText {
        &self.secret
    }

    /// SHA-256 of trust bundle version 1.
    #[must_use]
    pub fn trust_hash(&self) -> [u8; 32] {
        self.trust_hash
    }
}

/// Reads 64 hexadecimal digits.
#[must_use]
pub fn parse_hash(text: &str) -> Option<[u8; 32]> {
    // Digits and nothing else: the parsing below would take a sign for one.
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_taken_apart_or_refused() {
        let secret = "a".repeat(SECRET_CHARS);
        let hash = "0f".repeat(32);
        let token = JoinTokenText::parse(&format!("kjt1.{secret}.{hash}\n")).unwrap();
        assert_eq!(token.secret().expose(), secret);
        assert_eq!(token.trust_hash(), [0x0f; 32]);
        let signs = "+f".repeat(32);
        for text in [
            "",
            "kjt1",
            "kjt2.x.y",
            &format!("kjt1.{secret}."),
            &format!("kjt1.{secret}.{hash}.x"),
            &format!("kjt1.{secret}.{signs}"),
        ] {
            assert!(JoinTokenText::parse(text).is_err(), "{text}");
        }
    }
}
