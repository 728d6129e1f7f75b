//! Whether what is on the screen is still true.

use super::format::duration;

/// A server message comes at least every 15 s; after this much silence the line is taken for dead, milliseconds.
pub const SILENCE_MAX_MS: u32 = 20_000;
/// A break shorter than this is not worth a word: a restart of the server, a change of subscriptions. Milliseconds.
const UNNOTICED_MS: i64 = 2_500;

/// How the live stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Nothing on the screen is live.
    #[default]
    Idle,
    /// Opening for the first time.
    Opening,
    /// Messages come.
    Live,
    /// It broke and is being opened again.
    Broken,
}

/// The stream as all tabs know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Liveness {
    /// What it is doing.
    pub phase: Phase,
    /// When the last message came, by this browser's clock. Milliseconds since the Unix epoch; 0 for never.
    pub heard_at_ms: i64,
}

impl Liveness {
    /// The warning as it is read out once, without the seconds that go by.
    #[must_use]
    pub const fn warning_read_out(&self) -> &'static str {
        if self.heard_at_ms == 0 {
            "The server does not answer yet. Trying again."
        } else {
            "No live updates. Reconnecting."
        }
    }

    /// What to say about it; nothing while all is current.
    #[must_use]
    pub fn warning(&self, browser_now_ms: i64) -> Option<String> {
        let silence = browser_now_ms - self.heard_at_ms;
        let broken = match self.phase {
            Phase::Idle => false,
            Phase::Opening | Phase::Broken => silence > UNNOTICED_MS,
            // A leading tab that hangs tells nobody; its silence does.
            Phase::Live => silence > i64::from(SILENCE_MAX_MS) + UNNOTICED_MS,
        };
        if !broken {
            return None;
        }
        Some(if self.heard_at_ms == 0 {
            "The server does not answer yet. Trying again…".to_owned()
        } else {
            format!("No live updates for {}. Reconnecting…", duration(silence))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(phase: Phase, heard_at_ms: i64, now_ms: i64) -> Option<String> {
        Liveness { phase, heard_at_ms }.warning(now_ms).map(|text| text.replace('\u{202f}', " "))
    }

    #[test]
    fn a_break_is_named_after_a_moment() {
        assert_eq!(warning(Phase::Broken, 10_000, 11_000), None);
        assert_eq!(warning(Phase::Broken, 10_000, 22_000).as_deref(), Some("No live updates for 12 s. Reconnecting…"));
        assert_eq!(warning(Phase::Idle, 10_000, 99_000), None);
    }

    #[test]
    fn what_never_began_has_not_stopped() {
        assert_eq!(
            warning(Phase::Opening, 0, 22_000).as_deref(),
            Some("The server does not answer yet. Trying again…")
        );
        let read_out = |heard_at_ms| Liveness { phase: Phase::Opening, heard_at_ms }.warning_read_out();
        assert_eq!(read_out(0), "The server does not answer yet. Trying again.");
        assert_eq!(read_out(10_000), "No live updates. Reconnecting.");
    }

    #[test]
    fn silence_is_a_break_too() {
        assert_eq!(warning(Phase::Live, 10_000, 29_000), None);
        assert!(warning(Phase::Live, 10_000, 40_000).is_some());
    }
}
