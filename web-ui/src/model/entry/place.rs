//! Homes, and who of support was let into them.

use super::Entry;
use crate::model::access::home_role;
use crate::model::consent::{length, mark, who};
use crate::model::role::home_role_word;
use kaliun_proto::fleet::v1::{Consent, Identity, Installation};

/// A home.
#[must_use]
pub fn of_home(home: &Installation, identity: &Identity) -> Entry {
    Entry {
        id: home.id.clone(),
        title: home.name.clone(),
        label: home_role_word(home_role(identity, &home.id)).to_owned(),
        text: home.time_zone.replace('_', " "),
        href: format!("/homes/{}", home.id),
        ..Entry::default()
    }
}

/// A way into a home, as it was.
#[must_use]
pub fn of_consent(consent: &Consent) -> Entry {
    let decided = match consent.decided_by.as_str() {
        "" => String::new(),
        by => format!(" · decided by {by}"),
    };
    let entry = Entry {
        id: consent.id.clone(),
        title: format!("{} · {}", who(consent), consent.installation_name),
        label: mark(consent).word.to_owned(),
        text: format!("{} · {}{decided}", consent.reason, length(consent.duration_seconds)),
        ..Entry::default()
    };
    entry.at("asked", consent.asked_at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_proto::fleet::v1::{ConsentState, HomeIdentity, HomeRole};

    #[test]
    fn a_home_leads_to_its_page() {
        let home =
            Installation { id: "7".to_owned(), name: "Seaside".to_owned(), time_zone: "America/New_York".to_owned() };
        let mine = HomeIdentity { installation_id: "7".to_owned(), role: HomeRole::Owner.into() };
        let identity = Identity { homes: vec![mine], ..Identity::default() };
        let entry = of_home(&home, &identity);
        assert_eq!((entry.href.as_str(), entry.label.as_str()), ("/homes/7", "owner"));
        assert_eq!(entry.text, "America/New York");
        assert_eq!(of_home(&home, &Identity::default()).label, "");
    }

    #[test]
    fn what_was_says_who_why_and_how_it_ended() {
        let consent = Consent {
            asked_by_name: "Anna".to_owned(),
            installation_name: "Seaside".to_owned(),
            reason: "The backup fails.".to_owned(),
            duration_seconds: 14_400,
            state: ConsentState::Denied.into(),
            decided_by: "ben@example.org".to_owned(),
            asked_at_ms: 1,
            ..Consent::default()
        };
        let entry = of_consent(&consent);
        assert_eq!((entry.title.as_str(), entry.label.as_str()), ("Anna · Seaside", "Denied"));
        assert_eq!(entry.text, "The backup fails. · 4 hours · decided by ben@example.org");
    }
}
