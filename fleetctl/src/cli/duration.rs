//! Lengths of time as people type them: `500ms`, `90s`, `30m`, `24h`, `7d`.

use std::time::Duration;

/// Reads a length of time; a bare number counts seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| problem())?;
    let milliseconds = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "y" => 365 * 86_400_000,
        _ => return Err(problem()),
    };
    number.checked_mul(milliseconds).filter(|ms| *ms > 0).map(Duration::from_millis).ok_or_else(problem)
}

fn problem() -> String {
    "expected a number above 0 with ms, s, m, h, d or y, for example 24h".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(parse(text).ok(), expected.map(Duration::from_millis), "{text:?}");
    }

    #[test]
    fn lengths_of_time_are_read() {
        check("500ms", Some(500));
        check("90", Some(90_000));
        check("90s", Some(90_000));
        check("30m", Some(1_800_000));
        check("24h", Some(86_400_000));
        check("7d", Some(604_800_000));
        check("1y", Some(31_536_000_000));
        for text in ["", "s", "0s", "-1s", "1.5h", "1w", "99999999999999999999d", "18446744073709551615d"] {
            check(text, None);
        }
    }
}
