//! Texts that people copy, type and hand back.

use super::{Outcome, taken};
use kaliun_control_plane::fuzzing;
use kaliun_domain::claim_code::{CODE_CHARS, ClaimCode};
use kaliun_domain::name_pattern::{NameParts, NamePattern};
use kaliun_types::claim_check::{self, CHECK_CHARS, CheckCharacters};
use kaliun_types::id::OrganizationId;
use kaliun_types::join_token::JoinTokenText;
use kaliun_types::name::DeviceName;

const KEY: [u8; 32] = [7; 32];
const ORGANIZATION: OrganizationId = OrganizationId::from_uuid(uuid::Uuid::from_u128(1));
const QUESTION: &str = "devices site=graz";

pub(super) fn join_token(data: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(data);
    let Ok(token) = JoinTokenText::parse(&text) else { return Outcome::Refused };
    let hash = data_encoding::HEXLOWER.encode(&token.trust_hash());
    let again = format!("kjt1.{}.{hash}", token.secret().expose());
    let (before_hash, hash_as_read) = text.trim().split_at(again.len().min(text.trim().len()) - hash.len());
    assert_eq!(format!("{before_hash}{}", hash_as_read.to_ascii_lowercase()), again, "a token has one form");
    assert!(!format!("{token:?}").contains(token.secret().expose()), "a secret does not show itself");
    Outcome::Taken
}

pub(super) fn claim_code(data: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(data);
    let Some(code) = ClaimCode::parse(&text) else { return Outcome::Refused };
    assert_eq!(code.as_str().len(), CODE_CHARS);
    assert!(code.as_str().bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()), "{}", code.as_str());
    assert_eq!(ClaimCode::parse(code.as_str()).as_ref(), Some(&code), "what was read is read again");
    assert_eq!(ClaimCode::parse(&code.as_str().to_lowercase()).as_ref(), Some(&code), "in small letters, too");
    assert!(!format!("{code:?}").contains(code.as_str()), "a code does not show itself");
    Outcome::Taken
}

/// Host name, model, serial number and pattern, a line each.
pub(super) fn device_name(data: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (hostname, model, serial, pattern) = (line(), line(), line(), line());
    // What a box says becomes a name whatever it says.
    let name = DeviceName::from_hostname(hostname);
    assert_eq!(DeviceName::parse(name.as_str()).ok().as_ref(), Some(&name), "{hostname:?} gives no name");
    let Ok(pattern) = NamePattern::parse(pattern) else { return Outcome::Refused };
    let name = pattern.name(&NameParts { hostname, model, serial, key_hash: &KEY }, u32::MAX);
    assert_eq!(DeviceName::parse(name.as_str()).ok().as_ref(), Some(&name), "{text:?} gives no name");
    assert_eq!(NamePattern::parse(&pattern.to_string()).ok().as_ref(), Some(&pattern), "a pattern reads back");
    Outcome::Taken
}

pub(super) fn check_characters(data: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(data);
    let Some(check) = CheckCharacters::parse(&text) else { return Outcome::Refused };
    assert_eq!(check.as_str().len(), CHECK_CHARS);
    assert!(check.as_str().bytes().all(|byte| claim_check::ALPHABET.contains(&byte)), "{}", check.as_str());
    assert_eq!(CheckCharacters::parse(check.as_str()).as_ref(), Some(&check), "what was read is read again");
    assert!(!format!("{check:?}").contains(check.as_str()), "they do not show themselves");
    Outcome::Taken
}

pub(super) fn page_token(data: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(data);
    let made = fuzzing::page_token(&KEY, ORGANIZATION, QUESTION, &text);
    if made.len() <= 1024 {
        let read = fuzzing::page_position(&KEY, ORGANIZATION, QUESTION, &made).ok().flatten();
        assert_eq!(read.as_deref(), Some(text.as_ref()), "a place reads back");
    }
    let read = fuzzing::page_position(&KEY, ORGANIZATION, QUESTION, &text).ok().flatten();
    if let Some(position) = &read {
        assert_eq!(fuzzing::page_token(&KEY, ORGANIZATION, QUESTION, position), text, "a token has one form");
        let other = OrganizationId::from_uuid(uuid::Uuid::from_u128(2));
        assert!(fuzzing::page_position(&KEY, other, QUESTION, &text).is_err(), "a token fits its organization");
        assert!(fuzzing::page_position(&KEY, ORGANIZATION, "devices", &text).is_err(), "a token fits its list");
        assert!(fuzzing::page_position(&[8; 32], ORGANIZATION, QUESTION, &text).is_err(), "a token fits its key");
    }
    taken(read.is_some())
}
