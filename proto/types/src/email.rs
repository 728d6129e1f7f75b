//! Email addresses, checked once where they enter.
//!
//! Only what mail servers everywhere take: a dot-atom, `@` and a host name (RFC 5321, without quoted local parts and literal addresses).
//! ASCII alone, so that the database and this code agree on what is the same address in another case, and no two addresses look alike.

use thiserror::Error;

/// Longest address, bytes (RFC 5321 as corrected: a path of 256 with its brackets).
pub const EMAIL_ADDRESS_MAX_BYTES: usize = 254;
/// Longest part before the `@`, bytes (RFC 5321).
const LOCAL_PART_MAX_BYTES: usize = 64;
/// Longest label of the host name, bytes (RFC 1035).
const LABEL_MAX_BYTES: usize = 63;

/// An email address as somebody wrote it. Two are equal whatever their case.
#[derive(Clone, Eq)]
pub struct EmailAddress(String);

/// Why a text is no email address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidEmailAddress {
    /// Nothing, or more than 254 bytes.
    #[error("an email address has 1 to {EMAIL_ADDRESS_MAX_BYTES} bytes, this one has {0}")]
    Length(usize),
    /// None or several `@`.
    #[error("an email address has one @, with something before and behind it")]
    At,
    /// A character that is not allowed in front of the `@`.
    #[error("an email address has only letters without accents, digits and signs in front of the @, not {0:?}")]
    LocalCharacter(char),
    /// Too long before the `@`, or dots at its ends or beside each other.
    #[error(
        "an email address has 1 to {LOCAL_PART_MAX_BYTES} characters in front of the @, and no dots at the ends or beside each other"
    )]
    LocalPart,
    /// What is behind the `@` is no host name.
    #[error(
        "an email address has a host name behind the @, such as example.org; write an international one in its ASCII form (xn--…)"
    )]
    Host,
}

impl EmailAddress {
    /// Checks an address. Spaces around it are dropped: they come with pasting.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidEmailAddress> {
        let text = text.trim();
        if text.is_empty() || text.len() > EMAIL_ADDRESS_MAX_BYTES {
            return Err(InvalidEmailAddress::Length(text.len()));
        }
        let (local, host) = text.split_once('@').ok_or(InvalidEmailAddress::At)?;
        if local.is_empty() || host.is_empty() || host.contains('@') {
            return Err(InvalidEmailAddress::At);
        }
        if let Some(character) = local.chars().find(|character| *character != '.' && !is_atom(*character)) {
            return Err(InvalidEmailAddress::LocalCharacter(character));
        }
        if local.len() > LOCAL_PART_MAX_BYTES || local.split('.').any(str::is_empty) {
            return Err(InvalidEmailAddress::LocalPart);
        }
        if !host.split('.').all(is_label) {
            return Err(InvalidEmailAddress::Host);
        }
        Ok(Self(text.to_owned()))
    }

    /// The address as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address by which it is compared and found: in lower case, as SQL's `lower` makes it.
    #[must_use]
    pub fn to_lowercase(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// Whether a character may be in an atom (RFC 5322).
const fn is_atom(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, '!' | '#'..='\'' | '*' | '+' | '-' | '/' | '=' | '?' | '^'..='`' | '{'..='~')
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_MAX_BYTES).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl PartialEq for EmailAddress {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl std::hash::Hash for EmailAddress {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.to_lowercase().hash(state);
    }
}

impl std::fmt::Display for EmailAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::fmt::Debug for EmailAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "EmailAddress({})", self.0)
    }
}

impl std::str::FromStr for EmailAddress {
    type Err = InvalidEmailAddress;

    fn from_str(text: &str) -> Result<Self, InvalidEmailAddress> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn check(text: &str, expected: Result<&str, InvalidEmailAddress>) {
        let found = EmailAddress::parse(text);
        assert_eq!(found.as_ref().map(EmailAddress::as_str).map_err(|error| *error), expected, "{text:?}");
    }

    #[test]
    fn addresses_are_what_mail_servers_take() {
        check("ada@example.org", Ok("ada@example.org"));
        check("  Ada.L+kaliun@Mail.Example.Org\n", Ok("Ada.L+kaliun@Mail.Example.Org"));
        check("o'neil_#1@localhost", Ok("o'neil_#1@localhost"));
        check("info@xn--bcher-kva.example", Ok("info@xn--bcher-kva.example"));

        check("", Err(InvalidEmailAddress::Length(0)));
        check("   ", Err(InvalidEmailAddress::Length(0)));
        check(&format!("a@{}", "b".repeat(253)), Err(InvalidEmailAddress::Length(255)));
        for text in ["ada", "@example.org", "ada@", "ada@b@c", "@"] {
            check(text, Err(InvalidEmailAddress::At));
        }
        for (text, character) in [
            ("a b@example.org", ' '),
            ("a\r\nBcc: x@example.org", '\r'),
            ("<ada@example.org", '<'),
            ("a,b@example.org", ','),
            ("\"ada\"@example.org", '"'),
            ("bücher@example.org", 'ü'),
            ("a\u{0}@example.org", '\0'),
        ] {
            check(text, Err(InvalidEmailAddress::LocalCharacter(character)));
        }
        for text in
            [".ada@example.org", "ada.@example.org", "a..b@example.org", &format!("{}@example.org", "a".repeat(65))]
        {
            check(text, Err(InvalidEmailAddress::LocalPart));
        }
        for text in [
            "a@exa mple.org",
            "a@example.org.",
            "a@.org",
            "a@-b.org",
            "a@b-.org",
            "a@[127.0.0.1]",
            "a@bücher.example",
            "a@b\tc",
        ] {
            check(text, Err(InvalidEmailAddress::Host));
        }
    }

    #[test]
    fn the_same_address_in_another_case_is_the_same() {
        let addresses =
            ["Ada@Example.org", "ada@example.ORG", "bob@example.org"].map(|text| EmailAddress::parse(text).unwrap());
        let [ada, same, bob] = &addresses;
        assert_eq!(ada, same);
        assert_ne!(ada, bob);
        assert_eq!(ada.to_lowercase(), "ada@example.org");
        assert_eq!(addresses.iter().collect::<HashSet<_>>().len(), 2);
    }

    proptest! {
        #[test]
        fn what_is_taken_stays_on_one_line_and_is_taken_again(text in "[ -~\r\n\u{e4}]{0,20}@[a-zA-Z0-9.-]{0,20}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert!(address.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert_eq!(EmailAddress::parse(address.as_str()), Ok(address.clone()));
                prop_assert_eq!(EmailAddress::parse(&address.to_lowercase()), Ok(address));
            }
        }
    }
}
