//! When not reaching the control plane becomes worth an event: pure.

/// An outage shorter than this is nothing: a router restarts, a server is updated. Milliseconds.
const WORTH_AN_EVENT_MS: i64 = 60_000;

/// Follows whether the control plane is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    since_ms: Option<i64>,
    is_told: bool,
}

/// An outage that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedOutage {
    /// When it began. Milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// Whether its beginning was told. It was not when the box waited for its next try as it became worth an event.
    pub was_told: bool,
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

    /// A session began. Gives the outage that this ends, if it was worth an event.
    pub fn ended(&mut self, now_ms: i64) -> Option<EndedOutage> {
        let since_ms = self.since_ms.take()?;
        let was_told = std::mem::take(&mut self.is_told);
        let is_worth_it = was_told || now_ms.saturating_sub(since_ms) >= WORTH_AN_EVENT_MS;
        is_worth_it.then_some(EndedOutage { since_ms, was_told })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_outages_are_told_once_and_then_their_end() {
        let mut outage = Outage::begin(0);
        assert_eq!(outage.failed(1_000), None);
        assert_eq!(outage.ended(2_000), None);
        assert_eq!(outage.failed(100_000), None);
        assert_eq!(outage.failed(159_999), None);
        assert_eq!(outage.failed(160_000), Some(100_000));
        assert_eq!(outage.failed(300_000), None);
        assert_eq!(outage.ended(301_000), Some(EndedOutage { since_ms: 100_000, was_told: true }));
        assert_eq!(outage.ended(302_000), None);
        assert_eq!(outage.failed(400_000), None);
        assert_eq!(outage.ended(459_999), None);
    }

    #[test]
    fn an_outage_that_became_long_between_two_tries_is_not_lost() {
        let mut outage = Outage::begin(0);
        assert_eq!(outage.failed(52_000), None);
        assert_eq!(outage.ended(80_000), Some(EndedOutage { since_ms: 0, was_told: false }));
    }
}
