//! The one place that asks what time it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    fn times_round_trip_and_are_bounded() {
        assert_eq!(to_ms(from_ms(1_800_000_000_123)), 1_800_000_000_123);
        assert_eq!(to_ms(from_ms(-5)), 0);
        assert_eq!(to_ms(from_ms(i64::MAX)), 253_402_300_799_000);
    }
}
