//! A mail of each kind with made-up names, to be looked at and to be tested with.

use kaliun_domain::mail::{Mail, MailKind};

/// The example of a kind.
pub(super) fn example(kind: MailKind) -> Mail {
    let text = str::to_owned;
    let (organization, home) = (text("Nordlicht Smart Homes"), text("Lakeside 4"));
    match kind {
        MailKind::ConfirmAddress => Mail::ConfirmAddress {},
        MailKind::AlreadyHasAccount => Mail::AlreadyHasAccount {},
        MailKind::ResetPassword => Mail::ResetPassword {},
        MailKind::NoAccount => Mail::NoAccount {},
        MailKind::ConfirmNewAddress => Mail::ConfirmNewAddress { old_address: text("ada@example.org") },
        MailKind::AddressChanged => Mail::AddressChanged { new_address: text("ada@example.net") },
        MailKind::PasswordChanged => Mail::PasswordChanged {},
        MailKind::InvitedToOrganization => {
            Mail::InvitedToOrganization { organization, role: text("operator"), inviter: text("Grace Hopper") }
        }
        MailKind::InvitedToHome => {
            Mail::InvitedToHome { organization, home, role: text("member"), inviter: text("Grace Hopper") }
        }
        MailKind::SupportAsks => Mail::SupportAsks {
            organization,
            home,
            who: text("Grace Hopper"),
            reason: text(
                "You wrote that the lights in the kitchen do not answer. I want to look at the Zigbee stick's log.",
            ),
            duration_minutes: 120,
        },
        MailKind::SupportDecided => Mail::SupportDecided { home, approved: true, by: text("Ada Lovelace") },
        MailKind::AccountDeleted => Mail::AccountDeleted {},
    }
}
