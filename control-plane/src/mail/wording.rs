//! What each kind of mail tells.

mod account;
mod sharing;

use super::letter::{Action, Letter};
use kaliun_domain::mail::Mail;
use kaliun_domain::mailed_secret::SecretPurpose;
use std::time::Duration;

/// Where the links of a mail lead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Links<'a> {
    /// The public address of the control plane, without a slash at its end.
    pub(super) public_url: &'a str,
    /// The secret of the mail's link; empty for a mail without one.
    pub(super) secret: &'a str,
}

const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 24 * HOUR_S;

impl Links<'_> {
    /// A page of ours.
    fn page(&self, label: &'static str, path: &str) -> Action {
        Action { label, url: format!("{}{path}", self.public_url), validity: None }
    }

    /// A link with the secret. It stands behind a #, where a browser keeps it to itself: no proxy logs it, and no page is told of it as
    /// the one before.
    fn secret(&self, label: &'static str, purpose: SecretPurpose) -> Action {
        let path = match purpose {
            SecretPurpose::ConfirmAddress => "/confirm",
            SecretPurpose::ResetPassword => "/reset",
            SecretPurpose::ChangeAddress => "/change-address",
            SecretPurpose::Invitation => "/invitation",
        };
        Action {
            label,
            url: format!("{}{path}#{}", self.public_url, self.secret),
            validity: Some(format!("The link works once, for {}.", length(purpose.lifetime()))),
        }
    }
}

/// A length of time in words, to the minute.
fn length(time: Duration) -> String {
    let seconds = time.as_secs();
    let (count, unit) = match seconds {
        DAY_S.. if seconds.is_multiple_of(DAY_S) && seconds > DAY_S => (seconds / DAY_S, "day"),
        HOUR_S.. if seconds.is_multiple_of(HOUR_S) => (seconds / HOUR_S, "hour"),
        _ => (seconds / 60, "minute"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Writes the letter of a mail.
pub(super) fn letter(mail: &Mail, links: &Links<'_>) -> Letter {
    match mail {
        Mail::ConfirmAddress {} => account::confirm_address(links),
        Mail::AlreadyHasAccount {} => account::already_has_account(links),
        Mail::ResetPassword {} => account::reset_password(links),
        Mail::NoAccount {} => account::no_account(links),
        Mail::ConfirmNewAddress { old_address } => account::confirm_new_address(links, old_address),
        Mail::AddressChanged { new_address } => account::address_changed(links, new_address),
        Mail::PasswordChanged {} => account::password_changed(links),
        Mail::AccountDeleted {} => account::account_deleted(links),
        Mail::InvitedToOrganization { organization, role, inviter } => {
            sharing::invited_to_organization(links, organization, role, inviter)
        }
        Mail::InvitedToHome { organization, home, role, inviter } => {
            sharing::invited_to_home(links, organization, home, role, inviter)
        }
        Mail::SupportAsks { organization, home, who, reason, duration_minutes } => {
            let time = Duration::from_secs(u64::from(*duration_minutes) * 60);
            sharing::support_asks(links, organization, home, who, reason, &length(time))
        }
        Mail::SupportDecided { home, approved, by } => sharing::support_decided(links, home, *approved, by),
    }
}

/// A letter with nothing but a subject, a heading and paragraphs.
fn plain<const N: usize>(links: &Links<'_>, subject: String, heading: &'static str, paragraphs: [String; N]) -> Letter {
    Letter {
        subject,
        heading,
        paragraphs: paragraphs.into(),
        quote: None,
        action: None,
        otherwise: None,
        home: links.public_url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_in_words() {
        let check = |seconds: u64, expected: &str| assert_eq!(length(Duration::from_secs(seconds)), expected);
        check(0, "0 minutes");
        check(60, "1 minute");
        check(90 * 60, "90 minutes");
        check(HOUR_S, "1 hour");
        check(DAY_S, "24 hours");
        check(2 * DAY_S, "2 days");
        check(25 * HOUR_S, "25 hours");
    }
}
