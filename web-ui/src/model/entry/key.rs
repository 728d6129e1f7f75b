//! What people and programs are let in by: sessions and tokens.

use super::Entry;
use crate::model::client_words::client_words;
use crate::model::role::role_word;
use kaliun_proto::fleet::v1::{ApiToken, Session, SessionKind};

/// For how long a token may be made, seconds, with what stands in the choice.
pub const LIFETIMES: [(u64, &str); 4] =
    [(604_800, "7 days"), (2_592_000, "30 days"), (7_776_000, "90 days"), (31_536_000, "1 year")];
/// What is chosen unless something else is, seconds.
pub const LIFETIME_USUAL: u64 = 7_776_000;
/// Most characters of a token's name.
const TOKEN_NAME_MAX: usize = 63;

/// A session of the person.
#[must_use]
pub fn of_session(session: &Session) -> Entry {
    let kind = match session.kind() {
        SessionKind::Browser => "browser",
        SessionKind::CommandLine => "fleetctl",
        SessionKind::Unspecified => "",
    };
    let from = match session.source_address.as_str() {
        "" => String::new(),
        address => format!("from {address}"),
    };
    let text = [kind, &from].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ");
    let entry = Entry {
        id: session.id.clone(),
        title: client_words(&session.client),
        label: if session.is_current { "this one".to_owned() } else { String::new() },
        text,
        is_own: session.is_current,
        ..Entry::default()
    };
    entry.at("opened", session.created_at_ms).at("used", session.last_used_at_ms).at("ends", session.expires_at_ms)
}

/// A token. `now_ms` is the server's time.
#[must_use]
pub fn of_api_token(token: &ApiToken, now_ms: i64) -> Entry {
    let is_over = token.revoked_at_ms > 0 || token.expires_at_ms <= now_ms;
    let homes = match token.installation_ids.len() {
        0 => String::new(),
        1 => " · one home only".to_owned(),
        count => format!(" · {count} homes only"),
    };
    let never = if token.last_used_at_ms == 0 { " · never used" } else { "" };
    let entry = Entry {
        id: token.id.clone(),
        title: token.name.clone(),
        label: role_word(token.role()).to_owned(),
        text: format!("made by {}{homes}{never}", token.created_by),
        is_over,
        ..Entry::default()
    };
    let entry = entry.at("used", token.last_used_at_ms);
    if token.revoked_at_ms > 0 {
        entry.at("revoked", token.revoked_at_ms)
    } else {
        entry.at(if is_over { "ended" } else { "ends" }, token.expires_at_ms)
    }
}

/// What is wrong with a token's name, as a sentence.
#[must_use]
pub fn token_name_problem(text: &str) -> Option<String> {
    match text.trim().chars().count() {
        0 => Some("Say what it is for, such as “nightly backup”.".to_owned()),
        1..=TOKEN_NAME_MAX => None,
        length => Some(format!("At most {TOKEN_NAME_MAX} characters; this has {length}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_proto::fleet::v1::Role;

    #[test]
    fn a_session_says_what_and_where() {
        let session = Session {
            kind: SessionKind::CommandLine.into(),
            client: "fleetctl on workbench".to_owned(),
            source_address: "192.0.2.7".to_owned(),
            is_current: true,
            last_used_at_ms: 5,
            ..Session::default()
        };
        let entry = of_session(&session);
        assert_eq!((entry.title.as_str(), entry.text.as_str()), ("fleetctl on workbench", "fleetctl · from 192.0.2.7"));
        assert_eq!((entry.label.as_str(), entry.is_own, entry.moments.len()), ("this one", true, 1));
        assert_eq!(of_session(&Session::default()).title, "Unnamed");
    }

    #[test]
    fn a_token_says_how_it_is() {
        let token = ApiToken {
            name: "nightly".to_owned(),
            role: Role::Viewer.into(),
            created_by: "anna@example.org".to_owned(),
            expires_at_ms: 100,
            ..ApiToken::default()
        };
        let words = |token: &ApiToken, now_ms| {
            let entry = of_api_token(token, now_ms);
            (entry.moments.iter().map(|moment| moment.words).collect::<Vec<_>>(), entry.is_over)
        };
        assert_eq!(words(&token, 50), (vec!["ends"], false));
        assert_eq!(words(&token, 100), (vec!["ended"], true));
        let revoked = ApiToken { revoked_at_ms: 20, last_used_at_ms: 10, ..token.clone() };
        assert_eq!(words(&revoked, 50), (vec!["used", "revoked"], true));
        assert_eq!(of_api_token(&token, 50).text, "made by anna@example.org · never used");
        let narrow = ApiToken { installation_ids: vec!["1".to_owned()], last_used_at_ms: 10, ..token };
        assert_eq!(of_api_token(&narrow, 50).text, "made by anna@example.org · one home only");
    }

    #[test]
    fn a_token_has_a_name() {
        assert!(token_name_problem(" ").is_some_and(|told| told.contains("what it is for")));
        assert_eq!(token_name_problem("nightly backup"), None);
        assert!(token_name_problem(&"a".repeat(64)).is_some_and(|told| told.contains("64")));
    }
}
