//! Support's ways into homes, in words.

use super::access::owns;
use super::format::duration;
use super::mark::{Mark, Tone};
use kaliun_proto::fleet::v1::{Consent, ConsentState, Identity};

/// For how long support may ask, seconds, with what stands in the choice.
pub const DURATIONS: [(u32, &str); 5] =
    [(3_600, "1 hour"), (14_400, "4 hours"), (28_800, "8 hours"), (86_400, "1 day"), (604_800, "7 days")];
/// What is asked for unless something else is chosen, seconds.
pub const DURATION_USUAL: u32 = 14_400;
/// Most characters of a reason.
const REASON_MAX: usize = 500;

/// Who asks: the name, and the address that the name belongs to.
#[must_use]
pub fn who(consent: &Consent) -> &str {
    if consent.asked_by_name.is_empty() { &consent.asked_by } else { &consent.asked_by_name }
}

/// What an owner is asked, as a sentence. `organization` is where the person who asks works.
#[must_use]
pub fn question(consent: &Consent, organization: &str) -> String {
    let time = length(consent.duration_seconds);
    format!("{} from {organization} asks to look into {} for {time}.", who(consent), consent.installation_name)
}

/// What holds, as a sentence without its end.
#[must_use]
pub fn holding(consent: &Consent, identity: &Identity) -> String {
    if consent.asked_by == identity.email {
        format!("You may look into {}.", consent.installation_name)
    } else {
        format!("{} from {} may look into {}.", who(consent), identity.organization_name, consent.installation_name)
    }
}

/// A length of time that somebody chose, for example "4 hours".
#[must_use]
pub fn length(seconds: u32) -> String {
    DURATIONS
        .iter()
        .find(|(known, _)| *known == seconds)
        .map_or_else(|| duration(i64::from(seconds) * 1_000), |(_, words)| (*words).to_owned())
}

/// How a consent is.
#[must_use]
pub fn mark(consent: &Consent) -> Mark {
    match consent.state() {
        ConsentState::Waiting => Mark { tone: Tone::Warning, word: "Waits for an owner" },
        ConsentState::Granted => Mark { tone: Tone::Good, word: "Holds" },
        ConsentState::Denied => Mark { tone: Tone::Absent, word: "Denied" },
        ConsentState::Ended => Mark { tone: Tone::Absent, word: "Ended" },
        ConsentState::Expired => Mark { tone: Tone::Absent, word: "Nobody answered" },
        ConsentState::Unspecified => Mark { tone: Tone::Unknown, word: "Unknown" },
    }
}

/// Whether a consent waits or holds. `now_ms` is the server's time: what has run out since it was asked for does neither.
#[must_use]
pub fn is_open(consent: &Consent, state: ConsentState, now_ms: i64) -> bool {
    consent.state() == state && consent.until_ms > now_ms
}

/// What the page says first: what waits for this person, else what holds. `now_ms` is the server's time.
#[must_use]
pub fn headline(open: &[Consent], identity: &Identity, now_ms: i64) -> String {
    let count = |state: ConsentState, concerns: &dyn Fn(&Consent) -> bool| {
        open.iter().filter(|consent| is_open(consent, state, now_ms) && concerns(consent)).count()
    };
    let for_me = count(ConsentState::Waiting, &|consent| owns(identity, &consent.installation_id));
    let holding = count(ConsentState::Granted, &|_| true);
    let waiting = count(ConsentState::Waiting, &|_| true);
    match (for_me, holding, waiting) {
        (1, ..) => "One request waits for your yes or no.".to_owned(),
        (2.., ..) => format!("{for_me} requests wait for your yes or no."),
        (0, 1, _) => "Support may look into one home.".to_owned(),
        (0, 2.., _) => format!("Support may look in by {holding} consents."),
        (0, 0, 0) => "Nobody of support may look in.".to_owned(),
        (0, 0, 1) => "One request waits for an owner.".to_owned(),
        (0, 0, _) => format!("{waiting} requests wait for owners."),
    }
}

/// What is wrong with a reason, as a sentence.
#[must_use]
pub fn reason_problem(text: &str) -> Option<String> {
    match text.trim().chars().count() {
        0 => Some("Say why; the owner reads it.".to_owned()),
        1..=REASON_MAX => None,
        length => Some(format!("At most {REASON_MAX} characters; this has {length}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_proto::fleet::v1::{HomeIdentity, HomeRole};

    fn consent(state: ConsentState) -> Consent {
        Consent {
            asked_by: "anna@northwind.example".to_owned(),
            asked_by_name: "Anna".to_owned(),
            installation_name: "Seaside".to_owned(),
            duration_seconds: 14_400,
            state: state.into(),
            until_ms: 1_000,
            ..Consent::default()
        }
    }

    #[test]
    fn an_owner_is_asked_by_name() {
        let asked = consent(ConsentState::Waiting);
        assert_eq!(question(&asked, "Northwind"), "Anna from Northwind asks to look into Seaside for 4 hours.");
        let nameless = Consent { asked_by_name: String::new(), ..asked };
        assert!(question(&nameless, "Northwind").starts_with("anna@northwind.example from"));
    }

    #[test]
    fn who_may_look_in_is_told_so() {
        let held = consent(ConsentState::Granted);
        let owner = Identity { organization_name: "Northwind".to_owned(), ..Identity::default() };
        assert_eq!(holding(&held, &owner), "Anna from Northwind may look into Seaside.");
        let anna = Identity { email: "anna@northwind.example".to_owned(), ..owner };
        assert_eq!(holding(&held, &anna), "You may look into Seaside.");
    }

    #[test]
    fn lengths_are_as_they_were_chosen() {
        let check = |seconds: u32, expected: &str| assert_eq!(length(seconds).replace('\u{202f}', " "), expected);
        check(DURATION_USUAL, "4 hours");
        check(3_600, "1 hour");
        check(7_200, "2 h");
        check(900, "15 min");
    }

    #[test]
    fn what_has_run_out_is_not_open() {
        let held = consent(ConsentState::Granted);
        assert!(is_open(&held, ConsentState::Granted, 999));
        assert!(!is_open(&held, ConsentState::Granted, 1_000));
        assert!(!is_open(&held, ConsentState::Waiting, 0));
        assert_eq!(mark(&consent(ConsentState::Expired)).word, "Nobody answered");
        assert_eq!(mark(&Consent { state: 99, ..Consent::default() }).tone, Tone::Unknown);
    }

    #[test]
    fn the_first_line_is_about_the_person() {
        let mine = HomeIdentity { installation_id: "7".to_owned(), role: HomeRole::Owner.into() };
        let owner = Identity { homes: vec![mine], ..Identity::default() };
        let asked = Consent { installation_id: "7".to_owned(), ..consent(ConsentState::Waiting) };
        let held = consent(ConsentState::Granted);
        let check = |open: &[Consent], identity: &Identity, expected: &str| {
            assert_eq!(headline(open, identity, 0), expected);
        };
        check(&[asked.clone(), held.clone()], &owner, "One request waits for your yes or no.");
        check(&[asked.clone(), held.clone()], &Identity::default(), "Support may look into one home.");
        check(std::slice::from_ref(&asked), &Identity::default(), "One request waits for an owner.");
        check(&[asked.clone(), asked.clone()], &Identity::default(), "2 requests wait for owners.");
        check(&[], &owner, "Nobody of support may look in.");
        assert_eq!(headline(&[asked], &owner, 1_000), "Nobody of support may look in.", "it has run out");
    }

    #[test]
    fn a_reason_is_there_and_short() {
        assert!(reason_problem("  ").is_some());
        assert_eq!(reason_problem("The backup fails."), None);
        assert!(reason_problem(&"a".repeat(501)).is_some_and(|told| told.contains("501")));
    }
}
