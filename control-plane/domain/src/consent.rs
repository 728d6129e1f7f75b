//! An owner's leave for somebody of support to come into a home: what it is at a time. Nothing happens when one runs out; it is over by
//! its times alone.

use std::time::{Duration, SystemTime};

/// Shortest time that can be asked for.
pub const DURATION_MIN: Duration = Duration::from_secs(15 * 60);
/// Longest time that can be asked for: a repair that waits for a part.
pub const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// The time that is asked for where nothing is said: an afternoon.
pub const DURATION_DEFAULT: Duration = Duration::from_secs(4 * 3600);
/// How long an owner has time to answer: a weekend.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(3 * 24 * 3600);
/// Longest reason, characters: what fits on a phone.
pub const REASON_MAX_CHARS: usize = 500;
/// How often one person may ask about one home within a day. Whoever was told no that often has been answered.
pub const ASKS_A_DAY: usize = 10;

/// Where a consent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConsentState {
    /// No owner has decided.
    Waiting,
    /// It holds.
    Granted,
    /// An owner said no.
    Denied,
    /// It held, and is over.
    Ended,
    /// No owner decided in time, or whoever asked took it back.
    Expired,
}

/// What happened to a consent, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentTimes {
    /// Until when an owner can say yes.
    pub answer_until: SystemTime,
    /// When one did.
    pub granted_at: Option<SystemTime>,
    /// When one said no.
    pub denied_at: Option<SystemTime>,
    /// When it ends, or ended.
    pub ends_at: Option<SystemTime>,
}

impl ConsentState {
    /// The word for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Ended => "ended",
            Self::Expired => "expired",
        }
    }
}

impl ConsentTimes {
    /// Where it is at a time.
    #[must_use]
    pub fn state(&self, now: SystemTime) -> ConsentState {
        if self.granted_at.is_some() {
            // One that never ends is none of ours, and does not hold.
            return if self.ends_at.is_some_and(|end| now < end) { ConsentState::Granted } else { ConsentState::Ended };
        }
        if self.denied_at.is_some() {
            ConsentState::Denied
        } else if now < self.answer_until {
            ConsentState::Waiting
        } else {
            ConsentState::Expired
        }
    }

    /// When an owner decided.
    #[must_use]
    pub fn decided_at(&self) -> Option<SystemTime> {
        self.granted_at.or(self.denied_at)
    }

    /// Until when it waits or holds, or since when it is over; none for what never held.
    #[must_use]
    pub fn until(&self, now: SystemTime) -> Option<SystemTime> {
        match self.state(now) {
            ConsentState::Waiting => Some(self.answer_until),
            ConsentState::Granted | ConsentState::Ended => self.ends_at,
            ConsentState::Denied | ConsentState::Expired => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    /// Can be answered until 100; granted, denied and ending at these seconds, if at all.
    fn check(times: (Option<u64>, Option<u64>, Option<u64>), now: u64, state: ConsentState, until: Option<u64>) {
        let (granted, denied, ends) = times;
        let consent = ConsentTimes {
            answer_until: at(100),
            granted_at: granted.map(at),
            denied_at: denied.map(at),
            ends_at: ends.map(at),
        };
        assert_eq!(consent.state(at(now)), state, "{times:?} at {now}");
        assert_eq!(consent.until(at(now)), until.map(at), "{times:?} at {now}");
        assert_eq!(consent.decided_at(), granted.or(denied).map(at), "{times:?}");
    }

    #[test]
    fn a_consent_is_over_by_its_times_alone() {
        let waiting = (None, None, None);
        check(waiting, 0, ConsentState::Waiting, Some(100));
        check(waiting, 99, ConsentState::Waiting, Some(100));
        check(waiting, 100, ConsentState::Expired, None);
        let granted = (Some(50), None, Some(150));
        check(granted, 50, ConsentState::Granted, Some(150));
        check(granted, 149, ConsentState::Granted, Some(150));
        check(granted, 150, ConsentState::Ended, Some(150));
        check(granted, 9_999, ConsentState::Ended, Some(150));
        let denied = (None, Some(50), None);
        check(denied, 51, ConsentState::Denied, None);
        check(denied, 9_999, ConsentState::Denied, None);
        // A row that breaks the database's own rule lets nobody in.
        check((Some(50), None, None), 60, ConsentState::Ended, None);
    }

    #[test]
    fn what_is_asked_for_by_default_may_be_asked_for() {
        assert!((DURATION_MIN..=DURATION_MAX).contains(&DURATION_DEFAULT));
    }
}
