//! Names of things, checked once where they enter.

use thiserror::Error;

/// Longest device name, characters: one DNS label (RFC 1123).
pub const DEVICE_NAME_MAX_CHARS: usize = 63;

/// A device's name: a DNS label, unique in its organization.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceName(String);

/// Why a text is no device name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidDeviceName {
    /// No characters, or more than 63.
    #[error("a device name has 1 to 63 characters, this one has {0}")]
    Length(usize),
    /// A character that is not allowed.
    #[error("a device name is made of a-z, 0-9 and -, not {0:?}")]
    Character(char),
    /// A hyphen at an end.
    #[error("a device name begins and ends with a letter or a digit")]
    Ends,
}

impl DeviceName {
    /// Checks a name.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidDeviceName> {
        let length = text.chars().count();
        if length == 0 || length > DEVICE_NAME_MAX_CHARS {
            return Err(InvalidDeviceName::Length(length));
        }
        if let Some(character) = text.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
            return Err(InvalidDeviceName::Character(character));
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(InvalidDeviceName::Ends);
        }
        Ok(Self(text.to_owned()))
    }

    /// Makes a name out of what a box calls itself: lower case, everything else a hyphen, `box` when nothing is left.
    #[must_use]
    pub fn from_hostname(hostname: &str) -> Self {
        let mut name = String::new();
        for character in hostname.chars().flat_map(char::to_lowercase) {
            if character.is_ascii_lowercase() || character.is_ascii_digit() {
                name.push(character);
            } else if !name.is_empty() && !name.ends_with('-') {
                name.push('-');
            }
            // Leaves room for the number that makes a second box of this name unique.
            if name.len() >= DEVICE_NAME_MAX_CHARS - 8 {
                break;
            }
        }
        let name = name.trim_end_matches('-');
        Self(if name.is_empty() { "box".to_owned() } else { name.to_owned() })
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for DeviceName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Result<(), InvalidDeviceName>) {
        assert_eq!(DeviceName::parse(text).map(|_| ()), expected, "{text:?}");
    }

    #[test]
    fn names_are_dns_labels() {
        check("cellar-1", Ok(()));
        check("a", Ok(()));
        check("", Err(InvalidDeviceName::Length(0)));
        check(&"a".repeat(64), Err(InvalidDeviceName::Length(64)));
        check("Cellar", Err(InvalidDeviceName::Character('C')));
        check("über", Err(InvalidDeviceName::Character('ü')));
        check("-a", Err(InvalidDeviceName::Ends));
        check("a-", Err(InvalidDeviceName::Ends));
    }

    proptest! {
        #[test]
        fn a_hostname_always_gives_a_valid_name(hostname in ".*") {
            let name = DeviceName::from_hostname(&hostname);
            prop_assert_eq!(DeviceName::parse(name.as_str()), Ok(name.clone()));
        }
    }
}
