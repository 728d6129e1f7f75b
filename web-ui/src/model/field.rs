//! What is wrong with what was typed, said at its field.

use super::failure::Failure;

/// Fewest bytes of a password.
pub const PASSWORD_MIN: usize = 12;
/// Most bytes of a password.
const PASSWORD_MAX: usize = 1_024;
/// Most bytes of an email address.
const EMAIL_MAX: usize = 254;
/// Most characters of what people, organizations and homes are called.
const NAME_MAX: usize = 80;

/// What is wrong with an address, as a sentence; nothing when it may be one. Whether it is one shows when a mail arrives.
#[must_use]
pub fn email_problem(text: &str) -> Option<String> {
    let text = text.trim();
    let is_one = text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(char::is_whitespace)
    });
    match text.len() {
        0 => Some("Enter your email address.".to_owned()),
        EMAIL_MAX.. if text.len() > EMAIL_MAX => Some(format!("An address has at most {EMAIL_MAX} characters.")),
        _ if !is_one => Some("An address looks like anna@example.org; check this one.".to_owned()),
        _ => None,
    }
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
/// field's name and a colon before what it says of it.
#[must_use]
pub fn about(failure: &Failure, fields: &[&'static str]) -> (&'static str, String) {
    let (Failure::Refused(sentence) | Failure::NotNow(sentence) | Failure::Denied(sentence)) = failure else {
        return ("", failure.advice());
    };
    let Some((named, said)) = sentence.split_once(": ") else { return ("", failure.advice()) };
    let field = fields.iter().find(|field| named.eq_ignore_ascii_case(field));
    let mut said = said.chars();
    match (field, said.next()) {
        (Some(field), Some(first)) => (field, first.to_uppercase().chain(said).collect()),
        (Some(_) | None, _) => ("", failure.advice()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_be_are_noticed() {
        let check = |text: &str, expected: Option<&str>| {
            let told = email_problem(text);
            assert!(
                told.is_some() == expected.is_some() && told.unwrap_or_default().contains(expected.unwrap_or_default()),
                "{text:?}"
            );
        };
        check("anna@example.org", None);
        check(" anna@localhost ", None);
        check("", Some("Enter your email"));
        check("anna", Some("looks like"));
        check("anna@", Some("looks like"));
        check("anna@b@c", Some("looks like"));
        check("anna b@c", Some("looks like"));
        check(&format!("{}@example.org", "a".repeat(260)), Some("at most 254"));
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
        assert_eq!(
            of(3, "new_password: is tried first; choose another"),
            ("new_password", "Is tried first; choose another.".to_owned())
        );
        assert_eq!(of(3, "email: at most 254 bytes").0, "email");
        assert_eq!(of(9, "email: is the account's already").0, "email");
        assert_eq!(of(3, "name: too long"), ("", "Name: too long. Change what you entered and try again.".to_owned()));
        assert_eq!(of(14, "email: x").0, "");
    }
}
