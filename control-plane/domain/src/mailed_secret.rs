//! Secrets in the links of mails: what they are for, and how long they live.

use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// What the holder of a mailed secret may do with it, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretPurpose {
    /// Confirm that an account's address is theirs. The subject is the account.
    ConfirmAddress,
    /// Set a new password. The subject is the account.
    ResetPassword,
    /// Confirm the new address of an account. The subject is whatever stands for the change.
    ChangeAddress,
    /// Accept an invitation. The subject is the invitation.
    Invitation,
}

impl SecretPurpose {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ConfirmAddress, Self::ResetPassword, Self::ChangeAddress, Self::Invitation];

    /// The number it is stored as.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::ConfirmAddress => 1,
            Self::ResetPassword => 2,
            Self::ChangeAddress => 3,
            Self::Invitation => 4,
        }
    }

    /// How long such a secret lives, from when its mail is sent. A reset gives an account away, so it is short; who is invited may be on
    /// holiday.
    #[must_use]
    pub const fn lifetime(self) -> Duration {
        match self {
            Self::ConfirmAddress | Self::ChangeAddress => HOUR.saturating_mul(24),
            Self::ResetPassword => HOUR,
            Self::Invitation => HOUR.saturating_mul(7 * 24),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_differ_and_a_reset_is_the_shortest() {
        let numbers = SecretPurpose::ALL.map(SecretPurpose::number);
        assert_eq!(numbers, [1, 2, 3, 4], "as they are in databases");
        let shortest = SecretPurpose::ALL.into_iter().min_by_key(|purpose| purpose.lifetime());
        assert_eq!(shortest, Some(SecretPurpose::ResetPassword));
    }
}
