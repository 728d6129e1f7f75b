//! What a provider says of somebody as pairs of a name and a value, for the rules of organizations.

use kaliun_domain::joining::Claims;
use serde_json::{Map, Value};

/// Most pairs: somebody in 2,000 groups is in more than anybody wrote rules for.
const PAIRS_MAX: usize = 2_000;
/// Longest value, bytes, as in a rule.
const VALUE_MAX_BYTES: usize = 256;
/// Longest name with its path, bytes, as in a rule.
const NAME_MAX_BYTES: usize = 128;
/// How deep claims are looked for in others.
const DEPTH_MAX: usize = 4;

/// The pairs. A claim with several values has one for each; one inside others is named by its path, with dots. An address that the provider
/// does not call verified is left out: people may write there what they like.
pub(super) fn flattened(claims: &Map<String, Value>, email_verified: bool) -> Claims {
    let mut pairs = Claims::new();
    for (name, value) in claims {
        if name != "email" || email_verified {
            add(&mut pairs, name.clone(), value, DEPTH_MAX);
        }
    }
    pairs
}

fn add(pairs: &mut Claims, name: String, value: &Value, depth: usize) {
    if pairs.len() >= PAIRS_MAX || name.len() > NAME_MAX_BYTES {
        return;
    }
    let text = match value {
        Value::Null => return,
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(values) if depth > 0 => {
            return values.iter().for_each(|value| add(pairs, name.clone(), value, depth - 1));
        }
        Value::Object(inside) if depth > 0 => {
            return inside.iter().for_each(|(key, value)| add(pairs, format!("{name}.{key}"), value, depth - 1));
        }
        Value::Array(_) | Value::Object(_) => return,
    };
    if text.len() <= VALUE_MAX_BYTES {
        pairs.insert((name, text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(claims: Value, email_verified: bool, expected: &[(&str, &str)]) {
        let found = flattened(claims.as_object().unwrap(), email_verified);
        let expected: Claims = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(found, expected, "{claims}");
    }

    #[test]
    fn claims_are_pairs_by_their_paths() {
        check(json!({}), true, &[]);
        check(
            json!({"hd": "example.org", "n": 3, "yes": true, "none": null}),
            true,
            &[("hd", "example.org"), ("n", "3"), ("yes", "true")],
        );
        check(json!({"groups": ["a", "b", ["c"]]}), true, &[("groups", "a"), ("groups", "b"), ("groups", "c")]);
        check(
            json!({"realm_access": {"roles": ["a"]}, "a.b": "c"}),
            true,
            &[("realm_access.roles", "a"), ("a.b", "c")],
        );
        check(json!({"deep": {"a": {"b": {"c": {"d": {"e": 1}}}}}}), true, &[]);
        check(json!({"long": "x".repeat(257), "n": "x"}), true, &[("n", "x")]);
    }

    #[test]
    fn an_address_counts_when_it_is_verified() {
        let claims = json!({"email": "ann@example.org", "sub": "1"});
        check(claims.clone(), true, &[("email", "ann@example.org"), ("sub", "1")]);
        check(claims, false, &[("sub", "1")]);
    }

    #[test]
    fn there_are_not_more_than_so_many() {
        let groups: Vec<String> = (0..3_000).map(|number| format!("group-{number}")).collect();
        let claims = json!({ "groups": groups });
        assert_eq!(flattened(claims.as_object().unwrap(), true).len(), PAIRS_MAX);
    }
}
