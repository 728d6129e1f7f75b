//! What a person says of a box that they take in: its name and its labels, as they are typed.

use kaliun_types::label::{self, InvalidLabel};
use kaliun_types::name::{DEVICE_NAME_MAX_CHARS, DeviceName, InvalidDeviceName};
use std::collections::HashMap;

/// What is wrong with a name, as a sentence; nothing when it may be given, and when none is typed.
#[must_use]
pub fn name_problem(text: &str) -> Option<String> {
    let name = text.trim();
    let invalid = DeviceName::parse(name).err().filter(|_| !name.is_empty())?;
    Some(match invalid {
        InvalidDeviceName::Length(length) => {
            format!("A name has at most {DEVICE_NAME_MAX_CHARS} characters; this one has {length}.")
        }
        InvalidDeviceName::Character(_) => {
            "A name has only small letters, digits and hyphens, such as living-room.".to_owned()
        }
        InvalidDeviceName::Ends => "A name begins and ends with a letter or a digit.".to_owned(),
    })
}

/// Reads labels as they are typed: `key=value`, with commas or spaces between them.
///
/// # Errors
/// What is wrong with the first that is no label, as a sentence.
pub fn labels(text: &str) -> Result<HashMap<String, String>, String> {
    let words = text.split(|character: char| character == ',' || character.is_whitespace());
    let mut pairs = Vec::new();
    for word in words.filter(|word| !word.is_empty()) {
        let (key, value) =
            word.split_once('=').ok_or_else(|| format!("“{word}” is no label; write it as site=graz."))?;
        pairs.push((key.to_owned(), value.to_owned()));
    }
    label::check(pairs).map(|labels| labels.into_iter().collect()).map_err(|invalid| match invalid {
        InvalidLabel::Key(key) => {
            format!("“{key}” cannot be a label's key: it begins with a small letter and has only small letters, digits and . _ - /.")
        }
        InvalidLabel::Value { value, .. } => {
            format!("“{value}” cannot be a label's value: it has only letters, digits and . _ -.")
        }
        InvalidLabel::TooMany(_) => format!("{invalid}."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_people_type_them() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let expected = expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            assert_eq!(labels(text), Ok(expected), "{text:?}");
        };
        check("", &[]);
        check(" , ", &[]);
        check("site=graz", &[("site", "graz")]);
        check("site=graz, env=lab", &[("site", "graz"), ("env", "lab")]);
        check("site=graz env=", &[("site", "graz"), ("env", "")]);
        let says = |text: &str, what: &str| {
            assert!(labels(text).is_err_and(|sentence| sentence.contains(what) && sentence.ends_with('.')), "{text:?}");
        };
        says("graz", "“graz” is no label");
        says("Site=graz", "“Site” cannot be a label's key");
        says("site=grät", "“grät” cannot be a label's value");
    }

    #[test]
    fn no_name_is_no_problem() {
        assert_eq!([name_problem(""), name_problem("  "), name_problem("attic-1 ")], [None, None, None]);
        let says =
            |text: &str, what: &str| assert!(name_problem(text).is_some_and(|told| told.contains(what)), "{text:?}");
        says("Living room", "only small letters");
        says("attic-", "ends with a letter");
        says(&"a".repeat(64), "this one has 64");
    }
}
