//! The figures, for people and for programs.

use crate::latency::Latency;
use anyhow::ensure;
use serde::Serialize;
use std::io::Write as _;

/// The goals: an entry is sealed within a second, and a change does not wait for another.
const SEALED_MS: f64 = 1_000.0;
const CHANGE_MS: f64 = 50.0;

/// What came out.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) rate: u32,
    pub(super) answers: Latency,
    pub(super) unsealed: Latency,
    pub(super) row: Latency,
    pub(super) inline: Latency,
}

/// The JSON object. A ratio is ours over that of the chain made inline.
#[derive(Debug, Serialize)]
struct Document {
    rate: u32,
    rpc: Latency,
    oldest_unsealed: Latency,
    sql_with_row: Latency,
    sql_with_inline_chain: Latency,
    p50_ratio_to_inline: f64,
    p99_ratio_to_inline: f64,
    is_goal_met: bool,
}

impl Report {
    fn document(&self) -> Document {
        Document {
            rate: self.rate,
            rpc: self.answers,
            oldest_unsealed: self.unsealed,
            sql_with_row: self.row,
            sql_with_inline_chain: self.inline,
            p50_ratio_to_inline: self.row.p50_ms / self.inline.p50_ms,
            p99_ratio_to_inline: self.row.p99_ms / self.inline.p99_ms,
            is_goal_met: self.unsealed.p99_ms < SEALED_MS && self.answers.p99_ms < CHANGE_MS,
        }
    }

    /// Writes to standard output.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        let document = self.document();
        let text = if json { serde_json::to_string(&document)? } else { self.table(&document) };
        writeln!(std::io::stdout().lock(), "{text}")?;
        Ok(())
    }

    /// An error when a goal is missed.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let (sealed, change) = (self.unsealed.p99_ms, self.answers.p99_ms);
        ensure!(sealed < SEALED_MS, "p99 until an entry is sealed is {sealed:.1} ms and shall be below {SEALED_MS} ms");
        ensure!(change < CHANGE_MS, "p99 of a change is {change:.1} ms and shall be below {CHANGE_MS} ms");
        Ok(())
    }

    fn table(&self, document: &Document) -> String {
        let heading = format!("{} changes a second, ms", self.rate);
        let mut lines = vec![format!("{heading:<52}{:>9}{:>9}{:>10}", "p50", "p99", "longest")];
        for (what, latency) in [
            ("a change by RPC, to its answer", self.answers),
            ("age of the oldest entry that is not sealed", self.unsealed),
            ("the same change by SQL, with its audit row", self.row),
            ("by SQL, with a chain made inline", self.inline),
        ] {
            let Latency { p50_ms, p99_ms, max_ms, count: _ } = latency;
            lines.push(format!("{what:<52}{p50_ms:>9.1}{p99_ms:>9.1}{max_ms:>10.1}"));
        }
        lines.push(format!(
            "with its row over inline: p50 {:.2}, p99 {:.2}",
            document.p50_ratio_to_inline, document.p99_ratio_to_inline
        ));
        lines.join("\n")
    }
}
