//! Names of domains, as organizations verify them and mail addresses end with them.

use thiserror::Error;

/// Longest name, characters (RFC 1035), without what is put before it for the proof.
pub const DOMAIN_NAME_MAX_CHARS: usize = 253 - PROOF_LABEL.len() - 1;
/// The label below which the proof stands.
pub const PROOF_LABEL: &str = "_kaliun-fleet";

/// A name such as `example.org`: lower case, at least two labels, names of other scripts in their ASCII form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

/// Why a text is no such name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidDomainName {
    /// Too long.
    #[error("a domain has at most {DOMAIN_NAME_MAX_CHARS} characters, this one has {0}")]
    Length(usize),
    /// A character that is not allowed.
    #[error("a domain is made of a-z, 0-9, - and dots, not {0:?}; write names of other scripts as xn--…")]
    Character(char),
    /// No dot, or nothing between two, or hyphens at an end.
    #[error(
        "a domain is like example.org: two labels or more, each of 1 to 63 characters, beginning and ending with a letter or a digit"
    )]
    Labels,
}

impl DomainName {
    /// Checks a name. Upper case, spaces around it and a dot at its end do not matter.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidDomainName> {
        let text = text.trim();
        let text = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let length = text.chars().count();
        if length > DOMAIN_NAME_MAX_CHARS {
            return Err(InvalidDomainName::Length(length));
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if let Some(character) = text.chars().find(|character| !allowed(*character)) {
            return Err(InvalidDomainName::Character(character));
        }
        let is_label =
            |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
        let labels: Vec<&str> = text.split('.').collect();
        // Addresses with numbers alone are no names.
        let is_number = labels.last().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()));
        if labels.len() < 2 || is_number || !labels.iter().all(|label| is_label(label)) {
            return Err(InvalidDomainName::Labels);
        }
        Ok(Self(text))
    }

    /// The domain of a mail address; none where it is written in another script or is no such name.
    #[must_use]
    pub fn of_address(email: &str) -> Option<Self> {
        let (_person, domain) = email.rsplit_once('@')?;
        Self::parse(domain).ok()
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the proof has to stand that it belongs to somebody, as a TXT record.
    #[must_use]
    pub fn proof_name(&self) -> String {
        format!("{PROOF_LABEL}.{}", self.0)
    }
}

impl std::fmt::Display for DomainName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let check = |text: &str, expected: Result<&str, InvalidDomainName>| {
            let found = DomainName::parse(text);
            assert_eq!(found.as_ref().map(DomainName::as_str), expected.as_ref().copied(), "{text}");
        };
        check("example.org", Ok("example.org"));
        check(" Example.ORG. ", Ok("example.org"));
        check("a-b.co.uk", Ok("a-b.co.uk"));
        check("xn--exmple-cua.org", Ok("xn--exmple-cua.org"));
        check("exämple.org", Err(InvalidDomainName::Character('ä')));
        check("a b.org", Err(InvalidDomainName::Character(' ')));
        check("*.example.org", Err(InvalidDomainName::Character('*')));
        for text in ["", "org", ".org", "a..org", "-a.org", "a-.org", "example.org..", "10.0.0.1"] {
            check(text, Err(InvalidDomainName::Labels));
        }
        check(&format!("{}.org", "a".repeat(64)), Err(InvalidDomainName::Labels));
        let long = format!("{}org", "abcdefghi.".repeat(24));
        check(&long, Err(InvalidDomainName::Length(243)));
    }

    #[test]
    fn a_proof_fits_into_a_name() {
        let longest = DomainName::parse(&format!("{}{}.org", "abcdefghi.".repeat(23), "a".repeat(5))).unwrap();
        assert_eq!(longest.as_str().len(), DOMAIN_NAME_MAX_CHARS);
        assert_eq!(longest.proof_name().len(), 253);
    }

    #[test]
    fn an_address_is_of_the_domain_behind_its_last_at() {
        let check = |email: &str, expected: Option<&str>| {
            assert_eq!(DomainName::of_address(email).as_ref().map(DomainName::as_str), expected, "{email}");
        };
        check("ann@Example.org", Some("example.org"));
        check("ann@sub.example.org", Some("sub.example.org"));
        check("\"a@b\"@example.org", Some("example.org"));
        check("admin@localhost", None);
        check("ann", None);
        check("ann@10.0.0.1", None);
    }
}
