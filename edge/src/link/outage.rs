//! When not reaching the control plane becomes worth an event: pure.

/// An outage shorter than this is nothing: a router restarts, a server is updated. Milliseconds.
const WORTH_AN_EVENT_MS: i64 = 60_000;

/// Follows whether the control plane is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    since_ms: Option<i64>,
    is_told: bool,
}

impl Outage {
    /// Begins unreached, for nothing was tried yet.
    #[must_use]
    pub fn begin(now_ms: i64) -> Self {
        Self { since_ms: Some(now_ms), is_told: false }
    }

    /// A session ended or did not come about. Gives since when, if this is the moment to say it.
    pub fn failed(&mut self, now_ms: i64) -> Option<i64> {
        let since = *self.since_ms.get_or_insert(now_ms);
        let is_due = !self.is_told && now_ms.saturating_sub(since) >= WORTH_AN_EVENT_MS;
        self.is_told |= is_due;
        is_due.then_some(since)
    }

    /// A session began. Gives since when there was none, if the outage was told.
    pub fn ended(&mut self) -> Option<i64> {
        let since = self.since_ms.take();
        std::mem::take(&mut self.is_told).then_some(since).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_outages_are_told_once_and_then_their_end() {
        let mut outage = Outage::begin(0);
        assert_eq!(outage.failed(1_000), None);
        assert_eq!(outage.ended(), None);
        assert_eq!(outage.failed(100_000), None);
        assert_eq!(outage.failed(159_999), None);
        assert_eq!(outage.failed(160_000), Some(100_000));
        assert_eq!(outage.failed(300_000), None);
        assert_eq!(outage.ended(), Some(100_000));
        assert_eq!(outage.ended(), None);
        assert_eq!(outage.failed(400_000), None);
    }
}
