//! Figures and times as text. A narrow no-break space stands before each unit.

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A length of time, rounded down to one unit, for example "12 s" or "3 days".
#[must_use]
pub fn duration(milliseconds: i64) -> String {
    let milliseconds = milliseconds.max(0);
    match milliseconds {
        0..MINUTE_MS => format!("{}\u{202f}s", milliseconds / SECOND_MS),
        MINUTE_MS..HOUR_MS => format!("{}\u{202f}min", milliseconds / MINUTE_MS),
        HOUR_MS..DAY_MS => format!("{}\u{202f}h", milliseconds / HOUR_MS),
        _ => {
            let days = milliseconds / DAY_MS;
            format!("{days}\u{202f}day{}", if days == 1 { "" } else { "s" })
        }
    }
}

/// How long ago something was, for example "3 min ago". The last two seconds are "just now", so that it does not twitch.
#[must_use]
pub fn ago(then_ms: i64, now_ms: i64) -> String {
    let passed = now_ms - then_ms;
    if passed < 2 * SECOND_MS { "just now".to_owned() } else { format!("{} ago", duration(passed)) }
}

/// How long until something, for example "in 27 days"; "3 days ago" when it has passed. Rounded to the nearest unit, so that what was
/// just given four hours ends "in 4 h".
#[must_use]
pub fn until(then_ms: i64, now_ms: i64) -> String {
    let left = then_ms - now_ms;
    let unit = match left {
        ..=0 => return ago(then_ms, now_ms),
        1..MINUTE_MS => 0,
        MINUTE_MS..HOUR_MS => MINUTE_MS,
        HOUR_MS..DAY_MS => HOUR_MS,
        DAY_MS.. => DAY_MS,
    };
    format!("in {}", duration(left + unit / 2))
}

/// A text as its pieces: whether each stands between backticks, and what it is. A backtick without a second one is left as it is.
#[must_use]
pub fn spans(text: &str) -> Vec<(bool, &str)> {
    let mut spans = Vec::new();
    let mut rest = text;
    while let Some((before, command, after)) = rest.split_once('`').and_then(|(before, from)| {
        let (command, after) = from.split_once('`')?;
        Some((before, command, after))
    }) {
        spans.extend([(false, before), (true, command)]);
        rest = after;
    }
    spans.push((false, rest));
    spans.retain(|(_, span)| !span.is_empty());
    spans
}

/// A share as whole percent, for example "37 %".
#[must_use]
pub fn percent(ratio: f64) -> String {
    format!("{:.0}\u{202f}%", ratio * 100.0)
}

/// Bytes in powers of ten, as disks are sold, with two or three figures.
#[must_use]
pub fn bytes(count: f64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count.max(0.0);
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if value < 9.95 && unit != "B" { format!("{value:.1}\u{202f}{unit}") } else { format!("{value:.0}\u{202f}{unit}") }
}

/// A temperature, for example "52 °C".
#[must_use]
pub fn celsius(value: f64) -> String {
    format!("{value:.0}\u{202f}°C")
}

/// "1 box" or "6 boxes".
#[must_use]
pub fn boxes(count: u32) -> String {
    if count == 1 { "1 box".to_owned() } else { format!("{count} boxes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_words() {
        let check = |text: &str, expected: &[(bool, &str)]| assert_eq!(spans(text), expected, "{text:?}");
        check("Nothing.", &[(false, "Nothing.")]);
        check("Run `a b`; then `c`.", &[(false, "Run "), (true, "a b"), (false, "; then "), (true, "c"), (false, ".")]);
        check("`a`", &[(true, "a")]);
        check("a ` b", &[(false, "a ` b")]);
        check("", &[]);
    }

    fn plain(text: &str) -> String {
        text.replace('\u{202f}', " ")
    }

    #[test]
    fn times_have_one_unit() {
        let check = |passed: i64, expected: &str| assert_eq!(plain(&ago(0, passed)), expected);
        check(-5_000, "just now");
        check(1_999, "just now");
        check(12_400, "12 s ago");
        check(59_999, "59 s ago");
        check(60_000, "1 min ago");
        check(7_200_000, "2 h ago");
        check(DAY_MS, "1 day ago");
        check(40 * DAY_MS, "40 days ago");
        assert_eq!(plain(&until(27 * DAY_MS + 5, 0)), "in 27 days");
        assert_eq!(plain(&until(0, DAY_MS)), "1 day ago");
        let left = |left: i64, expected: &str| assert_eq!(plain(&until(left, 0)), expected);
        left(4 * HOUR_MS - 1, "in 4 h");
        left(3 * HOUR_MS + 29 * MINUTE_MS, "in 3 h");
        left(HOUR_MS - 1, "in 1 h");
        left(90_000, "in 2 min");
        left(59_999, "in 59 s");
    }

    #[test]
    fn bytes_keep_two_or_three_figures() {
        let check = |count: f64, expected: &str| assert_eq!(plain(&bytes(count)), expected);
        check(0.0, "0 B");
        check(999.0, "999 B");
        check(1_000.0, "1.0 kB");
        check(9_960.0, "10 kB");
        check(64e9, "64 GB");
        check(1.234e12, "1.2 TB");
        check(-4.0, "0 B");
    }
}
