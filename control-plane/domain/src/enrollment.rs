//! Decisions on enrolment.

use crate::token::JoinToken;
use kaliun_types::reason::ReasonCode;
use std::time::{Duration, SystemTime};

/// How long a claim code works.
pub const CODE_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// How long a box waits for an operator's yes after it came last. One that is switched on asks again long before.
pub const APPROVAL_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long a certificate is valid.
pub const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long after its certificate ran out a device may still get a new one with its key: a box that slept in a drawer.
pub const RECOVERY_ALLOWANCE: Duration = Duration::from_secs(365 * 24 * 3600);

/// Whether a device may recover now: within the allowance after its certificate's end, or until a time that somebody set.
#[must_use]
pub fn may_recover(certificate_expires_at: SystemTime, extended_until: Option<SystemTime>, now: SystemTime) -> bool {
    now <= recoverable_until(certificate_expires_at, extended_until)
}

/// Until when it may.
#[must_use]
pub fn recoverable_until(certificate_expires_at: SystemTime, extended_until: Option<SystemTime>) -> SystemTime {
    let allowed = certificate_expires_at + RECOVERY_ALLOWANCE;
    extended_until.map_or(allowed, |until| until.max(allowed))
}

/// Whether a box may enrol with a join token now.
///
/// # Errors
/// The reason why not.
pub fn join_token_admits(token: Option<&JoinToken>, now: SystemTime) -> Result<(), ReasonCode> {
    let token = token.ok_or(ReasonCode::EnrollmentTokenInvalid)?;
    if token.revoked_at.is_some() {
        Err(ReasonCode::EnrollmentTokenRevoked)
    } else if token.expires_at <= now {
        Err(ReasonCode::EnrollmentTokenExpired)
    } else if token.uses >= token.max_uses {
        Err(ReasonCode::EnrollmentTokenUsedUp)
    } else {
        Ok(())
    }
}

/// What became of a box that waits for somebody's yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrollmentState {
    /// Nobody has said anything.
    Pending,
    /// Somebody said yes.
    Approved,
    /// Somebody said no.
    Denied,
    /// Somebody typed wrong check characters too often.
    CheckFailed,
}

impl EnrollmentState {
    /// The number it is stored as.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Pending => 1,
            Self::Approved => 2,
            Self::Denied => 3,
            Self::CheckFailed => 4,
        }
    }

    /// Reads a stored number.
    #[must_use]
    pub const fn from_number(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Pending),
            2 => Some(Self::Approved),
            3 => Some(Self::Denied),
            4 => Some(Self::CheckFailed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_types::id::JoinTokenId;

    fn token(now: SystemTime) -> JoinToken {
        JoinToken {
            id: JoinTokenId::new(),
            description: "test".to_owned(),
            labels: Default::default(),
            name_pattern: None,
            needs_approval: false,
            max_uses: 2,
            uses: 1,
            created_by: "test".to_owned(),
            created_at: now,
            expires_at: now + Duration::from_secs(1),
            revoked_at: None,
        }
    }

    #[test]
    fn a_device_recovers_within_its_allowance() {
        let day = Duration::from_secs(24 * 3600);
        let end = SystemTime::UNIX_EPOCH + 1_000 * day;
        let check = |days: u32, extended: Option<u32>, expected: bool| {
            let now = end + days * day;
            let until = extended.map(|days| end + days * day);
            assert_eq!(may_recover(end, until, now), expected, "{days} days after the end, extended {extended:?}");
        };
        assert!(may_recover(end, None, end - day), "before its end too: its authority may be gone");
        check(0, None, true);
        check(334, None, true);
        check(365, None, true);
        check(366, None, false);
        check(366, Some(100), false);
        check(700, Some(700), true);
        check(701, Some(700), false);
    }

    #[test]
    fn a_token_admits_until_it_does_not() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let good = token(now);
        assert_eq!(join_token_admits(Some(&good), now), Ok(()));
        assert_eq!(join_token_admits(None, now), Err(ReasonCode::EnrollmentTokenInvalid));
        let used_up = JoinToken { uses: 2, ..good.clone() };
        assert_eq!(join_token_admits(Some(&used_up), now), Err(ReasonCode::EnrollmentTokenUsedUp));
        assert_eq!(join_token_admits(Some(&good), good.expires_at), Err(ReasonCode::EnrollmentTokenExpired));
        let revoked = JoinToken { revoked_at: Some(now), uses: 2, ..good };
        assert_eq!(join_token_admits(Some(&revoked), now), Err(ReasonCode::EnrollmentTokenRevoked));
    }
}
