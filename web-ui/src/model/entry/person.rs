//! People: who has a role, who is invited, who asks for an account.

use super::{Entry, name_and_address};
use crate::model::role::{home_role_word, role_word};
use kaliun_proto::fleet::v1::{HomePerson, Identity, Invitation, Member, SignUpEntry};

/// Somebody with a role in the whole organization.
#[must_use]
pub fn of_member(member: &Member, identity: &Identity) -> Entry {
    let is_own = member.account_id == identity.account_id;
    of_somebody(&member.account_id, &member.name, &member.email, role_word(member.role()), is_own)
        .at("since", member.joined_at_ms)
}

/// Somebody with a role in a home.
#[must_use]
pub fn of_home_person(person: &HomePerson, identity: &Identity) -> Entry {
    let is_own = person.account_id == identity.account_id;
    of_somebody(&person.account_id, &person.name, &person.email, home_role_word(person.role()), is_own)
        .at("since", person.joined_at_ms)
}

fn of_somebody(id: &str, name: &str, email: &str, role: &str, is_own: bool) -> Entry {
    let (title, text) = name_and_address(name, email);
    let label = if is_own { "you".to_owned() } else { String::new() };
    Entry { id: id.to_owned(), title, text, label, value: role.to_owned(), is_own, ..Entry::default() }
}

/// What an invitation is to, for example "operator" or "member of Seaside".
#[must_use]
pub fn what_for(invitation: &Invitation) -> String {
    if invitation.installation_id.is_empty() {
        role_word(invitation.role()).to_owned()
    } else {
        format!("{} of {}", home_role_word(invitation.home_role()), invitation.installation_name)
    }
}

/// An invitation that nobody has accepted.
#[must_use]
pub fn of_invitation(invitation: &Invitation) -> Entry {
    let text = match invitation.invited_by.as_str() {
        "" => String::new(),
        by => format!("invited by {by}"),
    };
    let entry = Entry {
        id: invitation.id.clone(),
        title: invitation.email.clone(),
        label: what_for(invitation),
        text,
        ..Entry::default()
    };
    entry.at("sent", invitation.created_at_ms).at("runs out", invitation.expires_at_ms)
}

/// Somebody who asks for an account.
#[must_use]
pub fn of_sign_up(sign_up: &SignUpEntry) -> Entry {
    let (title, email) = name_and_address(&sign_up.name, &sign_up.email);
    let from = match sign_up.source_address.as_str() {
        "" => String::new(),
        address => format!("asked from {address}"),
    };
    let text = [email, from].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ");
    let entry = Entry { id: sign_up.id.clone(), title, text, ..Entry::default() };
    entry.at("asked", sign_up.created_at_ms).at("is forgotten", sign_up.expires_at_ms)
}

/// What the page of those who ask says first.
#[must_use]
pub fn sign_ups_headline(count: usize, has_more: bool) -> String {
    match (count, has_more) {
        (0, _) => "Nobody waits for an account.".to_owned(),
        (1, false) => "One person waits for an account.".to_owned(),
        (count, false) => format!("{count} people wait for an account."),
        (count, true) => format!("{count} people and more wait for an account."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_proto::fleet::v1::{HomeRole, Role};

    #[test]
    fn a_member_is_named_and_marked_as_oneself() {
        let member = Member {
            account_id: "1".to_owned(),
            email: "anna@example.org".to_owned(),
            name: "Anna".to_owned(),
            role: Role::Operator.into(),
            joined_at_ms: 7,
        };
        let anna = Identity { account_id: "1".to_owned(), ..Identity::default() };
        let entry = of_member(&member, &anna);
        assert_eq!((entry.title.as_str(), entry.text.as_str()), ("Anna", "anna@example.org"));
        assert_eq!((entry.value.as_str(), entry.label.as_str(), entry.is_own), ("operator", "you", true));
        let nameless = of_member(&Member { name: String::new(), ..member }, &Identity::default());
        assert_eq!((nameless.title.as_str(), nameless.text.as_str()), ("anna@example.org", ""));
        assert!(!nameless.is_own);
    }

    #[test]
    fn an_invitation_says_what_it_is_to() {
        let whole = Invitation { role: Role::Viewer.into(), ..Invitation::default() };
        assert_eq!(what_for(&whole), "viewer");
        let home = Invitation {
            installation_id: "1".to_owned(),
            installation_name: "Seaside".to_owned(),
            home_role: HomeRole::Member.into(),
            ..Invitation::default()
        };
        assert_eq!(what_for(&home), "member of Seaside");
        assert!(of_invitation(&home).moments.is_empty(), "times that are not there are not shown");
    }

    #[test]
    fn who_asks_for_an_account_is_shown_with_where_from() {
        let sign_up = SignUpEntry {
            name: "Ben".to_owned(),
            email: "ben@example.org".to_owned(),
            source_address: "192.0.2.7".to_owned(),
            created_at_ms: 1,
            expires_at_ms: 2,
            ..SignUpEntry::default()
        };
        let entry = of_sign_up(&sign_up);
        assert_eq!(entry.text, "ben@example.org · asked from 192.0.2.7");
        assert_eq!(entry.moments.len(), 2);
        let check = |count, has_more, expected: &str| assert_eq!(sign_ups_headline(count, has_more), expected);
        check(0, false, "Nobody waits for an account.");
        check(1, false, "One person waits for an account.");
        check(2, false, "2 people wait for an account.");
        check(50, true, "50 people and more wait for an account.");
    }
}
