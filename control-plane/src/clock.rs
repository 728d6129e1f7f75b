//! The one place that asks what time it is.
//!
//! What decides about identity (certificates, renewal, allowances, the grace of a rotation) asks a [`Clock`] that the server was started
//! with. The rest asks [`now`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock. Clones are the same one. In a running server it is the machine's; a test moves it on, as years would.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicU64>,
}

impl Clock {
    /// Now, by this clock.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        now() + Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Moves it on. For tests: a server never does.
    pub fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Now, by the machine's clock.
#[must_use]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Milliseconds since the Unix epoch; times before it are 0.
#[must_use]
pub fn to_ms(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0)
}

/// A time from milliseconds since the Unix epoch. Times that a database cannot hold become the nearest that it can.
#[must_use]
pub fn from_ms(ms: i64) -> SystemTime {
    /// End of the year 9999.
    const LATEST_MS: i64 = 253_402_300_799_000;
    UNIX_EPOCH + Duration::from_millis(ms.clamp(0, LATEST_MS).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_moved_on_for_all_who_hold_it() {
        let clock = Clock::default();
        let (held, before) = (clock.clone(), now());
        assert!(held.now().duration_since(before).unwrap() < Duration::from_secs(60), "it is the machine's");
        clock.advance(Duration::from_secs(3600));
        clock.advance(Duration::from_secs(1800));
        let ahead = held.now().duration_since(before).unwrap();
        assert!((5_400..5_460).contains(&ahead.as_secs()), "{ahead:?}");
    }

    #[test]
    fn times_round_trip_and_are_bounded() {
        assert_eq!(to_ms(from_ms(1_800_000_000_123)), 1_800_000_000_123);
        assert_eq!(to_ms(from_ms(-5)), 0);
        assert_eq!(to_ms(from_ms(i64::MAX)), 253_402_300_799_000);
    }
}
