//! Moments as people type them: how long ago (`24h`), or RFC 3339.

use super::duration;

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// So many milliseconds ago.
    Ago(i64),
    /// Milliseconds since the Unix epoch.
    At(i64),
}

impl Moment {
    /// Milliseconds since the Unix epoch; never 0, which stands for none in the contract.
    pub(crate) const fn ms(self, now_ms: i64) -> i64 {
        let ms = match self {
            Self::Ago(ago) => now_ms.saturating_sub(ago),
            Self::At(at) => at,
        };
        if ms < 1 { 1 } else { ms }
    }
}

/// Reads a moment.
pub(crate) fn parse(text: &str) -> Result<Moment, String> {
    if let Ok(ago) = duration::parse(text) {
        return Ok(Moment::Ago(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX)));
    }
    let at = text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond);
    at.map(Moment::At)
        .map_err(|_| "expected how long ago, for example 24h, or a time such as 2026-11-24T18:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(parse(text).ok().map(|moment| moment.ms(10_000_000)), expected, "{text}");
        };
        check("1h", Some(6_400_000));
        check("30", Some(9_970_000));
        check("1y", Some(1));
        check("1970-01-01T00:00:05Z", Some(5_000));
        check("1970-01-01T01:00:05+01:00", Some(5_000));
        check("yesterday", None);
        check("2026-11-24", None);
    }
}
