//! When the next certificate is asked for.

use crate::clock::Clock;
use crate::identity::DeviceRecord;
use kaliun_proto::link::v1::Welcome;
use std::time::Duration;
use tokio::time::Instant;

/// How often the time of renewal is looked at again at least.
const LOOK: Duration = Duration::from_secs(3_600);
/// A certificate that was asked for and did not come is asked for again after this long.
const RETRY: Duration = Duration::from_secs(600);

/// When a session asks for the box's next certificate.
///
/// It goes by the server's time, told in its welcome and counted on from there: a box whose own clock is a year ahead would else find
/// each new certificate due at once, and one whose clock stands in 1970 would never ask.
#[derive(Debug)]
pub(super) struct Renewal {
    welcomed_ms: Option<i64>,
    welcomed_at: Instant,
    /// How far the box's clock was moved by then, milliseconds.
    moved_ms: i64,
    is_asked: bool,
    looks_at: Instant,
}

impl Renewal {
    /// Begins with a session.
    pub(super) fn begin(welcome: &Welcome, clock: &Clock, now: Instant) -> Self {
        Self {
            // A server that says no time says 0.
            welcomed_ms: Some(welcome.now_ms).filter(|told_ms| *told_ms > 0),
            welcomed_at: now,
            moved_ms: clock.moved_ms(),
            is_asked: false,
            looks_at: now,
        }
    }

    /// When to look next.
    pub(super) fn looks_at(&self) -> Instant {
        self.looks_at
    }

    /// Whether the certificate is to be asked for now. If so it counts as asked for, and is due again some time later.
    pub(super) fn is_due(&mut self, record: Option<&DeviceRecord>, clock: &Clock, now: Instant) -> bool {
        if now < self.looks_at {
            return false;
        }
        let left = self.left(record, clock, now);
        if self.is_asked || left.is_zero() {
            self.asked(now);
            return true;
        }
        self.looks_at = now + left.min(LOOK);
        false
    }

    /// It was asked for, whoever wished it. What gets lost on the way is asked again until it comes.
    pub(super) fn asked(&mut self, now: Instant) {
        self.is_asked = true;
        self.looks_at = now + RETRY;
    }

    /// The clock was moved: look again.
    pub(super) fn clock_moved(&mut self, now: Instant) {
        self.looks_at = now;
    }

    /// Time until the certificate should be renewed; zero when it should be already.
    fn left(&self, record: Option<&DeviceRecord>, clock: &Clock, now: Instant) -> Duration {
        let Some(renews_at_ms) = record.map(DeviceRecord::renews_at_ms) else { return LOOK };
        Duration::from_millis(renews_at_ms.saturating_sub(self.time_ms(clock, now)).max(0).unsigned_abs())
    }

    fn time_ms(&self, clock: &Clock, now: Instant) -> i64 {
        let Some(welcomed_ms) = self.welcomed_ms else { return clock.now_ms() };
        let since = i64::try_from(now.duration_since(self.welcomed_at).as_millis()).unwrap_or(i64::MAX);
        welcomed_ms.saturating_add(since).saturating_add(clock.moved_ms() - self.moved_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now_ms;
    use crate::identity::record;

    const HOUR_MS: i64 = 3_600_000;
    const HOUR: Duration = Duration::from_secs(3_600);

    fn welcome(now_ms: i64) -> Welcome {
        Welcome { now_ms, ..Welcome::default() }
    }

    #[test]
    fn what_is_due_is_asked_for_by_a_clock_that_runs_on() {
        // Not with a clock that stands: between two looks at a real one some time has always passed.
        let clock = Clock::default();
        let due = record(1, now_ms() - 70 * HOUR_MS, now_ms() + 30 * HOUR_MS);
        let mut renewal = Renewal::begin(&welcome(now_ms()), &clock, Instant::now());
        assert!(renewal.is_due(Some(&due), &clock, Instant::now()));
        assert!(!renewal.is_due(Some(&due), &clock, Instant::now()), "it waits for the answer");
        assert!(!renewal.is_due(Some(&due), &clock, Instant::now() + RETRY - HOUR / 60));
        assert!(renewal.is_due(Some(&due), &clock, Instant::now() + RETRY), "and asks again");
    }

    #[test]
    fn one_that_the_server_wished_and_that_did_not_come_is_asked_for_again() {
        let (clock, now) = (Clock::default(), Instant::now());
        let young = record(1, now_ms() - HOUR_MS, now_ms() + 99 * HOUR_MS);
        let mut renewal = Renewal::begin(&welcome(now_ms()), &clock, now);
        assert!(!renewal.is_due(Some(&young), &clock, now + 2 * HOUR));
        renewal.asked(now);
        assert!(!renewal.is_due(Some(&young), &clock, now + RETRY / 2));
        assert!(renewal.is_due(Some(&young), &clock, now + RETRY));
    }

    #[test]
    fn it_goes_by_the_time_of_the_server() {
        let now = Instant::now();
        let (begins, ends) = (now_ms() - HOUR_MS, now_ms() + 99 * HOUR_MS);
        // The box's clock is a year ahead.
        let clock = Clock::default();
        clock.advance(365 * 24 * HOUR);
        let mut renewal = Renewal::begin(&welcome(now_ms()), &clock, now);
        assert!(!renewal.is_due(Some(&record(1, begins, ends)), &clock, now));
        for hours in 1..59 {
            assert!(!renewal.is_due(Some(&record(1, begins, ends)), &clock, now + hours * HOUR), "{hours}");
        }
        assert!(renewal.is_due(Some(&record(1, begins, ends)), &clock, now + 70 * HOUR));
        // And it is a year behind.
        let mut renewal = Renewal::begin(&welcome(now_ms() + 80 * HOUR_MS), &Clock::default(), now);
        assert!(renewal.is_due(Some(&record(1, begins, ends)), &Clock::default(), now));
    }

    #[test]
    fn a_clock_that_was_moved_counts_at_once() {
        let (clock, now) = (Clock::default(), Instant::now());
        let young = record(1, now_ms() - HOUR_MS, now_ms() + 99 * HOUR_MS);
        let mut renewal = Renewal::begin(&welcome(now_ms()), &clock, now);
        assert!(!renewal.is_due(Some(&young), &clock, now));
        clock.advance(80 * HOUR);
        assert!(!renewal.is_due(Some(&young), &clock, now), "it looks later");
        renewal.clock_moved(now);
        assert!(renewal.is_due(Some(&young), &clock, now));
    }

    #[test]
    fn without_a_certificate_nothing_is_due() {
        let (clock, now) = (Clock::default(), Instant::now());
        let mut renewal = Renewal::begin(&welcome(now_ms()), &clock, now);
        assert!(!renewal.is_due(None, &clock, now));
        assert_eq!(renewal.looks_at(), now + LOOK);
    }
}
