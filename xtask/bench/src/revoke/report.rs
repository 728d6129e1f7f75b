//! The figures, for people and for programs.

use crate::latency::Latency;
use anyhow::ensure;
use serde::Serialize;
use std::io::Write as _;

/// The goal: below a second for ninety-nine of a hundred.
const GOAL_MS: f64 = 1000.0;

/// What came out.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) devices: usize,
    pub(super) cut: Latency,
    pub(super) answer: Latency,
    pub(super) bare_notify: Latency,
    pub(super) bare_change_and_notify: Latency,
}

/// The JSON object. A ratio is ours over that of Postgres alone.
#[derive(Debug, Serialize)]
struct Document {
    devices: usize,
    revocations: usize,
    cut: Latency,
    answer: Latency,
    bare_notify: Latency,
    bare_change_and_notify: Latency,
    p50_ratio_to_bare_notify: f64,
    p50_ratio_to_bare_change_and_notify: f64,
    is_goal_met: bool,
}

impl Report {
    fn document(&self) -> Document {
        Document {
            devices: self.devices,
            revocations: self.cut.count,
            cut: self.cut,
            answer: self.answer,
            bare_notify: self.bare_notify,
            bare_change_and_notify: self.bare_change_and_notify,
            p50_ratio_to_bare_notify: self.cut.p50_ms / self.bare_notify.p50_ms,
            p50_ratio_to_bare_change_and_notify: self.cut.p50_ms / self.bare_change_and_notify.p50_ms,
            is_goal_met: self.cut.p99_ms < GOAL_MS,
        }
    }

    /// Writes to standard output.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        let document = self.document();
        let text = if json { serde_json::to_string(&document)? } else { self.table(&document) };
        writeln!(std::io::stdout().lock(), "{text}")?;
        Ok(())
    }

    /// An error when the goal is missed.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let p99_ms = self.cut.p99_ms;
        ensure!(p99_ms < GOAL_MS, "the goal is missed: p99 is {p99_ms:.2} ms and shall be below {GOAL_MS} ms");
        Ok(())
    }

    fn table(&self, document: &Document) -> String {
        let mut lines =
            vec![format!("{:<44}{:>9}{:>9}{:>9}{:>16}", "milliseconds", "p50", "p99", "longest", "ours/it (p50)")];
        for (what, latency, ratio) in [
            ("revoked at one replica, cut at the other", self.cut, None),
            ("answer to the revocation", self.answer, None),
            ("Postgres alone: NOTIFY, heard", self.bare_notify, Some(document.p50_ratio_to_bare_notify)),
            (
                "Postgres alone: row on disk, NOTIFY, heard",
                self.bare_change_and_notify,
                Some(document.p50_ratio_to_bare_change_and_notify),
            ),
        ] {
            let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.1}"));
            let Latency { p50_ms, p99_ms, max_ms, .. } = latency;
            lines.push(format!("{what:<44}{p50_ms:>9.2}{p99_ms:>9.2}{max_ms:>9.2}{ratio:>16}"));
        }
        let goal = if document.is_goal_met { "met" } else { "missed" };
        lines.push(format!(
            "{} devices online, half at each replica; {} revoked one after another; goal of 1 s at p99: {goal}",
            self.devices, document.revocations
        ));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_goal_is_about_the_slowest_hundredth() {
        let latency = |p50_ms, p99_ms| Latency { count: 200, p50_ms, p99_ms, max_ms: 2000.0 };
        let report = |p99_ms| Report {
            devices: 2_000,
            cut: latency(10.0, p99_ms),
            answer: latency(9.0, 20.0),
            bare_notify: latency(0.5, 1.0),
            bare_change_and_notify: latency(2.0, 4.0),
        };
        let document = report(999.0).document();
        assert!(document.is_goal_met);
        assert_eq!((document.p50_ratio_to_bare_notify, document.p50_ratio_to_bare_change_and_notify), (20.0, 5.0));
        assert!(report(999.0).check().is_ok());
        assert!(!report(1000.0).document().is_goal_met);
        let missed = report(1000.0).check().unwrap_err().to_string();
        assert_eq!(missed, "the goal is missed: p99 is 1000.00 ms and shall be below 1000 ms");
        assert!(report(1500.0).table(&report(1500.0).document()).contains("missed"));
    }
}
