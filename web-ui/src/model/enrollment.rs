//! Boxes that wait for an operator, in words.

use super::failure::Failure;

/// Most that are counted: the answer is this many or more.
const COUNT_MAX: u32 = 1_000;

/// What stands on the badge; nothing when none waits.
#[must_use]
pub fn badge(count: u32) -> Option<String> {
    match count {
        0 => None,
        1..=99 => Some(count.to_string()),
        _ => Some("99+".to_owned()),
    }
}

/// The badge for those who do not see it.
#[must_use]
pub fn badge_words(count: u32) -> String {
    match count {
        0 => "no box waits".to_owned(),
        1 => "1 box waits".to_owned(),
        COUNT_MAX.. => format!("{COUNT_MAX} boxes or more wait"),
        _ => format!("{count} boxes wait"),
    }
}

/// What the page says first.
#[must_use]
pub fn headline(count: u32) -> String {
    match count {
        0 => "No box waits for you.".to_owned(),
        1 => "One box waits for your yes.".to_owned(),
        COUNT_MAX.. => format!("{COUNT_MAX} boxes or more wait for your yes."),
        _ => format!("{count} boxes wait for your yes."),
    }
}

/// What is not shown of those that wait; nothing when all are.
#[must_use]
pub fn beyond(count: u32, shown: usize) -> String {
    let shown = u32::try_from(shown).unwrap_or(u32::MAX);
    match count.saturating_sub(shown) {
        0 => String::new(),
        more if count >= COUNT_MAX => format!("{more} more or beyond; they follow here when these are decided."),
        more => format!("{more} more; they follow here when these are decided."),
    }
}

/// Why a decision did not take, as a text; nothing when the box is gone from the list, which says enough.
#[must_use]
pub fn about_decision(failure: &Failure) -> Option<String> {
    match failure {
        Failure::NotFound(sentence) if sentence.starts_with("No such waiting box") => None,
        // The field that it is about is none that a person sees.
        Failure::NotNow(sentence) if sentence.starts_with("Facts_hash: ") => Some(
            "The box came again meanwhile and says something else of itself. Look at it once more, then decide."
                .to_owned(),
        ),
        Failure::NotFound(_) => {
            Some("This home is not there any more. Load this page again and choose another.".to_owned())
        }
        Failure::SignedOut
        | Failure::Refused(_)
        | Failure::NotNow(_)
        | Failure::Denied(_)
        | Failure::Unreachable
        | Failure::Unexpected(_) => Some(failure.advice()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_that_does_not_take_says_why() {
        let told = |code: i32, message: &str| about_decision(&Failure::from_status(code, message));
        assert_eq!(told(5, "no such waiting box; it was decided about, or its token has ended"), None);
        assert!(told(5, "no such installation").is_some_and(|text| text.contains("home")));
        assert!(told(10, "facts_hash: the box came again").is_some_and(|text| text.starts_with("The box came again")));
        assert!(told(6, "a device of this name is already there").is_some_and(|text| text.contains("Change what")));
    }

    #[test]
    fn counts_become_words() {
        let check = |count: u32, on_badge: Option<&str>, words: &str| {
            assert_eq!((badge(count).as_deref(), badge_words(count).as_str()), (on_badge, words));
        };
        check(0, None, "no box waits");
        check(1, Some("1"), "1 box waits");
        check(99, Some("99"), "99 boxes wait");
        check(100, Some("99+"), "100 boxes wait");
        check(1_000, Some("99+"), "1000 boxes or more wait");
        assert_eq!(headline(1), "One box waits for your yes.");
        assert_eq!(headline(2), "2 boxes wait for your yes.");
        assert_eq!(beyond(50, 50), "");
        assert!(beyond(51, 50).starts_with("1 more;"));
        assert!(beyond(1_000, 50).starts_with("950 more or beyond"));
    }
}
