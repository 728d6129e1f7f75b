//! How often to ask whether a person has decided: RFC 8628, section 3.5.

use std::time::Duration;

/// What the standard says where a server says nothing, and by how much a server's "slow_down" lengthens the wait.
const STEP_SECONDS: u32 = 5;
/// Longest wait between two questions. A server that asks for more is a broken one, and a person is waiting.
const LONGEST_SECONDS: u32 = 60;

/// The wait before each question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    seconds: u32,
}

impl Pace {
    /// As the server says at the beginning; 0 where it does not.
    pub(super) fn new(seconds: u32) -> Self {
        let seconds = if seconds == 0 { STEP_SECONDS } else { seconds };
        Self { seconds: seconds.min(LONGEST_SECONDS) }
    }

    /// Asked too soon: at least five seconds more from now on, or as long as the server says.
    pub(super) fn slow_down(&mut self, server_seconds: u32) {
        self.seconds = self.seconds.saturating_add(STEP_SECONDS).max(server_seconds).min(LONGEST_SECONDS);
    }

    /// Nobody has decided: as before, or as long as the server says.
    pub(super) fn pending(&mut self, server_seconds: u32) {
        self.seconds = self.seconds.max(server_seconds).min(LONGEST_SECONDS);
    }

    /// No answer at all: twice as long, for the server may have too much to do.
    pub(super) fn unanswered(&mut self) {
        self.seconds = self.seconds.saturating_mul(2).min(LONGEST_SECONDS);
    }

    /// How long to wait, where a second lasts so long.
    pub(super) fn wait(self, second: Duration) -> Duration {
        second.saturating_mul(self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(first: u32, then: impl FnOnce(&mut Pace)) -> u32 {
        let mut pace = Pace::new(first);
        then(&mut pace);
        pace.seconds
    }

    #[test]
    fn the_server_sets_the_pace_and_never_makes_it_faster() {
        assert_eq!(after(0, |_| ()), 5);
        assert_eq!(after(7, |_| ()), 7);
        assert_eq!(after(3600, |_| ()), 60);
        assert_eq!(after(5, |pace| pace.pending(8)), 8);
        assert_eq!(after(5, |pace| pace.pending(0)), 5);
        assert_eq!(after(5, |pace| pace.slow_down(0)), 10);
        assert_eq!(after(5, |pace| pace.slow_down(10)), 10);
        assert_eq!(after(5, |pace| pace.slow_down(20)), 20);
        assert_eq!(after(5, Pace::unanswered), 10);
        assert_eq!(after(50, Pace::unanswered), 60);
        assert_eq!(Pace::new(5).wait(Duration::from_millis(1)), Duration::from_millis(5));
    }
}
