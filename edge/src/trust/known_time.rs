//! The earliest that it can be now: what a box goes by whose clock has died.

use crate::state_dir::{StateDir, StateDirError};

const FILE: &str = "known-time";
/// When this program was built. Milliseconds since the Unix epoch.
const BUILT_AT_MS: i64 = match i64::from_str_radix(env!("KALIUN_BUILT_AT_SECONDS"), 10) {
    Ok(seconds) => seconds * 1_000,
    Err(_) => panic!("the build script gives a number"),
};
/// A time that is this little later is not worth writing to the disk.
const STEP_MS: i64 = 3_600_000;

/// The last time that the box was told.
///
/// Certificates of servers begin with their authority, so that none of this is needed for a box to find its server; it keeps a box from
/// taking a server's certificate that ran out long ago. A server whose clock was once years ahead must not strand boxes for years, so:
/// - A clock that is later than all the box knows has a say: what the server says counts up to there. A clock that is earlier stands or
///   was reset, and then the server is all there is.
/// - A bundle that is newer than those which the box has, and older than the time it was told, was made after the server's clock was
///   set right: it forgets what it was told. So a rotation brings back boxes that were told nonsense.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct KnownTime {
    /// Milliseconds since the Unix epoch; 0 for none.
    told_ms: i64,
}

impl KnownTime {
    /// Reads it. What cannot be read counts as none.
    pub(super) fn load(state: &StateDir) -> Self {
        let content = state.read_if_possible(FILE);
        let told_ms = content.and_then(|content| String::from_utf8(content).ok()?.trim().parse().ok()).unwrap_or(0);
        Self { told_ms }
    }

    pub(super) fn store(self, state: &StateDir) -> Result<(), StateDirError> {
        if self.told_ms > 0 { state.write(FILE, self.told_ms.to_string().as_bytes()) } else { Self::forget(state) }
    }

    pub(super) fn forget(state: &StateDir) -> Result<(), StateDirError> {
        state.remove(FILE)
    }

    pub(super) fn earliest_ms(self) -> i64 {
        self.told_ms.max(BUILT_AT_MS)
    }

    /// Takes a time that a server said. Answers whether there is something to be stored.
    pub(super) fn note(&mut self, said_ms: i64, clock_ms: i64, earliest_ms: i64) -> bool {
        let told_ms = if clock_ms < earliest_ms { said_ms } else { said_ms.min(clock_ms) };
        let is_later = told_ms >= earliest_ms.saturating_add(STEP_MS);
        if is_later {
            self.told_ms = told_ms;
        }
        is_later
    }

    /// A newer bundle was taken.
    pub(super) fn bundle_taken(&mut self, created_at_ms: i64) {
        if created_at_ms < self.told_ms {
            self.told_ms = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state_dir::Durability;

    const DAY_MS: i64 = 24 * STEP_MS;
    const NOW_MS: i64 = BUILT_AT_MS + 100 * DAY_MS;

    fn told(said_ms: i64, clock_ms: i64) -> i64 {
        let mut known = KnownTime::default();
        known.note(said_ms, clock_ms, known.earliest_ms());
        known.earliest_ms()
    }

    #[test]
    fn a_dead_clock_takes_the_servers_word_and_a_living_one_has_a_say() {
        // 1970, and a clock that stands where the program was not built yet.
        assert_eq!(told(NOW_MS, 5), NOW_MS);
        assert_eq!(told(NOW_MS, BUILT_AT_MS - 1), NOW_MS);
        assert_eq!(told(NOW_MS, NOW_MS + DAY_MS), NOW_MS);
        // The server's clock is ten years ahead.
        assert_eq!(told(NOW_MS + 3_650 * DAY_MS, NOW_MS), NOW_MS);
        // It is behind, or says nothing.
        assert_eq!(told(5, NOW_MS), BUILT_AT_MS);
        assert_eq!(told(0, 0), BUILT_AT_MS);
        assert_eq!(told(i64::MIN, i64::MAX), BUILT_AT_MS);
    }

    #[test]
    fn it_is_kept_and_only_grows_and_little_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
        let mut known = KnownTime::load(&state);
        assert_eq!(known.earliest_ms(), BUILT_AT_MS);
        for (said_ms, is_worth_it) in
            [(NOW_MS, true), (NOW_MS + STEP_MS - 1, false), (NOW_MS - DAY_MS, false), (NOW_MS + STEP_MS, true)]
        {
            assert_eq!(known.note(said_ms, 0, known.earliest_ms()), is_worth_it, "{said_ms}");
        }
        known.store(&state).unwrap();
        assert_eq!(KnownTime::load(&state).earliest_ms(), NOW_MS + STEP_MS);
        state.write(FILE, b"nonsense").unwrap();
        assert_eq!(KnownTime::load(&state).earliest_ms(), BUILT_AT_MS);
        KnownTime::forget(&state).unwrap();
        assert_eq!(KnownTime::load(&state), KnownTime::default());
    }

    #[test]
    fn a_bundle_that_was_made_before_that_time_says_that_it_was_nonsense() {
        let mut known = KnownTime { told_ms: NOW_MS + 3_650 * DAY_MS };
        known.bundle_taken(NOW_MS);
        assert_eq!(known.earliest_ms(), BUILT_AT_MS);
        let mut known = KnownTime { told_ms: NOW_MS - DAY_MS };
        known.bundle_taken(NOW_MS);
        assert_eq!(known.earliest_ms(), NOW_MS - DAY_MS);
    }
}
