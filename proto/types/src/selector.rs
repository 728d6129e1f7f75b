//! The label selector: `site=graz,env in (lab,home),!retired`.
//!
//! Grammar, with spaces allowed between words; all requirements must hold:
//!
//! ```text
//! selector    = [ requirement { "," requirement } ]
//! requirement = key "=" value | key "!=" value | key "in" "(" value { "," value } ")"
//!             | key "notin" "(" value { "," value } ")" | key | "!" key
//! ```
//!
//! `key!=value` and `key notin (…)` also hold where the label is missing.

use crate::label;
use std::fmt;
use thiserror::Error;

/// Longest selector, bytes: one long line.
pub const SELECTOR_MAX_BYTES: usize = 1024;

/// A parsed selector.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

/// One condition on one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// What must hold for its value.
    pub condition: Condition,
}

/// What must hold for a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It has one of these values.
    In(Vec<String>),
    /// It is missing or has none of these values.
    NotIn(Vec<String>),
    /// It is there.
    Exists,
    /// It is missing.
    Missing,
}

/// Why a text is no selector.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("selector, at character {position}: {problem}")]
pub struct InvalidSelector {
    /// Where, counted in characters from 1.
    pub position: usize,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl Selector {
    /// Reads a selector; the empty text selects everything.
    ///
    /// # Errors
    /// The first place that does not fit the grammar.
    pub fn parse(text: &str) -> Result<Self, InvalidSelector> {
        if text.len() > SELECTOR_MAX_BYTES {
            return Err(InvalidSelector {
                position: SELECTOR_MAX_BYTES,
                problem: format!("longer than {SELECTOR_MAX_BYTES} bytes"),
            });
        }
        let mut parser = Parser { characters: text.chars().collect(), position: 0 };
        let mut requirements = Vec::new();
        parser.skip_spaces();
        while !parser.at_end() {
            requirements.push(parser.requirement()?);
            parser.skip_spaces();
            if parser.at_end() {
                break;
            }
            parser.expect(',')?;
            parser.skip_spaces();
            if parser.at_end() {
                return Err(parser.error("a requirement is missing after the comma"));
            }
        }
        Ok(Self { requirements })
    }

    /// The conditions; all must hold.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether a device with these labels is selected.
    #[must_use]
    pub fn matches(&self, labels: &label::Labels) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            match &requirement.condition {
                Condition::In(values) => value.is_some_and(|value| values.contains(value)),
                Condition::NotIn(values) => !value.is_some_and(|value| values.contains(value)),
                Condition::Exists => value.is_some(),
                Condition::Missing => value.is_none(),
            }
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            if index > 0 {
                formatter.write_str(",")?;
            }
            let key = &requirement.key;
            match &requirement.condition {
                Condition::In(values) => match values.as_slice() {
                    [value] => write!(formatter, "{key}={value}")?,
                    _ => write!(formatter, "{key} in ({})", values.join(","))?,
                },
                Condition::NotIn(values) => match values.as_slice() {
                    [value] => write!(formatter, "{key}!={value}")?,
                    _ => write!(formatter, "{key} notin ({})", values.join(","))?,
                },
                Condition::Exists => formatter.write_str(key)?,
                Condition::Missing => write!(formatter, "!{key}")?,
            }
        }
        Ok(())
    }
}

struct Parser {
    characters: Vec<char>,
    position: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.position).copied()
    }

    fn at_end(&self) -> bool {
        self.position >= self.characters.len()
    }

    fn error(&self, problem: &str) -> InvalidSelector {
        InvalidSelector { position: self.position + 1, problem: problem.to_owned() }
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.position += 1;
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), InvalidSelector> {
        self.skip_spaces();
        if self.peek() == Some(wanted) {
            self.position += 1;
            return Ok(());
        }
        Err(self.error(&match self.peek() {
            Some(found) => format!("expected {wanted:?}, found {found:?}"),
            None => format!("expected {wanted:?}, found the end"),
        }))
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> String {
        let start = self.position;
        while self.peek().is_some_and(&accept) {
            self.position += 1;
        }
        self.characters.iter().skip(start).take(self.position - start).collect()
    }

    fn key(&mut self) -> Result<String, InvalidSelector> {
        self.skip_spaces();
        let start = self.position;
        let key = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'));
        if label::is_key(&key) {
            return Ok(key);
        }
        self.position = start;
        Err(self.error("expected a label key: a letter, then a-z 0-9 . _ - /"))
    }

    fn value(&mut self) -> Result<String, InvalidSelector> {
        self.skip_spaces();
        let start = self.position;
        let value = self.take_while(label::is_value_character);
        if label::is_value(&value) {
            return Ok(value);
        }
        self.position = start;
        Err(self.error("a label value has at most 63 characters"))
    }

    fn values(&mut self) -> Result<Vec<String>, InvalidSelector> {
        self.expect('(')?;
        let mut values = vec![self.value()?];
        loop {
            self.skip_spaces();
            if self.peek() == Some(',') {
                self.position += 1;
                values.push(self.value()?);
            } else {
                self.expect(')')?;
                return Ok(values);
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, InvalidSelector> {
        self.skip_spaces();
        if self.peek() == Some('!') {
            self.position += 1;
            return Ok(Requirement { key: self.key()?, condition: Condition::Missing });
        }
        let key = self.key()?;
        self.skip_spaces();
        let condition = match self.peek() {
            Some('=') => {
                self.position += 1;
                if self.peek() == Some('=') {
                    self.position += 1;
                }
                Condition::In(vec![self.value()?])
            }
            Some('!') => {
                self.position += 1;
                self.expect('=')?;
                Condition::NotIn(vec![self.value()?])
            }
            Some(character) if character.is_ascii_alphabetic() => {
                let start = self.position;
                match self.take_while(|c| c.is_ascii_alphabetic()).as_str() {
                    "in" => Condition::In(self.values()?),
                    "notin" => Condition::NotIn(self.values()?),
                    other => {
                        let problem = format!("expected =, !=, in or notin, found {other:?}");
                        self.position = start;
                        return Err(self.error(&problem));
                    }
                }
            }
            Some(_) | None => Condition::Exists,
        };
        Ok(Requirement { key, condition })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(pairs: &[(&str, &str)]) -> label::Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn check(selector: &str, pairs: &[(&str, &str)], expected: bool) {
        let parsed = Selector::parse(selector).unwrap();
        assert_eq!(parsed.matches(&labels(pairs)), expected, "{selector} on {pairs:?}");
    }

    #[test]
    fn requirements_hold_as_written() {
        check("", &[], true);
        check("site=graz", &[("site", "graz")], true);
        check("site==graz", &[("site", "graz")], true);
        check("site=graz", &[("site", "wien")], false);
        check("site=graz", &[], false);
        check("site!=graz", &[("site", "wien")], true);
        check("site!=graz", &[], true);
        check("site in (graz, wien)", &[("site", "wien")], true);
        check("site notin (graz,wien)", &[("site", "wien")], false);
        check("site notin (graz,wien)", &[], true);
        check("site", &[("site", "")], true);
        check("!site", &[("site", "")], false);
        check(" site = graz , env in (lab) ", &[("site", "graz"), ("env", "lab")], true);
        check("site=graz,!retired", &[("site", "graz"), ("retired", "yes")], false);
        check("site=", &[("site", "")], true);
    }

    fn check_error(selector: &str, position: usize) {
        let error = Selector::parse(selector).unwrap_err();
        assert_eq!(error.position, position, "{selector}: {error}");
    }

    #[test]
    fn errors_point_at_the_place() {
        check_error("=graz", 1);
        check_error("site=graz,", 11);
        check_error("site=graz env=lab", 11);
        check_error("site near (graz)", 6);
        check_error("site in (graz", 14);
        check_error("site!graz", 6);
        check_error("Site=graz", 1);
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,80}") {
            let _parsed_or_refused = Selector::parse(&text);
        }

        #[test]
        fn what_is_printed_reads_back(text in "[a-c]{1,2}(=|!=| in \\(x,|,!)[a-c]{1,2}\\)?") {
            if let Ok(selector) = Selector::parse(&text) {
                prop_assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
            }
        }
    }
}
