//! What is wrong with what was typed, said at its field.

use super::failure::Failure;
use super::role::capital;
use kaliun_types::email::EmailAddress;

/// Fewest bytes of a password.
pub const PASSWORD_MIN: usize = 12;
/// Most bytes of a password.
const PASSWORD_MAX: usize = 1_024;
/// Most characters of what people, organizations and homes are called.
const NAME_MAX: usize = 80;

/// What is wrong with an address, as a sentence; nothing when it may be one. Whether it is one shows when a mail arrives.
#[must_use]
pub fn email_problem(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return Some("Enter an email address.".to_owned());
    }
    EmailAddress::parse(text).err().map(|invalid| format!("{}.", capital(&invalid.to_string())))
}

/// What is wrong with a new password, as a sentence; nothing when it may be one. The server also knows those that are tried first.
#[must_use]
pub fn new_password_problem(text: &str) -> Option<String> {
    let missing = PASSWORD_MIN.saturating_sub(text.len());
    match text.len() {
        0 => Some("Choose a password.".to_owned()),
        1..PASSWORD_MIN => {
            let verb = if missing == 1 { "is" } else { "are" };
            Some(format!(
                "A password has at least {PASSWORD_MIN} characters; {missing} {verb} missing. A sentence is fine."
            ))
        }
        PASSWORD_MIN..=PASSWORD_MAX => None,
        _ => Some(format!("A password has at most {PASSWORD_MAX} bytes; choose a shorter one.")),
    }
}

/// What is wrong with a password that is there already, as a sentence.
#[must_use]
pub fn password_problem(text: &str) -> Option<String> {
    text.is_empty().then(|| "Enter your password.".to_owned())
}

/// What is wrong with a name of a person, an organization or a home, as a sentence. `whose` is for example "your name".
#[must_use]
pub fn name_problem(text: &str, whose: &str) -> Option<String> {
    match text.trim().chars().count() {
        0 => Some(format!("Enter {whose}.")),
        1..=NAME_MAX => None,
        length => Some(format!("At most {NAME_MAX} characters; this has {length}.")),
    }
}

/// Which of these fields a failure is about, and the sentence for it; the field is empty when it is about none of them. The server puts a
/// field's name and a colon before what it says of it; what it says of the secret of a link is about the whole form.
#[must_use]
pub fn about(failure: &Failure, fields: &[&'static str]) -> (&'static str, String) {
    let (Failure::Refused(sentence)
    | Failure::NotNow(sentence)
    | Failure::Denied(sentence)
    | Failure::NotFound(sentence)) = failure
    else {
        return ("", failure.advice());
    };
    let Some((named, said)) = sentence.split_once(": ") else { return ("", failure.advice()) };
    let is_secret = named.eq_ignore_ascii_case("secret");
    match fields.iter().find(|field| named.eq_ignore_ascii_case(field)) {
        Some(field) => (field, with_subject("It", said)),
        None if is_secret => ("", with_subject("This link", said)),
        None => ("", failure.advice()),
    }
}

/// A sentence of what the server says of a field, which may be a predicate alone: "must have 1 to 80 characters".
fn with_subject(subject: &str, said: &str) -> String {
    let is_predicate = ["is ", "must ", "has ", "was ", "cannot "].iter().any(|verb| said.starts_with(verb));
    if is_predicate { format!("{subject} {said}") } else { capital(said) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_be_are_noticed() {
        let told = |text: &str| email_problem(text).unwrap_or_default();
        assert_eq!([told("anna@example.org"), told(" anna@localhost ")], ["", ""]);
        assert_eq!(told(""), "Enter an email address.");
        assert_eq!(told("anna"), "An email address has one @, with something before and behind it.");
        assert!(told("anna@exam ple.org").starts_with("An email address has a host name"));
    }

    #[test]
    fn a_password_is_long_and_nothing_else() {
        let says = |text: &str, what: &str| {
            assert!(new_password_problem(text).is_some_and(|told| told.contains(what)), "{text:?}")
        };
        says("", "Choose a password");
        says("hunter2", "5 are missing");
        says("elevenchars", "1 is missing");
        says(&"a".repeat(1_025), "at most 1024");
        assert_eq!(new_password_problem("twelve chars"), None);
        assert_eq!(password_problem("x"), None);
        assert!(password_problem("").is_some());
    }

    #[test]
    fn names_have_a_length() {
        assert_eq!(name_problem(" Anna ", "your name"), None);
        assert_eq!(name_problem("  ", "your name").as_deref(), Some("Enter your name."));
        assert!(name_problem(&"a".repeat(81), "your name").is_some_and(|told| told.contains("81")));
    }

    #[test]
    fn a_refusal_stands_at_its_field() {
        let of = |code: i32, message: &str| about(&Failure::from_status(code, message), &["email", "new_password"]);
        let check = |code, message, field: &str, sentence: &str| {
            assert_eq!(of(code, message), (field, sentence.to_owned()), "{message}");
        };
        check(3, "new_password: is tried first; choose another", "new_password", "It is tried first; choose another.");
        check(3, "email: must have at most 254 bytes", "email", "It must have at most 254 bytes.");
        check(3, "email: an email address has one @", "email", "An email address has one @.");
        check(9, "email: was changed a moment ago", "email", "It was changed a moment ago.");
        check(5, "secret: this link was used; ask for another", "", "This link was used; ask for another.");
        check(3, "secret: is not whole; copy all of it", "", "This link is not whole; copy all of it.");
        check(3, "name: too long", "", "Name: too long. Change what you entered and try again.");
        check(14, "email: x", "", "The server does not answer. Check your connection and try again.");
    }
}
