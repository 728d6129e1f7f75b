//! The figures, for people and for programs.

use super::honest::Observed;
use super::source::{Counts, Kind};
use crate::latency::Latency;
use anyhow::ensure;
use serde::Serialize;
use std::io::Write as _;

/// The goals: the slowest hundredth of each thing waits at most a quarter longer with the flood, and nothing fails with it or without it.
const P99_RATIO_MAX: f64 = 1.25;
const FAILED_MAX: usize = 0;

/// One thing that honest boxes do, without and with the flood.
#[derive(Debug, Clone, Copy, Serialize)]
struct Compared {
    calm: Latency,
    flooded: Latency,
    /// With over without: 1 is unharmed.
    p50_ratio: f64,
    p99_ratio: f64,
}

/// What came out; also the JSON object.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    devices: usize,
    of: Kind,
    asked_per_minute: u32,
    /// Those a minute that were really begun.
    per_minute: f64,
    report: Compared,
    connect: Compared,
    enroll: Compared,
    /// Of the honest boxes, what did not come to its end.
    failed_calm: usize,
    failed_flooded: usize,
    flood: Counts,
}

impl Compared {
    fn of(calm: Vec<std::time::Duration>, flooded: Vec<std::time::Duration>) -> anyhow::Result<Self> {
        let (calm, flooded) = (Latency::of(calm)?, Latency::of(flooded)?);
        let (p50_ratio, p99_ratio) = (flooded.p50_ms / calm.p50_ms, flooded.p99_ms / calm.p99_ms);
        Ok(Self { calm, flooded, p50_ratio, p99_ratio })
    }
}

impl Report {
    pub(super) fn new(
        devices: usize,
        (of, asked_per_minute): (Kind, u32),
        calm: Observed,
        flooded: Observed,
        flood: Counts,
    ) -> anyhow::Result<Self> {
        for words in calm.failed.iter().chain(&flooded.failed).take(5) {
            crate::progress::say(&format!("failed: {words}"));
        }
        let (sent, over_ms) = (u32::try_from(flood.sent)?, u32::try_from(flood.over_ms)?);
        Ok(Self {
            devices,
            of,
            asked_per_minute,
            per_minute: f64::from(sent) / f64::from(over_ms) * 60_000.0,
            report: Compared::of(calm.report, flooded.report)?,
            connect: Compared::of(calm.connect, flooded.connect)?,
            enroll: Compared::of(calm.enroll, flooded.enroll)?,
            failed_calm: calm.failed.len(),
            failed_flooded: flooded.failed.len(),
            flood,
        })
    }

    /// Writes to standard output.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        let text = if json { serde_json::to_string(self)? } else { self.table() };
        writeln!(std::io::stdout().lock(), "{text}")?;
        Ok(())
    }

    /// An error that says which goals are missed.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let mut missed: Vec<String> = self
            .compared()
            .into_iter()
            .filter(|(_, compared)| compared.p99_ratio > P99_RATIO_MAX)
            .map(|(what, Compared { p99_ratio, .. })| {
                format!("{what}: the p99 ratio is {p99_ratio:.2} and shall be at most {P99_RATIO_MAX}")
            })
            .collect();
        let failed = self.failed_calm + self.failed_flooded;
        if failed > FAILED_MAX {
            missed.push(format!("honest boxes that failed: {failed}, and at most {FAILED_MAX} shall"));
        }
        ensure!(missed.is_empty(), "goals are missed: {}", missed.join("; "));
        Ok(())
    }

    /// All that honest boxes do, in words.
    fn compared(&self) -> [(&'static str, Compared); 3] {
        [
            ("a sample until it is stored", self.report),
            ("a known box until its welcome", self.connect),
            ("a new box until its certificate", self.enroll),
        ]
    }

    fn table(&self) -> String {
        let mut lines = vec![format!(
            "{:<32}{:>10}{:>10}{:>12}{:>12}{:>10}{:>10}",
            "milliseconds", "calm p50", "calm p99", "flooded p50", "flooded p99", "p50 ratio", "p99 ratio"
        )];
        for (what, Compared { calm, flooded, p50_ratio, p99_ratio }) in self.compared() {
            lines.push(format!(
                "{what:<32}{:>10.1}{:>10.1}{:>12.1}{:>12.1}{p50_ratio:>10.2}{p99_ratio:>10.2}",
                calm.p50_ms, calm.p99_ms, flooded.p50_ms, flooded.p99_ms
            ));
        }
        let flood = &self.flood;
        lines.push(format!(
            "{} devices online; {:.0} bogus {} a minute: {} answered, {} put off, {} closed, {} held back",
            self.devices,
            self.per_minute,
            self.of.word(),
            flood.answered,
            flood.put_off,
            flood.closed,
            flood.held_back
        ));
        lines.push(format!(
            "honest boxes that failed: {} without the flood, {} with it",
            self.failed_calm, self.failed_flooded
        ));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn observed(ms: u64) -> Observed {
        let times = || vec![Duration::from_millis(ms); 3];
        Observed { report: times(), connect: times(), enroll: times(), failed: Vec::new() }
    }

    #[test]
    fn ratios_are_with_the_flood_over_without() {
        let flood = Counts { sent: 5_000, over_ms: 30_000, put_off: 4_000, ..Counts::default() };
        let mut flooded = observed(30);
        flooded.failed.push("Connect: refused".to_owned());
        let report = Report::new(1_000, (Kind::Enrollments, 10_000), observed(20), flooded, flood).unwrap();
        assert_eq!((report.per_minute, report.connect.p50_ratio, report.failed_flooded), (10_000.0, 1.5, 1));
        let table = report.table();
        assert!(table.contains("1.50") && table.contains("10000 bogus enrolments a minute"), "{table}");
    }

    #[test]
    fn a_quarter_longer_is_borne_and_no_failure_is() {
        let flood = || Counts { sent: 5_000, over_ms: 30_000, ..Counts::default() };
        let report = |flooded| Report::new(1_000, (Kind::SignIns, 10_000), observed(20), flooded, flood()).unwrap();
        assert!(report(observed(25)).check().is_ok());
        let slower = Observed { connect: vec![Duration::from_millis(26); 3], ..observed(20) };
        assert_eq!(
            report(slower).check().unwrap_err().to_string(),
            "goals are missed: a known box until its welcome: the p99 ratio is 1.30 and shall be at most 1.25"
        );
        let failed = Observed { failed: vec!["Connect: refused".to_owned()], ..observed(20) };
        let missed = report(failed).check().unwrap_err().to_string();
        assert_eq!(missed, "goals are missed: honest boxes that failed: 1, and at most 0 shall");
    }
}
