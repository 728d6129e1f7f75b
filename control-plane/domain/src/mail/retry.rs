//! When a mail that could not be sent is tried again.

use std::time::{Duration, SystemTime};

/// The first wait; each further one is twice as long.
const WAIT_FIRST: Duration = Duration::from_secs(30);
/// The longest wait: a mail server that was down over night has its mails by the morning.
const WAIT_MAX: Duration = Duration::from_secs(6 * 3600);
/// A mail is given up after so long: a weekend and a day for whoever looks after the mail server.
pub const ATTEMPTS_OVER_AFTER: Duration = Duration::from_secs(3 * 24 * 3600);

/// When to try again after an attempt that failed for now; none when the mail is to be given up.
///
/// `attempts` counts those made, the failed one included. `share` is a random number from 0 to 1: what waited for the same server does
/// not come back all at once, but between half the wait and all of it.
#[must_use]
pub fn next_attempt(created_at: SystemTime, now: SystemTime, attempts: u32, share: f64) -> Option<SystemTime> {
    let doublings = attempts.saturating_sub(1).min(16);
    let wait = WAIT_FIRST.saturating_mul(1 << doublings).min(WAIT_MAX);
    let next = now + wait.mul_f64(0.5 + share.clamp(0.0, 1.0) / 2.0);
    (next <= created_at + ATTEMPTS_OVER_AFTER).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(attempts: u32, share: f64, expected_s: u64) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let next = next_attempt(now, now, attempts, share).unwrap();
        assert_eq!(next.duration_since(now).unwrap(), Duration::from_secs(expected_s), "attempt {attempts}");
    }

    #[test]
    fn waits_double_up_to_six_hours() {
        check(1, 1.0, 30);
        check(1, 0.0, 15);
        check(2, 1.0, 60);
        check(5, 1.0, 480);
        check(10, 1.0, 15_360);
        check(11, 1.0, 21_600);
        check(u32::MAX, 0.5, 16_200);
    }

    #[test]
    fn a_server_that_never_answers_is_given_up_within_three_days() {
        let created_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let (mut now, mut attempts) = (created_at, 1);
        while let Some(next) = next_attempt(created_at, now, attempts, 1.0) {
            now = next;
            attempts += 1;
        }
        let lasted = now.duration_since(created_at).unwrap();
        assert!(lasted > ATTEMPTS_OVER_AFTER - WAIT_MAX && lasted <= ATTEMPTS_OVER_AFTER, "{lasted:?}");
        assert!((15..30).contains(&attempts), "{attempts}");
    }

    proptest! {
        #[test]
        fn the_next_attempt_is_later_and_never_too_late(attempts in 0u32.., share in -1.0..2.0f64, age_s in 0u64..400_000) {
            let created_at = SystemTime::UNIX_EPOCH;
            let now = created_at + Duration::from_secs(age_s);
            match next_attempt(created_at, now, attempts, share) {
                Some(next) => prop_assert!(next > now && next <= now + WAIT_MAX && next <= created_at + ATTEMPTS_OVER_AFTER),
                None => prop_assert!(now + WAIT_MAX > created_at + ATTEMPTS_OVER_AFTER),
            }
        }
    }
}
