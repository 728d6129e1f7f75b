//! What the boxes of a join token are called: a pattern such as `shop-{serial}` or `box-{n}`.

use kaliun_types::name::DeviceName;
use std::fmt;
use thiserror::Error;

/// Longest pattern, bytes: what fits on a line.
pub const PATTERN_MAX_BYTES: usize = 128;
/// Most characters that stand for themselves: half a name.
const TEXT_MAX_CHARS: usize = 31;
/// Hexadecimal digits of a key's hash in a name: two boxes of 10,000 share them with a chance of 1 %, and get a number then.
const KEY_BYTES: usize = 4;

/// What a name is made of.
#[derive(Debug, Clone, Copy)]
pub struct NameParts<'a> {
    /// What the box calls itself.
    pub hostname: &'a str,
    /// Its model, as its firmware gives it.
    pub model: &'a str,
    /// Its serial number, as its firmware gives it.
    pub serial: &'a str,
    /// SHA-256 of its key's SubjectPublicKeyInfo.
    pub key_hash: &'a [u8],
}

/// A pattern, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    text: String,
    pieces: Vec<Piece>,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidNamePattern {
    /// Nothing, or too much.
    #[error("a name pattern has 1 to {PATTERN_MAX_BYTES} characters, and at most {TEXT_MAX_CHARS} outside of braces")]
    Length,
    /// A character that no name has.
    #[error("a name pattern is made of a-z, 0-9, - and placeholders in braces, not {0:?}")]
    Character(char),
    /// A placeholder that nothing is known for.
    #[error("there is no placeholder {{{0}}}; there are {{hostname}}, {{model}}, {{serial}}, {{key}} and {{n}}")]
    Placeholder(String),
    /// A brace without its other one.
    #[error("a brace is not closed, such as in box-{{n")]
    Brace,
    /// It is the same for every box.
    #[error("a name pattern has a placeholder, such as box-{{n}}, or all boxes would want one name")]
    Constant,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Hostname,
    Model,
    Serial,
    Key,
    Number,
}

impl NamePattern {
    /// Checks a pattern.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidNamePattern> {
        if text.is_empty() || text.len() > PATTERN_MAX_BYTES {
            return Err(InvalidNamePattern::Length);
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (plain, behind) = match rest.split_once('{') {
                Some((plain, behind)) => (plain, Some(behind)),
                None => (rest, None),
            };
            if let Some(strange) = plain.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-'))
            {
                return Err(InvalidNamePattern::Character(strange));
            }
            if !plain.is_empty() {
                pieces.push(Piece::Text(plain.to_owned()));
            }
            let Some(behind) = behind else { break };
            let (word, after) = behind.split_once('}').ok_or(InvalidNamePattern::Brace)?;
            pieces.push(placeholder(word)?);
            rest = after;
        }
        let texts = pieces.iter().map(|piece| if let Piece::Text(text) = piece { text.len() } else { 0 });
        if texts.sum::<usize>() > TEXT_MAX_CHARS {
            return Err(InvalidNamePattern::Length);
        }
        if pieces.iter().all(|piece| matches!(piece, Piece::Text(_))) {
            return Err(InvalidNamePattern::Constant);
        }
        Ok(Self { text: text.to_owned(), pieces })
    }

    /// The name that the pattern gives to a box, the `number`th of its token. What a box does not say of itself is its key instead.
    /// Names need not differ: whoever gives them puts a number behind one that is taken.
    #[must_use]
    pub fn name(&self, parts: &NameParts<'_>, number: u32) -> DeviceName {
        let key: String = parts.key_hash.iter().take(KEY_BYTES).map(|byte| format!("{byte:02x}")).collect();
        let said =
            |text: &str| if text.chars().any(|c| c.is_ascii_alphanumeric()) { text.to_owned() } else { key.clone() };
        let name: String = self
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Hostname => said(parts.hostname),
                Piece::Model => said(parts.model),
                Piece::Serial => said(parts.serial),
                Piece::Key => key.clone(),
                Piece::Number => number.to_string(),
            })
            .collect();
        DeviceName::from_hostname(&name)
    }
}

/// The name of a box whose token has no pattern, or that has no token.
#[must_use]
pub fn own_name(parts: &NameParts<'_>) -> DeviceName {
    DeviceName::from_hostname(parts.hostname)
}

fn placeholder(word: &str) -> Result<Piece, InvalidNamePattern> {
    Ok(match word {
        "hostname" => Piece::Hostname,
        "model" => Piece::Model,
        "serial" => Piece::Serial,
        "key" => Piece::Key,
        "n" => Piece::Number,
        _ => return Err(InvalidNamePattern::Placeholder(word.chars().take(32).collect())),
    })
}

impl fmt::Display for NamePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PARTS: NameParts<'static> = NameParts {
        hostname: "Home Assistant.local",
        model: "Raspberry Pi 5 Model B",
        serial: "10000000AB12CD34",
        key_hash: &[0xde, 0xad, 0xbe, 0xef, 0x01],
    };

    #[test]
    fn patterns_give_names() {
        let check = |pattern: &str, number: u32, expected: &str| {
            let name = NamePattern::parse(pattern).expect("a pattern").name(&PARTS, number);
            assert_eq!(name.as_str(), expected, "{pattern}");
        };
        check("box-{n}", 1, "box-1");
        check("box-{n}", 1_000_000, "box-1000000");
        check("shop-{serial}", 1, "shop-10000000ab12cd34");
        check("{hostname}", 1, "home-assistant-local");
        check("{model}-{key}", 1, "raspberry-pi-5-model-b-deadbeef");
        check("{n}-of-graz-", 7, "7-of-graz");
        check("-{n}", 7, "7");
        check("a{n}{n}", 3, "a33");
    }

    #[test]
    fn what_a_box_does_not_say_is_its_key() {
        let silent = NameParts { hostname: "", model: "", serial: " - ", ..PARTS };
        for (pattern, expected) in
            [("shop-{serial}", "shop-deadbeef"), ("{hostname}", "deadbeef"), ("x-{model}-{n}", "x-deadbeef-1")]
        {
            assert_eq!(
                NamePattern::parse(pattern).map(|pattern| pattern.name(&silent, 1).to_string()).as_deref(),
                Ok(expected)
            );
        }
        assert_eq!(own_name(&silent).as_str(), "box");
    }

    #[test]
    fn other_texts_are_told_what_is_wrong() {
        let check = |pattern: &str, expected: InvalidNamePattern| {
            assert_eq!(NamePattern::parse(pattern), Err(expected), "{pattern}");
        };
        check("", InvalidNamePattern::Length);
        check(&format!("{{n}}{}", "a".repeat(32)), InvalidNamePattern::Length);
        check(&"{n}".repeat(50), InvalidNamePattern::Length);
        check("Box-{n}", InvalidNamePattern::Character('B'));
        check("box_{n}", InvalidNamePattern::Character('_'));
        check("box-n}", InvalidNamePattern::Character('}'));
        check("box-{n", InvalidNamePattern::Brace);
        check("box-{N}", InvalidNamePattern::Placeholder("N".to_owned()));
        check("box-{}", InvalidNamePattern::Placeholder(String::new()));
        check("box", InvalidNamePattern::Constant);
    }

    proptest! {
        #[test]
        fn whatever_a_box_says_gives_a_valid_name(
            pattern in "(box-|[a-z]{0,12}|\\{n\\}|\\{serial\\}|\\{model\\}|\\{hostname\\}|\\{key\\}){1,6}",
            said in ".*", number in 0_u32.., key_hash in proptest::collection::vec(0_u8.., 0..40),
        ) {
            let parts = NameParts { hostname: &said, model: &said, serial: &said, key_hash: &key_hash };
            if let Ok(pattern) = NamePattern::parse(&pattern) {
                let name = pattern.name(&parts, number);
                prop_assert_eq!(DeviceName::parse(name.as_str()), Ok(name.clone()));
                prop_assert_eq!(NamePattern::parse(&pattern.to_string()), Ok(pattern));
            }
        }
    }
}
