//! The code on a box's screen.

use super::failure::Failure;
use kaliun_proto::telemetry::v1::Facts;
use kaliun_types::claim_check::{ALPHABET, CHECK_CHARS};

/// Characters of a claim code.
pub const CODE_CHARACTERS: usize = 8;

/// A code as a box shows it, to compare with.
const EXAMPLE: &str = "AC34-67DX";

/// What of a typed or scanned text can belong to a code: letters and digits, upper case, at most eight.
#[must_use]
pub fn normalize(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).take(CODE_CHARACTERS).collect()
}

/// The code as the box shows it: two groups of four.
#[must_use]
pub fn grouped(text: &str) -> String {
    let code = normalize(text);
    match code.split_at_checked(CODE_CHARACTERS / 2) {
        Some((left, right)) if !right.is_empty() => format!("{left}-{right}"),
        Some(_) | None => code,
    }
}

/// Whether all eight characters are there.
#[must_use]
pub fn is_complete(text: &str) -> bool {
    normalize(text).len() == CODE_CHARACTERS
}

/// Whether codes are made of a character: none of them is mistaken for another one on a screen. For advice only; whether a code is good
/// is for the server to say.
fn is_in_alphabet(character: char) -> bool {
    u8::try_from(character).is_ok_and(|byte| ALPHABET.contains(&byte))
}

/// What of a typed text can belong to check characters: letters and digits, upper case, at most four.
#[must_use]
pub fn normalize_check(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).take(CHECK_CHARS).collect()
}

/// What is wrong with check characters, as a sentence; nothing when they may be right.
#[must_use]
pub fn check_problem(text: &str) -> Option<String> {
    let check = normalize_check(text);
    if check.is_empty() {
        return Some("Type the four check characters that the box's screen shows.".to_owned());
    }
    let missing = CHECK_CHARS.saturating_sub(check.len());
    if missing > 0 {
        let verb = if missing == 1 { "is" } else { "are" };
        return Some(format!("There are {CHECK_CHARS} check characters; {missing} {verb} missing."));
    }
    let strange = check.chars().find(|character| !is_in_alphabet(*character))?;
    Some(format!("No check characters have {strange} in them; compare them with the box's screen."))
}

/// What a box says of itself, as titles and texts; without what it does not say.
#[must_use]
pub fn own_words(facts: &Facts) -> Vec<(&'static str, String)> {
    let all = [
        ("Host name", facts.hostname.clone()),
        ("Model", facts.model.clone()),
        ("Serial number", facts.serial.clone()),
        ("System", facts.operating_system.clone()),
        ("Processor", facts.architecture.clone()),
        ("Addresses", facts.addresses.join(", ")),
        ("Agent", facts.agent_version.clone()),
    ];
    all.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

/// What the server says of check characters that it does not take, as a sentence for their field.
#[must_use]
pub fn about_check(failure: &Failure) -> Option<String> {
    let (Failure::Refused(sentence) | Failure::NotNow(sentence)) = failure else { return None };
    let mut said = sentence.strip_prefix("Check: ")?.chars();
    let first = said.next()?.to_uppercase();
    Some(format!("{first}{}", said.as_str()))
}

/// Whether a claim has ended because of wrong check characters: its code works no more.
#[must_use]
pub fn has_ended(failure: &Failure) -> bool {
    matches!(failure, Failure::NotNow(sentence) if sentence.starts_with("Check: wrong too often"))
}

/// What is missing of a code, as a sentence; nothing when all eight characters are there.
#[must_use]
pub fn incomplete(text: &str) -> Option<String> {
    let missing = CODE_CHARACTERS.saturating_sub(normalize(text).len());
    let verb = if missing == 1 { "is" } else { "are" };
    let right = format!("A code has {CODE_CHARACTERS} letters and digits, such as {EXAMPLE}");
    (missing > 0).then(|| format!("{right}; {missing} {verb} missing."))
}

/// What a code cannot be for the characters in it: what is wrong, and what a right one looks like. Nothing when it may be one.
#[must_use]
pub fn malformed(text: &str) -> Option<(String, String)> {
    let mut strange: Vec<String> = Vec::new();
    for character in normalize(text).chars().filter(|character| !is_in_alphabet(*character)) {
        let character = character.to_string();
        if !strange.contains(&character) {
            strange.push(character);
        }
    }
    let (last, before) = strange.split_last()?;
    let characters = if before.is_empty() { last.clone() } else { format!("{} or {last}", before.join(", ")) };
    let right = format!(
        "Codes are made of {CODE_CHARACTERS} letters and digits that do not look alike, such as {EXAMPLE}. Compare it with the \
         box's screen."
    );
    Some((format!("No code has {characters} in it."), right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        assert_eq!(grouped("k7m2 q9xa"), "K7M2-Q9XA");
        assert_eq!(grouped("K7M2-Q9XA-more"), "K7M2-Q9XA");
        assert_eq!(grouped("k7m"), "K7M");
        assert_eq!(grouped("k7m2"), "K7M2");
        assert!(is_complete("k7m2-q9xa"));
        assert!(!is_complete("k7m2-q9x"));
    }

    #[test]
    fn an_incomplete_code_is_told_what_is_missing() {
        assert_eq!(
            incomplete("ac34-6").as_deref(),
            Some("A code has 8 letters and digits, such as AC34-67DX; 3 are missing.")
        );
        assert!(incomplete("AC34-67D").is_some_and(|sentence| sentence.ends_with("1 is missing.")));
        assert_eq!(incomplete(EXAMPLE), None);
    }

    #[test]
    fn check_characters_are_read_and_told_what_is_wrong() {
        assert_eq!(normalize_check(" k7-m4x"), "K7M4");
        assert_eq!(check_problem("k7 m4"), None);
        let says = |text: &str, what: &str| {
            assert!(check_problem(text).is_some_and(|problem| problem.contains(what)), "{text:?}")
        };
        says("", "Type the four");
        says("K7M", "1 is missing");
        says("K", "3 are missing");
        says("K7M0", "have 0 in them");
        let of_server = |message: &str| about_check(&Failure::from_status(3, message));
        assert_eq!(of_server("check: these are others").as_deref(), Some("These are others."));
        assert_eq!(of_server("name: too long"), None);
        let ended = Failure::from_status(9, "check: wrong too often, so the code has ended");
        assert!(about_check(&ended).is_some() && has_ended(&ended));
        assert!(!has_ended(&Failure::from_status(9, "check: the box has not answered yet")));
    }

    #[test]
    fn a_box_is_shown_in_its_own_words_without_gaps() {
        let facts = Facts {
            hostname: "homeassistant".to_owned(),
            addresses: vec!["192.168.1.5".to_owned(), "fd00::5".to_owned()],
            ..Facts::default()
        };
        let shown: Vec<(&str, String)> = own_words(&facts);
        assert_eq!(
            shown,
            [("Host name", "homeassistant".to_owned()), ("Addresses", "192.168.1.5, fd00::5".to_owned())]
        );
    }

    #[test]
    fn a_malformed_code_is_told_what_is_wrong_and_what_is_right() {
        let wrong = |text: &str| malformed(text).map(|(wrong, _)| wrong);
        assert_eq!(wrong("AC34-67D0").as_deref(), Some("No code has 0 in it."));
        assert_eq!(wrong("0C34-1LD0").as_deref(), Some("No code has 0, 1 or L in it."));
        assert!(malformed("AC34-67D0").is_some_and(|(_, right)| right.contains("such as AC34-67DX")));
        assert_eq!(malformed(EXAMPLE), None);
    }
}
