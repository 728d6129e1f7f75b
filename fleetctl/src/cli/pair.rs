//! Labels as people type them: `site=graz` sets one, `site-` removes it.

use kaliun_types::label;

/// A label to set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LabelPair {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// A change to one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LabelChange {
    /// Set it.
    Set(LabelPair),
    /// Remove the label of this key.
    Remove(String),
}

/// Reads `key=value`.
pub(crate) fn parse_pair(text: &str) -> Result<LabelPair, String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, for example site=graz")?;
    let pair = (key.to_owned(), value.to_owned());
    label::check([pair.clone()]).map_err(|error| error.to_string())?;
    Ok(LabelPair { key: pair.0, value: pair.1 })
}

/// Reads `key=value` or `key-`.
pub(crate) fn parse_change(text: &str) -> Result<LabelChange, String> {
    if text.contains('=') {
        return parse_pair(text).map(LabelChange::Set);
    }
    let key = text.strip_suffix('-').ok_or("expected KEY=VALUE to set a label or KEY- to remove it")?;
    if !label::is_key(key) {
        return Err(label::InvalidLabel::Key(key.to_owned()).to_string());
    }
    Ok(LabelChange::Remove(key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: &str, value: &str) -> LabelChange {
        LabelChange::Set(LabelPair { key: key.to_owned(), value: value.to_owned() })
    }

    fn check(text: &str, expected: Option<LabelChange>) {
        assert_eq!(parse_change(text).ok(), expected, "{text:?}");
    }

    #[test]
    fn label_changes_are_read() {
        check("site=graz", Some(set("site", "graz")));
        check("site=", Some(set("site", "")));
        check("a/b-c=x", Some(set("a/b-c", "x")));
        check("site-", Some(LabelChange::Remove("site".to_owned())));
        for text in ["", "-", "site", "Site=x", "=x", "site=a b", "site=a=b", "9-"] {
            check(text, None);
        }
    }
}
