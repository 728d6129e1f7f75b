//! What went wrong with a call, in the words of the person in front of the screen.

/// Kinds of failure that a screen treats differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The session has ended or never was.
    SignedOut,
    /// There is no such thing. With the server's sentence.
    NotFound(String),
    /// What was entered is wrong. With the server's sentence.
    Refused(String),
    /// It cannot be done as things are, or not yet. With the server's sentence, which says what to do.
    NotNow(String),
    /// The caller's role does not allow it.
    Denied(String),
    /// The control plane could not be reached, or cannot work at the moment.
    Unreachable,
    /// Anything else. With the server's sentence.
    Unexpected(String),
}

impl Failure {
    /// From a gRPC status code and its message.
    #[must_use]
    pub fn from_status(code: i32, message: &str) -> Self {
        let message = sentence(message);
        match code {
            16 => Self::SignedOut,
            5 => Self::NotFound(message),
            3 | 6 | 11 => Self::Refused(message),
            8..=10 => Self::NotNow(message),
            7 => Self::Denied(message),
            // Unknown is what the browser's transport makes of a broken connection or a proxy's error page.
            1 | 2 | 4 | 14 => Self::Unreachable,
            _ => Self::Unexpected(message),
        }
    }

    /// What happened, as a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::SignedOut => "Your session has ended.".to_owned(),
            Self::NotFound(message) | Self::Refused(message) | Self::NotNow(message) | Self::Denied(message) => {
                message.clone()
            }
            Self::Unreachable => "The server does not answer.".to_owned(),
            Self::Unexpected(message) => format!("The server reported an error: {message}"),
        }
    }

    /// Why nobody was signed in, as a sentence. Wrong words are the one case in which the server says less than a person needs;
    /// who is refused for another reason, such as another host name or an account of no organization, has to be told which.
    #[must_use]
    pub fn sign_in_sentence(&self) -> String {
        match self {
            Self::SignedOut => "Email or password is wrong. Check both and try again.".to_owned(),
            Self::Unreachable => self.advice(),
            Self::NotFound(_) | Self::Refused(_) | Self::NotNow(_) | Self::Denied(_) | Self::Unexpected(_) => {
                self.sentence()
            }
        }
    }

    /// Whether the person is not in the organization any more that the call was to act in.
    #[must_use]
    pub fn is_about_organization(&self) -> bool {
        matches!(self, Self::Denied(sentence) if sentence.starts_with("Kaliun-organization: "))
    }

    /// What happened, short enough for a title.
    #[must_use]
    pub fn title(&self) -> String {
        if let Self::Unexpected(_) = self { "The server reported an error.".to_owned() } else { self.sentence() }
    }

    /// What stands below the title: what that leaves out, and what to do next. `is_retried` says that the page asks again by itself.
    #[must_use]
    pub fn text(&self, is_retried: bool) -> String {
        let next_step = if is_retried { self.next_step_while_retried() } else { self.next_step() };
        if let Self::Unexpected(message) = self { format!("{message} {next_step}") } else { next_step.to_owned() }
    }

    /// What happened and what to do next, as one text.
    #[must_use]
    pub fn advice(&self) -> String {
        format!("{} {}", self.sentence(), self.next_step()).trim_end().to_owned()
    }

    /// What to do next on a page that asks again by itself, as a sentence.
    const fn next_step_while_retried(&self) -> &'static str {
        match self {
            Self::Unreachable => "Check your connection; this page tries again by itself.",
            Self::SignedOut
            | Self::NotFound(_)
            | Self::Refused(_)
            | Self::NotNow(_)
            | Self::Denied(_)
            | Self::Unexpected(_) => self.next_step(),
        }
    }

    /// What to do next, as a sentence; empty where the first one says it.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::SignedOut => "Sign in again.",
            Self::NotFound(_) => "Check the address, or go back to the list.",
            Self::Refused(_) => "Change what you entered and try again.",
            Self::Denied(_) => "Ask an administrator of your organization.",
            Self::NotNow(_) => "",
            Self::Unreachable => "Check your connection and try again.",
            Self::Unexpected(_) => "Try again; if it stays, tell the people who run this server.",
        }
    }
}

/// Makes a sentence of a server's message: without its reason code, with a capital and a full stop.
fn sentence(message: &str) -> String {
    let text = match message.split_once(": ") {
        Some((code, rest)) if kaliun_types::reason::is_code(code) && code.contains('.') => rest,
        Some(_) | None => message,
    };
    let text = text.trim();
    let mut characters = text.chars();
    let Some(first) = characters.next() else {
        return "No reason was given.".to_owned();
    };
    let mut sentence: String = first.to_uppercase().chain(characters).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_becomes_a_sentence() {
        let check = |message: &str, expected: &str| {
            assert_eq!(Failure::from_status(3, message), Failure::Refused(expected.to_owned()));
        };
        check("enrollment.code_expired: This code has run out.", "This code has run out.");
        check("no box waits with this code", "No box waits with this code.");
        check("name: too long", "Name: too long.");
        check("", "No reason was given.");
    }

    #[test]
    fn only_wrong_words_are_called_wrong_at_the_sign_in() {
        let told = |code: i32, message: &str| Failure::from_status(code, message).sign_in_sentence();
        assert_eq!(
            told(16, "the address or the password is wrong"),
            "Email or password is wrong. Check both and try again."
        );
        let no_organization = "this account belongs to no organization; ask to be invited";
        assert_eq!(told(7, no_organization), "This account belongs to no organization; ask to be invited.");
        assert_eq!(told(8, "too many tries; wait 3 s and try again"), "Too many tries; wait 3 s and try again.");
        assert!(told(14, "x").contains("does not answer"));
    }

    #[test]
    fn who_has_to_wait_is_not_told_to_change_something() {
        let told = |code: i32, message: &str| Failure::from_status(code, message).advice();
        assert_eq!(told(8, "too many tries; wait 3 s and try again"), "Too many tries; wait 3 s and try again.");
        assert_eq!(
            told(6, "a device of this name is already there"),
            "A device of this name is already there. Change what you entered and try again."
        );
        assert_eq!(told(14, "x"), "The server does not answer. Check your connection and try again.");
        assert!(Failure::Unreachable.text(true).ends_with("by itself."));
        let strange = Failure::from_status(13, "the disk is full");
        assert_eq!(
            (strange.title().as_str(), strange.sentence().contains("disk")),
            ("The server reported an error.", true)
        );
        assert!(strange.text(false).starts_with("The disk is full. Try again;"));
    }

    #[test]
    fn who_was_taken_out_of_the_organization_is_told_from_who_may_not() {
        let is_about = |message: &str| Failure::from_status(7, message).is_about_organization();
        assert!(is_about("kaliun-organization: you are not in this organization (any more); choose another one"));
        assert!(!is_about("this needs the role operator"));
    }

    #[test]
    fn an_expired_session_is_told_from_a_broken_line() {
        assert_eq!(Failure::from_status(16, ""), Failure::SignedOut);
        assert_eq!(Failure::from_status(14, "x"), Failure::Unreachable);
        assert_eq!(Failure::from_status(2, "fetch failed"), Failure::Unreachable);
    }
}
