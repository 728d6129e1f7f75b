//! What comes of a sign-in through a provider.

use crate::identity_providers::claims::flattened;
use kaliun_domain::joining::Claims;
use kaliun_types::email::EmailAddress;
use serde_json::{Map, Value};
use std::fmt;

/// Longest subject, bytes: what OpenID Connect allows.
pub(crate) const SUBJECT_MAX_BYTES: usize = 255;
/// Longest name that is kept, characters.
const NAME_MAX_CHARS: usize = 200;

/// Somebody, as a provider knows them.
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalIdentity {
    /// The provider's id in our configuration.
    pub provider: String,
    /// Who it is, unique and never reused at that provider, 1 to 255 bytes. Addresses and names change; this does not.
    pub subject: String,
    /// A mail address, as the provider writes it, at most 254 bytes.
    pub email: Option<String>,
    /// Whether the provider says that the address is theirs.
    pub email_verified: bool,
    /// Whether we take the provider's word for it (`trust_email`), and it gave it.
    pub email_confirmed: bool,
    /// A name for people, at most 200 characters.
    pub name: Option<String>,
    /// All that the provider said, for the rules of organizations: the signed token's claims, and beside them those of the userinfo endpoint.
    /// Bounded by the longest answer, 256 kB each.
    pub claims: Map<String, Value>,
}

impl fmt::Debug for ExternalIdentity {
    /// Without what is personal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ExternalIdentity")
            .field("provider", &self.provider)
            .field("email_verified", &self.email_verified)
            .field("email_confirmed", &self.email_confirmed)
            .finish_non_exhaustive()
    }
}

impl ExternalIdentity {
    /// All that the provider said, as pairs of a name and a value.
    #[must_use]
    pub fn claim_pairs(&self) -> Claims {
        flattened(&self.claims, self.email_verified)
    }

    /// Makes it of what the provider said, its signed claims and others. None without a subject that can be one.
    pub(crate) fn of_claims(
        provider: &str,
        trust_email: bool,
        signed: Map<String, Value>,
        others: Map<String, Value>,
    ) -> Option<Self> {
        let subject =
            text(&signed, "sub").filter(|subject| (1..=SUBJECT_MAX_BYTES).contains(&subject.len()))?.to_owned();
        let (email, email_verified) = email_of(&signed).or_else(|| email_of(&others)).unzip();
        let name = text(&signed, "name").or_else(|| text(&others, "name")).map(name_of).filter(|name| !name.is_empty());
        let email_verified = email_verified.unwrap_or(false);
        let mut claims = others;
        // What was signed stands over what was not.
        claims.extend(signed);
        Some(Self {
            provider: provider.to_owned(),
            subject,
            email,
            email_verified,
            email_confirmed: trust_email && email_verified,
            name,
            claims,
        })
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

/// An address and whether it is verified, of the same source: one's word about another's address counts for nothing.
fn email_of(claims: &Map<String, Value>) -> Option<(String, bool)> {
    // As strict as with those who type theirs.
    let email = EmailAddress::parse(text(claims, "email")?).ok()?;
    let verified = match claims.get("email_verified") {
        Some(Value::Bool(verified)) => *verified,
        // Some providers write it so.
        Some(Value::String(word)) => word == "true",
        Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | None => false,
    };
    Some((email.as_str().to_owned(), verified))
}

fn name_of(text: &str) -> String {
    text.trim().chars().filter(|character| !character.is_control()).take(NAME_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn check(trusted: bool, signed: Value, others: Value, expected: (Option<&str>, bool, bool)) {
        let identity = ExternalIdentity::of_claims("p", trusted, map(signed.clone()), map(others.clone())).unwrap();
        let found = (identity.email.as_deref(), identity.email_verified, identity.email_confirmed);
        assert_eq!(found, expected, "trusted {trusted}: {signed} and {others}");
    }

    #[test]
    fn an_address_counts_as_verified_by_its_own_source_alone() {
        let (a, b) = (Some("a@example.org"), Some("b@example.org"));
        check(true, json!({"sub": "1"}), json!({}), (None, false, false));
        check(true, json!({"sub": "1", "email": "a@example.org"}), json!({}), (a, false, false));
        check(true, json!({"sub": "1", "email": "a@example.org", "email_verified": true}), json!({}), (a, true, true));
        check(
            false,
            json!({"sub": "1", "email": "a@example.org", "email_verified": true}),
            json!({}),
            (a, true, false),
        );
        check(
            true,
            json!({"sub": "1", "email": "a@example.org", "email_verified": "true"}),
            json!({}),
            (a, true, true),
        );
        check(
            true,
            json!({"sub": "1", "email": "a@example.org", "email_verified": "yes"}),
            json!({}),
            (a, false, false),
        );
        check(true, json!({"sub": "1", "email": "a@example.org", "email_verified": 1}), json!({}), (a, false, false));
        check(true, json!({"sub": "1"}), json!({"email": "b@example.org", "email_verified": true}), (b, true, true));
        check(
            true,
            json!({"sub": "1", "email": "a@example.org"}),
            json!({"email": "b@example.org", "email_verified": true}),
            (a, false, false),
        );
        check(
            true,
            json!({"sub": "1", "email_verified": true}),
            json!({"email": "b@example.org", "email_verified": false}),
            (b, false, false),
        );
    }

    #[test]
    fn what_cannot_be_an_address_is_none() {
        let long = format!("{}@example.org", "a".repeat(250));
        for text in ["", "a", "@example.org", "a@", "a b@example.org", "a@b@example.org", "a\0@example.org", &long] {
            check(true, json!({"sub": "1", "email": text, "email_verified": true}), json!({}), (None, false, false));
        }
        check(true, json!({"sub": "1", "email": ["a@example.org"]}), json!({}), (None, false, false));
    }

    #[test]
    fn signed_claims_stand_over_others() {
        let signed = map(json!({"sub": "1", "groups": ["a"]}));
        let others = map(json!({"sub": "2", "groups": ["b"], "team": "c", "name": " A\u{7}nn "}));
        let identity = ExternalIdentity::of_claims("p", false, signed, others).unwrap();
        assert_eq!(identity.subject, "1");
        assert_eq!(identity.name.as_deref(), Some("Ann"));
        assert_eq!(
            Value::Object(identity.claims),
            json!({"sub": "1", "groups": ["a"], "team": "c", "name": " A\u{7}nn "})
        );
    }

    #[test]
    fn nobody_is_made_of_no_subject() {
        let none = |signed: Value| ExternalIdentity::of_claims("p", true, map(signed), Map::new()).is_none();
        assert!(none(json!({})));
        assert!(none(json!({"sub": ""})));
        assert!(none(json!({"sub": 7})));
        assert!(none(json!({"sub": "x".repeat(256)})));
        assert!(!none(json!({"sub": "x".repeat(255)})));
    }

    #[test]
    fn what_is_personal_is_not_in_debug() {
        let signed = map(json!({"sub": "1234", "email": "ann@example.org", "name": "Ann"}));
        let identity = ExternalIdentity::of_claims("p", false, signed, Map::new()).unwrap();
        let shown = format!("{identity:?}");
        assert!(!shown.contains("ann") && !shown.contains("Ann") && !shown.contains("1234"), "{shown}");
    }
}
