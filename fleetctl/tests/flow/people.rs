//! People, and what they belong to, as a control plane would send them.

use crate::things::{NOW_MS, id};
use kaliun_proto::fleet::v1::{
    Consent, ConsentState, HomePerson, HomeRole, Member, Organization, Role, Session, SessionKind, SignUpEntry,
};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

pub(crate) fn organization(number: u64, name: &str, role: Role) -> Organization {
    Organization { id: id(number), name: name.to_owned(), role: role.into(), homes: 0 }
}

pub(crate) fn member(number: u64, email: &str, role: Role) -> Member {
    Member {
        account_id: id(number),
        email: email.to_owned(),
        name: "Somebody Else".to_owned(),
        role: role.into(),
        joined_at_ms: NOW_MS - 40 * DAY_MS,
    }
}

pub(crate) fn home_person(number: u64, email: &str, role: HomeRole) -> HomePerson {
    HomePerson {
        account_id: id(number),
        email: email.to_owned(),
        name: "Somebody Else".to_owned(),
        role: role.into(),
        joined_at_ms: NOW_MS - 40 * DAY_MS,
    }
}

/// A session of fleetctl where it is the one that asks, else of a browser with a name that wants to drive the terminal.
pub(crate) fn session(number: u64, is_current: bool) -> Session {
    Session {
        id: id(number),
        kind: if is_current { SessionKind::CommandLine } else { SessionKind::Browser }.into(),
        client: if is_current { "fleetctl on workbench" } else { "Firefox\u{1b}[2J on Linux" }.to_owned(),
        source_address: "192.0.2.7".to_owned(),
        created_at_ms: NOW_MS - 2 * DAY_MS,
        last_used_at_ms: NOW_MS - HOUR_MS,
        expires_at_ms: NOW_MS + 12 * DAY_MS,
        is_current,
    }
}

pub(crate) fn consent(number: u64, state: ConsentState) -> Consent {
    Consent {
        id: id(number),
        installation_id: id(900),
        installation_name: "Haus am See".to_owned(),
        asked_by: "sam@support.example".to_owned(),
        asked_by_name: "Sam".to_owned(),
        reason: "The heating does not start".to_owned(),
        duration_seconds: 14_400,
        state: state.into(),
        asked_at_ms: NOW_MS - HOUR_MS,
        decided_at_ms: if state == ConsentState::Waiting { 0 } else { NOW_MS - HOUR_MS / 2 },
        decided_by: if state == ConsentState::Waiting { String::new() } else { "ben@example.org".to_owned() },
        until_ms: NOW_MS + 2 * HOUR_MS,
    }
}

pub(crate) fn sign_up(number: u64, email: &str) -> SignUpEntry {
    SignUpEntry {
        id: id(number),
        email: email.to_owned(),
        name: "Carla\u{1b}[2J".to_owned(),
        source_address: "192.0.2.9".to_owned(),
        created_at_ms: NOW_MS - HOUR_MS,
        expires_at_ms: NOW_MS + DAY_MS,
    }
}
