//! Check characters: what only a box's screen shows after somebody entered its code, and what that somebody types before the yes.
//!
//! Box and server make them of the same four things, each of what it knows itself: the box's identity key, the server that the box
//! trusts, a nonce that the server made when the code was first entered, and the code. Whoever only saw the code, or stands between
//! the two, has not all of them. Hashing is left to the callers, for each has a library of its own for that.

use std::fmt;

/// Letters and digits that are not mistaken for another on a screen: no 0 O 1 I L 5 S 8 B 2 Z U V Y.
pub const ALPHABET: &[u8; 22] = b"34679ACDEFGHJKMNPQRTWX";

/// Characters of a check. 22^4 is 234,256: five tries guess one claim in 47,000.
pub const CHECK_CHARS: usize = 4;

/// How many wrong checks a claim bears; the last one ends it.
pub const CHECK_TRIES: u32 = 5;

/// Bytes of the nonce.
pub const NONCE_BYTES: usize = 32;

/// So that the hash fits nothing else.
const DOMAIN: &[u8] = b"kaliun claim check v1\0";

/// What is hashed with SHA-256. `key_hash` is that of the box's SubjectPublicKeyInfo, `trust_hash` that of trust bundle version 1. All
/// but the code have one length, so nothing can be moved from one to the next.
#[must_use]
pub fn message(key_hash: &[u8; 32], trust_hash: &[u8; 32], nonce: &[u8; NONCE_BYTES], code: &str) -> Vec<u8> {
    [DOMAIN, key_hash, trust_hash, nonce, code.as_bytes()].concat()
}

/// Four check characters. They stay out of logs.
#[derive(Clone, PartialEq, Eq)]
pub struct CheckCharacters(String);

impl CheckCharacters {
    /// Makes them of the SHA-256 of a [`message`].
    #[must_use]
    pub fn from_hash(hash: &[u8; 32]) -> Self {
        let mut number = hash.iter().take(16).fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        let mut characters = String::with_capacity(CHECK_CHARS);
        for _ in 0..CHECK_CHARS {
            // The remainder is below 22; of 2^128 numbers no character has one in 2^120 more than another.
            let index = usize::try_from(number % 22).unwrap_or(0);
            characters.push(ALPHABET.get(index).copied().map_or('3', char::from));
            number /= 22;
        }
        Self(characters)
    }

    /// Reads what a person typed: case, spaces and hyphens do not matter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 32 {
            return None;
        }
        let typed: String =
            text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
        let fits = typed.len() == CHECK_CHARS && typed.bytes().all(|byte| ALPHABET.contains(&byte));
        fits.then_some(Self(typed))
    }

    /// The four characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CheckCharacters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CheckCharacters(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_people_type_is_read() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(CheckCharacters::parse(text).as_ref().map(CheckCharacters::as_str), expected, "{text:?}");
        };
        check("AC34", Some("AC34"));
        check(" ac-3 4\n", Some("AC34"));
        check("AC3", None);
        check("AC345", None);
        check("AC30", None);
        check("AÄ3", None);
        check(&" ".repeat(40), None);
    }

    /// Agents of every version must show the same: the form is part of the contract.
    #[test]
    fn a_known_hash_gives_known_characters() {
        assert_eq!(CheckCharacters::from_hash(&[0; 32]).as_str(), "3333");
        let mut one = [0; 32];
        one[15] = 21;
        assert_eq!(CheckCharacters::from_hash(&one).as_str(), "X333");
        one[15] = 22;
        assert_eq!(CheckCharacters::from_hash(&one).as_str(), "3433");
    }

    #[test]
    fn each_part_counts() {
        let (key, trust, nonce) = ([1; 32], [2; 32], [3; 32]);
        let messages = [
            message(&key, &trust, &nonce, "AC3467DX"),
            message(&trust, &key, &nonce, "AC3467DX"),
            message(&key, &nonce, &trust, "AC3467DX"),
            message(&key, &trust, &nonce, "AC3467DW"),
        ];
        assert_eq!(messages.iter().collect::<BTreeSet<_>>().len(), messages.len());
    }

    proptest! {
        #[test]
        fn characters_read_back_and_do_not_print_themselves(hash in proptest::array::uniform32(0_u8..)) {
            let check = CheckCharacters::from_hash(&hash);
            prop_assert_eq!(CheckCharacters::parse(check.as_str()), Some(check.clone()));
            let printed = format!("{check:?}");
            prop_assert!(!printed.contains(check.as_str()));
        }
    }
}
