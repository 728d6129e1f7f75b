//! Targets: a noun (`devices`), or a noun with a name (`device/cellar-1`).

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsStr;

/// Kinds of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noun {
    /// A box.
    Device,
    /// A token that boxes enrol with.
    JoinToken,
    /// A token that people and automation sign in with.
    ApiToken,
    /// A home.
    Installation,
    /// Something that happened.
    Event,
    /// Where the caller is signed in.
    Session,
    /// Somebody who asked for an account.
    SignUp,
    /// A mail that the server sends.
    Mail,
}

impl Noun {
    const ALL: [Self; 8] = [
        Self::Device,
        Self::JoinToken,
        Self::ApiToken,
        Self::Installation,
        Self::Event,
        Self::Session,
        Self::SignUp,
        Self::Mail,
    ];

    /// The word for one and the word for many.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Device => ("device", "devices"),
            Self::JoinToken => ("join-token", "join-tokens"),
            Self::ApiToken => ("api-token", "api-tokens"),
            Self::Installation => ("installation", "installations"),
            Self::Event => ("event", "events"),
            Self::Session => ("session", "sessions"),
            Self::SignUp => ("sign-up", "sign-ups"),
            Self::Mail => ("mail", "mails"),
        }
    }

    /// The word for one.
    pub(crate) const fn word(self) -> &'static str {
        self.words().0
    }

    /// The word for many.
    pub(crate) const fn plural(self) -> &'static str {
        self.words().1
    }

    fn find(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|noun| text == noun.word() || text == noun.plural())
    }
}

/// A noun, or one thing of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) noun: Noun,
    pub(crate) name: Option<String>,
}

/// Reads `NOUN` or `NOUN/NAME`.
pub(crate) fn parse(text: &str) -> Result<Target, String> {
    let (noun, name) = match text.split_once('/') {
        Some((noun, name)) => (noun, Some(name)),
        None => (text, None),
    };
    let noun = Noun::find(noun).ok_or_else(|| {
        let nouns: Vec<&str> = Noun::ALL.into_iter().map(Noun::plural).collect();
        format!("{noun:?} is nothing that can be listed; there are {}", nouns.join(", "))
    })?;
    if name == Some("") {
        return Err(format!("a name is missing after {}/", noun.word()));
    }
    Ok(Target { noun, name: name.map(str::to_owned) })
}

/// Reads the name of a device, with or without `device/` before it.
pub(crate) fn parse_device(text: &str) -> Result<String, String> {
    one_of(Noun::Device, text)
}

/// Reads the id or name of a join token, with or without `join-token/` before it.
pub(crate) fn parse_join_token(text: &str) -> Result<String, String> {
    one_of(Noun::JoinToken, text)
}

/// Reads the id or name of an API token, with or without `api-token/` before it.
pub(crate) fn parse_api_token(text: &str) -> Result<String, String> {
    one_of(Noun::ApiToken, text)
}

fn one_of(wanted: Noun, text: &str) -> Result<String, String> {
    let name = match text.split_once('/') {
        Some((noun, name)) if Noun::find(noun) == Some(wanted) => name,
        Some((noun, _)) => return Err(format!("expected {}/NAME, not {noun:?}", wanted.word())),
        None => text,
    };
    if name.is_empty() {
        return Err(format!("the name of the {} is missing", wanted.word()));
    }
    Ok(name.to_owned())
}

/// Reads a name that people have chosen and that may hold a slash, with or without its noun before it.
pub(crate) fn named(noun: &str, text: &str, expected: &str) -> Result<String, String> {
    let name = text.strip_prefix(noun).and_then(|rest| rest.strip_prefix('/')).unwrap_or(text);
    if name.is_empty() { Err(format!("expected {expected}")) } else { Ok(name.to_owned()) }
}

/// Reads an id or an address, with or without its noun before it, and no other noun.
pub(crate) fn after_noun(noun: &str, text: &str, expected: &str) -> Result<String, String> {
    let name = named(noun, text, expected)?;
    if name.contains('/') { Err(format!("expected {expected}")) } else { Ok(name) }
}

/// Reads an id, with or without its noun before it.
pub(crate) fn id_after_noun(noun: &str, text: &str, expected: &str) -> Result<String, String> {
    let id = after_noun(noun, text, expected)?;
    // Only the form with hyphens, as lists show it.
    let is_id = id.len() == 36 && id.parse::<kaliun_types::id::AccountId>().is_ok();
    if is_id { Ok(id) } else { Err(format!("expected {expected}")) }
}

/// Reads a target and offers the nouns to shell completion.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TargetParser;

impl TypedValueParser for TargetParser {
    type Value = Target;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Target, clap::Error> {
        let text = value.to_string_lossy();
        parse(&text).map_err(|problem| {
            let mut error = clap::Error::raw(ErrorKind::ValueValidation, format!("{problem}\n")).with_cmd(command);
            if let Some(argument) = argument {
                error.insert(ContextKind::InvalidArg, ContextValue::String(argument.to_string()));
            }
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Noun::ALL.into_iter().map(|noun| PossibleValue::new(noun.plural()).alias(noun.word()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(Noun, Option<&str>)>) {
        let target = parse(text).ok().map(|target| (target.noun, target.name));
        assert_eq!(target, expected.map(|(noun, name)| (noun, name.map(str::to_owned))), "{text:?}");
    }

    #[test]
    fn targets_are_read() {
        check("devices", Some((Noun::Device, None)));
        check("device", Some((Noun::Device, None)));
        check("device/cellar-1", Some((Noun::Device, Some("cellar-1"))));
        check("join-token/x", Some((Noun::JoinToken, Some("x"))));
        check("events", Some((Noun::Event, None)));
        check("installation/a/b", Some((Noun::Installation, Some("a/b"))));
        for text in ["", "/", "device/", "box", "box/1"] {
            check(text, None);
        }
    }

    #[test]
    fn names_and_ids_may_stand_behind_their_noun() {
        assert_eq!(named("installation", "installation/Lake house", "").as_deref(), Ok("Lake house"));
        assert_eq!(named("installation", "north/south", "").as_deref(), Ok("north/south"));
        assert_eq!(named("installation", "installations", "").as_deref(), Ok("installations"));
        assert_eq!(after_noun("session", "session/1", "").as_deref(), Ok("1"));
        let id = "018f3c1e-7d2a-7c3b-9f10-2b6f0c9a5d11";
        assert_eq!(id_after_noun("session", &format!("session/{id}"), "").as_deref(), Ok(id));
        assert!(id_after_noun("session", "anna", "an id").is_err());
        for text in ["", "session/", "access/1", "session/1/2"] {
            assert!(after_noun("session", text, "an id").is_err(), "{text:?}");
        }
        assert!(named("installation", "installation/", "a name").is_err());
    }

    #[test]
    fn a_device_may_stand_alone_or_with_its_noun() {
        assert_eq!(parse_device("cellar-1").as_deref(), Ok("cellar-1"));
        assert_eq!(parse_device("device/cellar-1").as_deref(), Ok("cellar-1"));
        assert!(parse_device("event/cellar-1").is_err());
        assert!(parse_device("device/").is_err());
        assert!(parse_device("").is_err());
    }
}
