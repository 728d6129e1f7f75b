//! Figures with their units, for people.

/// A share of 0 to 1 as a whole percentage.
pub(crate) fn percent(ratio: f64) -> String {
    format!("{:.0}%", ratio * 100.0)
}

/// A size in the binary unit that keeps it below 1024.
pub(crate) fn bytes(bytes: f64) -> String {
    let mut rest = bytes;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if rest.abs() < 1024.0 {
            break;
        }
        rest /= 1024.0;
        unit = next;
    }
    if unit == "B" || rest.abs() >= 100.0 { format!("{rest:.0} {unit}") } else { format!("{rest:.1} {unit}") }
}

/// A metric's value with the unit that its name ends in.
pub(crate) fn metric(name: &str, value: f64) -> String {
    match name.rsplit('_').next() {
        Some("ratio") => format!("{:.1} %", value * 100.0),
        Some("bytes") => bytes(value),
        Some("celsius") => format!("{value:.1} °C"),
        #[expect(clippy::cast_possible_truncation, reason = "beyond 292 million years it saturates")]
        Some("seconds") => super::time::duration((value.max(0.0) * 1000.0) as i64),
        Some(_) | None if value.fract() == 0.0 => format!("{value:.0}"),
        Some(_) | None => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: f64, expected: &str) {
        assert_eq!(metric(name, value), expected, "{name}");
    }

    #[test]
    fn units_come_from_the_name() {
        check("cpu_busy_ratio", 0.1234, "12.3 %");
        check("memory_total_bytes", 4_294_967_296.0, "4.0 GiB");
        check("network_sent_bytes", 999.0, "999 B");
        check("disk_total_bytes", 250e9, "233 GiB");
        check("temperature_max_celsius", 41.25, "41.2 °C");
        check("uptime_seconds", 93_784.0, "1d2h");
        check("load_1m_count", 0.5, "0.50");
        check("spool_pending_count", 3.0, "3");
        check("metric_99", 2.5, "2.50");
    }
}
