//! Messages that cost no credit: heartbeats, facts, answers to settings, and what this server does not know. A few at once are
//! right after a reconnect, and one now and then; more is a fault or a flood.

/// At once: a hello's worth of state, and heartbeats that a slow line delivered together.
const BURST: u8 = 32;
/// One more each: the shortest heartbeat interval is twice this.
const REFILL_MS: u64 = 500;

/// A token bucket in ten bytes, for there is one in each session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    left: u8,
    counted_at_ms: u64,
}

impl Allowance {
    /// A full one. Times are by any clock that only goes forward.
    pub(crate) fn new(now_ms: u64) -> Self {
        Self { left: BURST, counted_at_ms: now_ms }
    }

    /// Takes one. Answers false when there is none.
    pub(crate) fn take(&mut self, now_ms: u64) -> bool {
        let earned = now_ms.saturating_sub(self.counted_at_ms) / REFILL_MS;
        self.counted_at_ms += earned * REFILL_MS;
        self.left = u8::try_from(earned).map_or(BURST, |earned| self.left.saturating_add(earned).min(BURST));
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_each_half_second() {
        let mut allowance = Allowance::new(1_000);
        assert!((0..BURST).all(|_| allowance.take(1_000)));
        assert!(!allowance.take(1_499));
        assert!(allowance.take(1_500));
        assert!(!allowance.take(1_999));
        assert!(allowance.take(2_000), "what was left over of the first half second counts");
        // A long silence fills it and no more.
        assert!((0..BURST).all(|_| allowance.take(1_000_000_000)));
        assert!(!allowance.take(1_000_000_000));
    }

    #[test]
    fn heartbeats_at_the_shortest_interval_are_always_allowed() {
        let mut allowance = Allowance::new(0);
        assert!((1..10_000).all(|second| allowance.take(second * 1_000)));
    }
}
