//! How often the box says what costs no credit: its facts, and which settings are in force.
//!
//! The server takes a handful of such messages at once and then so many a minute, heartbeats among them, and ends the session
//! of a box that sends more. A box whose addresses flap, or one that is asked over and over, must not run into that. All of
//! it is state, so that a later word holds what the ones before it would have said.

use std::time::Duration;
use tokio::time::Instant;

/// Messages that may go at once. The server takes 32, so three times as many are left for heartbeats that a stalled
/// network delivers together.
const BURST: u32 = 8;

/// Time after which one more may go. The server allows two a second: beside heartbeats each second or rarer there is always
/// room for one each 10 s.
const STEP: Duration = Duration::from_secs(10);

/// Counts messages, in the form of the moment at which nothing counts any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    rested_at: Instant,
}

impl Pace {
    /// Begins with the whole burst.
    #[must_use]
    pub fn begin(now: Instant) -> Self {
        Self { rested_at: now }
    }

    /// How long the next message has to wait; zero when it may go.
    #[must_use]
    pub fn wait(&self, now: Instant) -> Duration {
        self.rested_at.saturating_duration_since(now).saturating_sub(STEP * (BURST - 1))
    }

    /// Counts a message that goes.
    pub fn count(&mut self, now: Instant) {
        self.rested_at = self.rested_at.max(now) + STEP;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_goes_at_once_and_then_one_each_step() {
        let begun = Instant::now();
        let mut pace = Pace::begin(begun);
        for _ in 0..BURST {
            assert_eq!(pace.wait(begun), Duration::ZERO);
            pace.count(begun);
        }
        assert_eq!(pace.wait(begun), STEP);
        assert_eq!(pace.wait(begun + 4 * SECOND), 6 * SECOND);
        assert_eq!(pace.wait(begun + STEP), Duration::ZERO);
        pace.count(begun + STEP);
        assert_eq!(pace.wait(begun + STEP), STEP);
    }

    #[test]
    fn rest_brings_the_burst_back_and_no_more() {
        let begun = Instant::now();
        let mut pace = Pace::begin(begun);
        let later = begun + 3600 * SECOND;
        let at_once = std::iter::from_fn(|| pace.wait(later).is_zero().then(|| pace.count(later))).count();
        assert_eq!(at_once, BURST as usize);
    }
}
