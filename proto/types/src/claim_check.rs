//! Check characters: what only a box's screen shows after somebody entered its code, and what that somebody types before the yes.
//!
//! Box and server make them of the same five things: the box's identity key, the server that the box trusts, 32 random bytes of each
//! of the two, and the code. The box names the SHA-256 of its bytes with its proof (the commitment), the server tells its bytes once
//! somebody has entered the code, and only then the box sends its own. So each side has chosen its bytes before it knows the other's.
//!
//! Somebody who stands between the two, as a server that a box was made to trust, takes part in two such exchanges, knows all but the
//! bytes that are still withheld, and has to choose the last of their own on each side before they know what the characters there will
//! be. They make the two agree by luck alone, once in 22^4 tries. Each costs them one of the claim's five tries, or a return of the box,
//! which waits longer after each ([`CHECK_TRIES`]). Hashing is left to the callers, for each has a library of its own for that.

use std::fmt;

/// Letters and digits that are not mistaken for another on a screen: no 0 O 1 I L 5 S 8 B 2 Z U V Y.
pub const ALPHABET: &[u8; 22] = b"34679ACDEFGHJKMNPQRTWX";

/// Characters of a check. 22^4 is 234,256: five tries guess one claim in 47,000.
pub const CHECK_CHARS: usize = 4;

/// How many tries a claim bears: wrong checks, and returns of a box whose code was entered already, for each makes other characters.
/// The last one ends the claim.
pub const CHECK_TRIES: u32 = 5;

/// Random bytes of each side, and bytes of a commitment.
pub const NONCE_BYTES: usize = 32;

/// So that the hash fits nothing else.
const DOMAIN: &[u8] = b"kaliun claim check v1\0";

/// What check characters are made of.
#[derive(Clone, Copy)]
pub struct CheckParts<'a> {
    /// SHA-256 of the box's SubjectPublicKeyInfo.
    pub key_hash: &'a [u8; 32],
    /// SHA-256 of trust bundle version 1.
    pub trust_hash: &'a [u8; 32],
    /// The server's random bytes.
    pub server_nonce: &'a [u8; NONCE_BYTES],
    /// The box's random bytes.
    pub box_nonce: &'a [u8; NONCE_BYTES],
    /// The claim code.
    pub code: &'a str,
}

impl CheckParts<'_> {
    /// What is hashed with SHA-256. All but the code have one length, so nothing can be moved from one to the next.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        [DOMAIN, self.key_hash, self.trust_hash, self.server_nonce, self.box_nonce, self.code.as_bytes()].concat()
    }
}

/// Four check characters. They stay out of logs.
#[derive(Clone, PartialEq, Eq)]
pub struct CheckCharacters(String);

impl CheckCharacters {
    /// Makes them of the SHA-256 of a [`CheckParts::message`].
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

    /// The same for what is hashed. Its SHA-256, made by another program, is
    /// `4c597ca2830bea44d3fee29479a2d3a5bc2501cf71547de23ba11935fb661884`.
    #[test]
    fn known_parts_give_a_known_message() {
        let parts = CheckParts {
            key_hash: &[0x01; 32],
            trust_hash: &[0x02; 32],
            server_nonce: &[0x03; 32],
            box_nonce: &[0x04; 32],
            code: "AC3467DX",
        };
        let mut expected = b"kaliun claim check v1\0".to_vec();
        for byte in 1..=4 {
            expected.extend([byte; 32]);
        }
        expected.extend(b"AC3467DX");
        assert_eq!(parts.message(), expected);
        let hash = [
            0x4c, 0x59, 0x7c, 0xa2, 0x83, 0x0b, 0xea, 0x44, 0xd3, 0xfe, 0xe2, 0x94, 0x79, 0xa2, 0xd3, 0xa5, 0xbc, 0x25,
            0x01, 0xcf, 0x71, 0x54, 0x7d, 0xe2, 0x3b, 0xa1, 0x19, 0x35, 0xfb, 0x66, 0x18, 0x84,
        ];
        assert_eq!(CheckCharacters::from_hash(&hash).as_str(), "7ATT");
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
