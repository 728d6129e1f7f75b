//! The mails that the control plane sends: what each kind says, and which of them carry a secret.
//!
//! What is in a [`Mail`] rests in the database until it is sent, and for some weeks after: names, words and times, nothing secret.

mod retry;

pub use retry::{ATTEMPTS_OVER_AFTER, next_attempt};

use crate::mailed_secret::SecretPurpose;
use serde::{Deserialize, Serialize};

/// Mails that one address gets within an hour, at most; [notices](MailKind::is_notice) come on top. Somebody who signs up, asks twice
/// more for the link, resets a password and is invited to three homes gets seven.
pub const MAILS_AN_HOUR: u16 = 10;

/// Mails that may wait to be sent, at most; notices come on top. With half a second for each of eight at a time it is ten minutes of
/// work, and what waits longer than an hour has mostly lost its use.
pub const MAILS_WAITING: u16 = 10_000;

/// A mail, by what it says. The names of kinds and fields are stored: a new field is optional, and none is renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "parameters", rename_all = "snake_case")]
pub enum Mail {
    /// To a new account: confirm the address.
    ConfirmAddress {},
    /// To somebody who has an account, when one was to be made with their address.
    AlreadyHasAccount {},
    /// Set a new password.
    ResetPassword {},
    /// To an address without an account, for which a reset was asked.
    NoAccount {},
    /// To the new address of an account: confirm it.
    ConfirmNewAddress {
        /// The address that the account has until then.
        old_address: String,
    },
    /// To the old address of an account.
    AddressChanged {
        /// The address that it has now.
        new_address: String,
    },
    /// The password was changed.
    PasswordChanged {},
    /// Become a member of an organization.
    InvitedToOrganization {
        /// Its name.
        organization: String,
        /// As what, as people read it: "operator".
        role: String,
        /// Who invites.
        inviter: String,
    },
    /// Share a home.
    InvitedToHome {
        /// The organization that looks after it.
        organization: String,
        /// Its name.
        home: String,
        /// As what, as people read it: "member".
        role: String,
        /// Who invites.
        inviter: String,
    },
    /// To the owner of a home: support asks to be let in.
    SupportAsks {
        /// Whose support it is.
        organization: String,
        /// The home.
        home: String,
        /// Who asks.
        who: String,
        /// Why, in their words.
        reason: String,
        /// For how long, in minutes.
        duration_minutes: u32,
    },
    /// To who asked: the owner said yes or no.
    SupportDecided {
        /// The home.
        home: String,
        /// Whether they may.
        approved: bool,
        /// Who decided.
        by: String,
    },
    /// The account is gone.
    AccountDeleted {},
}

/// The kind of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailKind {
    /// See [`Mail::ConfirmAddress`].
    ConfirmAddress,
    /// See [`Mail::AlreadyHasAccount`].
    AlreadyHasAccount,
    /// See [`Mail::ResetPassword`].
    ResetPassword,
    /// See [`Mail::NoAccount`].
    NoAccount,
    /// See [`Mail::ConfirmNewAddress`].
    ConfirmNewAddress,
    /// See [`Mail::AddressChanged`].
    AddressChanged,
    /// See [`Mail::PasswordChanged`].
    PasswordChanged,
    /// See [`Mail::InvitedToOrganization`].
    InvitedToOrganization,
    /// See [`Mail::InvitedToHome`].
    InvitedToHome,
    /// See [`Mail::SupportAsks`].
    SupportAsks,
    /// See [`Mail::SupportDecided`].
    SupportDecided,
    /// See [`Mail::AccountDeleted`].
    AccountDeleted,
}

impl Mail {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> MailKind {
        match self {
            Self::ConfirmAddress {} => MailKind::ConfirmAddress,
            Self::AlreadyHasAccount {} => MailKind::AlreadyHasAccount,
            Self::ResetPassword {} => MailKind::ResetPassword,
            Self::NoAccount {} => MailKind::NoAccount,
            Self::ConfirmNewAddress { .. } => MailKind::ConfirmNewAddress,
            Self::AddressChanged { .. } => MailKind::AddressChanged,
            Self::PasswordChanged {} => MailKind::PasswordChanged,
            Self::InvitedToOrganization { .. } => MailKind::InvitedToOrganization,
            Self::InvitedToHome { .. } => MailKind::InvitedToHome,
            Self::SupportAsks { .. } => MailKind::SupportAsks,
            Self::SupportDecided { .. } => MailKind::SupportDecided,
            Self::AccountDeleted {} => MailKind::AccountDeleted,
        }
    }
}

impl MailKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::ConfirmAddress,
        Self::AlreadyHasAccount,
        Self::ResetPassword,
        Self::NoAccount,
        Self::ConfirmNewAddress,
        Self::AddressChanged,
        Self::PasswordChanged,
        Self::InvitedToOrganization,
        Self::InvitedToHome,
        Self::SupportAsks,
        Self::SupportDecided,
        Self::AccountDeleted,
    ];

    /// The word it is stored as and called by.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ConfirmAddress => "confirm_address",
            Self::AlreadyHasAccount => "already_has_account",
            Self::ResetPassword => "reset_password",
            Self::NoAccount => "no_account",
            Self::ConfirmNewAddress => "confirm_new_address",
            Self::AddressChanged => "address_changed",
            Self::PasswordChanged => "password_changed",
            Self::InvitedToOrganization => "invited_to_organization",
            Self::InvitedToHome => "invited_to_home",
            Self::SupportAsks => "support_asks",
            Self::SupportDecided => "support_decided",
            Self::AccountDeleted => "account_deleted",
        }
    }

    /// What the secret in its link is for; none for a mail without one.
    #[must_use]
    pub const fn secret(self) -> Option<SecretPurpose> {
        match self {
            Self::ConfirmAddress => Some(SecretPurpose::ConfirmAddress),
            Self::ResetPassword => Some(SecretPurpose::ResetPassword),
            Self::ConfirmNewAddress => Some(SecretPurpose::ChangeAddress),
            Self::InvitedToOrganization | Self::InvitedToHome => Some(SecretPurpose::Invitation),
            Self::AlreadyHasAccount
            | Self::NoAccount
            | Self::AddressChanged
            | Self::PasswordChanged
            | Self::SupportAsks
            | Self::SupportDecided
            | Self::AccountDeleted => None,
        }
    }

    /// Whether it tells of something that was done already. No stranger can cause it, so it counts towards no bound: whoever could fill
    /// somebody's hour with other mails would keep from them that their password was changed.
    #[must_use]
    pub const fn is_notice(self) -> bool {
        match self {
            Self::AddressChanged | Self::PasswordChanged | Self::SupportDecided | Self::AccountDeleted => true,
            Self::ConfirmAddress
            | Self::AlreadyHasAccount
            | Self::ResetPassword
            | Self::NoAccount
            | Self::ConfirmNewAddress
            | Self::InvitedToOrganization
            | Self::InvitedToHome
            | Self::SupportAsks => false,
        }
    }
}

/// How far a mail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailState {
    /// It is to be sent, for the first time or again.
    Waiting,
    /// The mail server took it.
    Sent,
    /// It will not be sent any more.
    GivenUp,
}

#[cfg(test)]
mod tests;
