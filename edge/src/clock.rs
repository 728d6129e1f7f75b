//! The box's clock, in the unit of the wire.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// A clock. Clones are the same one. On a box it is the machine's; a test moves it on, as years would.
#[derive(Debug, Clone)]
pub struct Clock {
    ahead_ms: Arc<watch::Sender<i64>>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { ahead_ms: Arc::new(watch::Sender::new(0)) }
    }
}

impl Clock {
    /// Milliseconds since the Unix epoch by this clock. One set before 1970 gives 0.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        now_ms().saturating_add(*self.ahead_ms.borrow())
    }

    /// Moves it on. For tests: an agent never does.
    pub fn advance(&self, by: Duration) {
        let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.ahead_ms.send_modify(|ahead_ms| *ahead_ms = ahead_ms.saturating_add(by_ms));
    }

    /// Sets it back, as a dead battery does. For tests: an agent never does.
    pub fn set_back(&self, by: Duration) {
        let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.ahead_ms.send_modify(|ahead_ms| *ahead_ms = ahead_ms.saturating_sub(by_ms));
    }

    /// How far it was moved on so far, milliseconds.
    #[must_use]
    pub fn moved_ms(&self) -> i64 {
        *self.ahead_ms.borrow()
    }

    /// Changes whenever the clock was moved on: what waits for a time looks again.
    #[must_use]
    pub fn moves(&self) -> watch::Receiver<i64> {
        self.ahead_ms.subscribe()
    }
}

/// Milliseconds since the Unix epoch by the machine's clock. One set before 1970 gives 0.
#[must_use]
pub fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_moved_on_for_all_who_hold_it() {
        let clock = Clock::default();
        let (held, mut moves, before) = (clock.clone(), clock.moves(), now_ms());
        assert!(held.now_ms() - before < 60_000, "it is the machine's");
        assert!(!moves.has_changed().unwrap());
        clock.advance(Duration::from_secs(3_600));
        assert!(moves.has_changed().unwrap());
        let ahead = held.now_ms() - before;
        assert!((3_600_000..3_660_000).contains(&ahead), "{ahead}");
        moves.mark_unchanged();
        assert!(!moves.has_changed().unwrap());
    }
}
