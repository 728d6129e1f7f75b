//! The eight characters that a box shows and a person types.

use kaliun_types::claim_check::ALPHABET;
use std::fmt;

/// Characters of a code. 22^8 is 5.5e10: at 10 tries a minute and 10,000 waiting boxes, a guess succeeds in 1,000 years.
pub const CODE_CHARS: usize = 8;

/// A claim code.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClaimCode(String);

impl ClaimCode {
    /// Makes a code from random bytes. Each character takes one byte; bytes that would favour some characters are passed over.
    ///
    /// Answers `None` when the bytes did not suffice.
    #[must_use]
    pub fn from_random(bytes: &[u8]) -> Option<Self> {
        // 242 = 11 * 22: the largest multiple below 256.
        let code: String = bytes
            .iter()
            .filter(|byte| **byte < 242)
            .take(CODE_CHARS)
            .filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()).copied().map(char::from))
            .collect();
        (code.len() == CODE_CHARS).then_some(Self(code))
    }

    /// Reads what a person typed: case, spaces and hyphens do not matter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 64 {
            return None;
        }
        let code: String =
            text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
        let fits = code.len() == CODE_CHARS && code.bytes().all(|byte| ALPHABET.contains(&byte));
        fits.then_some(Self(code))
    }

    /// Eight characters without a hyphen.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClaimCode {
    /// Whoever knows the code can claim the box, so it stays out of logs.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClaimCode(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_type_is_read() {
        let code = ClaimCode::parse("AC34-67dx").unwrap();
        assert_eq!(code.as_str(), "AC3467DX");
        assert_eq!(ClaimCode::parse(" ac34 67dx "), Some(code));
        for text in ["", "AC3467D", "AC3467DXX", "AC3467D0", "AC3467DÄ"] {
            assert_eq!(ClaimCode::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn codes_read_back(bytes in proptest::collection::vec(0_u8.., 32)) {
            if let Some(code) = ClaimCode::from_random(&bytes) {
                prop_assert_eq!(ClaimCode::parse(code.as_str()), Some(code));
            }
        }
    }
}
