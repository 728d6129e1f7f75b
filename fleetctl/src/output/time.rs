//! Times as people and programs read them.

use serde::{Serialize, Serializer};
use std::fmt;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const YEAR_MS: i64 = 365 * DAY_MS;

/// A moment: milliseconds since the Unix epoch. Prints and serializes as RFC 3339 in UTC, with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(i64);

impl Time {
    /// Takes a moment as the contract carries it: zero means that there is none, and one beyond the calendar is none too.
    pub(crate) fn from_ms(ms: i64) -> Option<Self> {
        (ms != 0 && jiff::Timestamp::from_millisecond(ms).is_ok()).then_some(Self(ms))
    }

    /// How far away it is, for people: `3m` since then, `in 3m` until then.
    pub(crate) fn relative(self, now_ms: i64) -> String {
        let elapsed = now_ms.saturating_sub(self.0);
        if elapsed > -SECOND_MS {
            duration(elapsed.max(0))
        } else {
            format!("in {}", duration(elapsed.saturating_neg()))
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(formatter, "{timestamp:.3}"),
            Err(_) => write!(formatter, "{} ms", self.0),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A length of time in its largest unit, two units where one would be coarse. `elapsed_ms` is not negative.
pub(crate) fn duration(elapsed_ms: i64) -> String {
    let two = |large: i64, large_name: char, small: i64, small_name: char| {
        let rest = (elapsed_ms % large) / small;
        if elapsed_ms / large >= 10 || rest == 0 {
            format!("{}{large_name}", elapsed_ms / large)
        } else {
            format!("{}{large_name}{rest}{small_name}", elapsed_ms / large)
        }
    };
    if elapsed_ms < MINUTE_MS {
        format!("{}s", elapsed_ms / SECOND_MS)
    } else if elapsed_ms < HOUR_MS {
        format!("{}m", elapsed_ms / MINUTE_MS)
    } else if elapsed_ms < DAY_MS {
        two(HOUR_MS, 'h', MINUTE_MS, 'm')
    } else if elapsed_ms < YEAR_MS {
        two(DAY_MS, 'd', HOUR_MS, 'h')
    } else {
        two(YEAR_MS, 'y', DAY_MS, 'd')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(elapsed_ms: i64, expected: &str) {
        let now = 1_800_000_000_000;
        assert_eq!(Time::from_ms(now - elapsed_ms).unwrap().relative(now), expected);
    }

    #[test]
    fn ages_are_short() {
        check(0, "0s");
        check(-500, "0s");
        check(59_999, "59s");
        check(3 * MINUTE_MS + 59_000, "3m");
        check(2 * HOUR_MS + 5 * MINUTE_MS, "2h5m");
        check(14 * HOUR_MS + 5 * MINUTE_MS, "14h");
        check(3 * DAY_MS, "3d");
        check(400 * DAY_MS, "1y35d");
        check(-30 * DAY_MS, "in 30d");
    }

    #[test]
    fn moments_are_rfc_3339_in_utc() {
        assert_eq!(Time::from_ms(1_790_000_000_120).unwrap().to_string(), "2026-09-21T14:13:20.120Z");
        assert_eq!(Time::from_ms(0), None);
        assert_eq!(Time::from_ms(i64::MAX), None);
    }
}
