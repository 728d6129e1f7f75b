//! Labels: what people and fleets call devices by.

use crate::limits::LABELS_MAX;
use std::collections::BTreeMap;
use thiserror::Error;

/// Labels of a device, checked.
pub type Labels = BTreeMap<String, String>;

/// Why a set of labels is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidLabel {
    /// The key breaks the rules.
    #[error("label key {0:?}: a key has 1 to 63 characters of a-z 0-9 . _ - / and begins with a letter")]
    Key(String),
    /// The value breaks the rules.
    #[error("label {key}: a value has at most 63 characters of A-Z a-z 0-9 . _ -, not {value:?}")]
    Value {
        /// The label's key.
        key: String,
        /// The value as given.
        value: String,
    },
    /// Too many of them.
    #[error("at most {LABELS_MAX} labels, not {0}")]
    TooMany(usize),
}

/// Checks labels as they come from outside.
///
/// # Errors
/// The first key or value that breaks the rules, or the count.
pub fn check(labels: impl IntoIterator<Item = (String, String)>) -> Result<Labels, InvalidLabel> {
    let mut checked = Labels::new();
    for (key, value) in labels {
        if !is_key(&key) {
            return Err(InvalidLabel::Key(key));
        }
        if !is_value(&value) {
            return Err(InvalidLabel::Value { key, value });
        }
        checked.insert(key, value);
    }
    if checked.len() > LABELS_MAX {
        return Err(InvalidLabel::TooMany(checked.len()));
    }
    Ok(checked)
}

/// Whether a text may be a label's key.
#[must_use]
pub fn is_key(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '/'))
}

/// Whether a text may be a label's value. The empty value is one.
#[must_use]
pub fn is_value(text: &str) -> bool {
    text.len() <= 63 && text.chars().all(is_value_character)
}

pub(crate) fn is_value_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_checked() {
        assert!(check([("site".into(), "graz".into()), ("a/b".into(), String::new())]).is_ok());
        assert_eq!(check([("Site".into(), "x".into())]), Err(InvalidLabel::Key("Site".into())));
        assert!(matches!(check([("site".into(), "a b".into())]), Err(InvalidLabel::Value { .. })));
        let many = (0..65).map(|n| (format!("k{n}"), String::new()));
        assert_eq!(check(many), Err(InvalidLabel::TooMany(65)));
    }
}
