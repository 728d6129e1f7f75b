//! The code that a person enters to sign a machine in.

use std::fmt;

/// Consonants without those that look or sound alike (RFC 8628, section 6.1), so that no words come about.
const LETTERS: [u8; 20] = *b"BCDFGHJKLMNPQRSTVWXZ";
/// How many letters: 20 to the power of eight is 25 thousand million.
const LENGTH: usize = 8;

/// Eight letters, in two groups for people.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    /// Makes one of random bytes. A byte above the last whole round of the alphabet is passed over, so that no letter is likelier than
    /// another; there are more than enough bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 32]) -> Self {
        let rounds = 256 / LETTERS.len() * LETTERS.len();
        let even = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < rounds);
        let letters = even.filter_map(|byte| LETTERS.get(byte % LETTERS.len()));
        // 24 of 32 bytes would have to be passed over for this to be used; then it is a letter all the same.
        let letters = letters.chain(std::iter::repeat(&b'B'));
        Self(letters.take(LENGTH).map(|letter| char::from(*letter)).collect())
    }

    /// Reads what a person typed: case, spaces and hyphens do not matter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 64 {
            return None;
        }
        let letters: String =
            text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
        let fits = letters.len() == LENGTH && letters.bytes().all(|letter| LETTERS.contains(&letter));
        fits.then_some(Self(letters))
    }

    /// As it is stored, without hyphen.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(LENGTH / 2);
        write!(formatter, "{first}-{second}")
    }
}

/// Whoever has it can sign the machine in as themselves: it is in no log.
impl fmt::Debug for UserCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UserCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_type_is_read() {
        let code = UserCode::parse("BDWPHQPK").unwrap();
        assert_eq!(code.to_string(), "BDWP-HQPK");
        for same in ["bdwp-hqpk", " BDWP HQPK ", "b-d-w-p-h-q-p-k"] {
            assert_eq!(UserCode::parse(same), Some(code.clone()), "{same}");
        }
        for other in ["", "BDWP", "BDWP-HQPKK", "ADWP-HQPK", "BDWP-HQP1", "ßDWPHQP"] {
            assert_eq!(UserCode::parse(other), None, "{other}");
        }
        assert!(!format!("{code:?}").contains("BDWP"));
    }

    proptest! {
        #[test]
        fn any_random_bytes_make_a_code_that_reads_back(bytes: [u8; 32]) {
            let code = UserCode::from_random(bytes);
            prop_assert_eq!(UserCode::parse(&code.to_string()), Some(code));
        }
    }
}
