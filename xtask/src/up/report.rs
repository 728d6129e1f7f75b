//! How a fleet is doing, in a file that its supervisor writes and everyone else reads.

use crate::up::folder::{StateFolder, write_private};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How far a fleet has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Starting,
    Ready,
    Stopping,
    Stopped,
    Failed,
}

/// How one part is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartReport {
    /// None while it does not run.
    pub(crate) pid: Option<i32>,
    /// How often it was started again after it had ended by itself.
    pub(crate) restarts: u32,
    /// How it last ended by itself.
    pub(crate) last_end: Option<String>,
}

/// How a fleet is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) phase: Phase,
    /// What it is at, or what went wrong, in a sentence.
    pub(crate) says: String,
    pub(crate) parts: BTreeMap<String, PartReport>,
}

impl Report {
    /// Reads the last report; none when there is none that can be read.
    pub(crate) fn read(folder: &StateFolder) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.path("run/report.json")).ok()?).ok()
    }
}

/// Writes reports.
#[derive(Debug)]
pub(crate) struct Reporter {
    folder: StateFolder,
    report: Mutex<Report>,
}

impl Reporter {
    pub(crate) fn new(folder: StateFolder) -> Self {
        let report = Report { phase: Phase::Starting, says: "starting".to_owned(), parts: BTreeMap::new() };
        Self { folder, report: Mutex::new(report) }
    }

    /// Says what the fleet is at.
    pub(crate) fn phase(&self, phase: Phase, says: &str) {
        self.change(|report| {
            report.phase = phase;
            says.clone_into(&mut report.says);
        });
    }

    /// Changes what is known of one part.
    pub(crate) fn part(&self, name: &str, change: impl FnOnce(&mut PartReport)) {
        self.change(|report| change(report.parts.entry(name.to_owned()).or_default()));
    }

    /// How often a part was started again.
    pub(crate) fn restarts(&self, name: &str) -> u32 {
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.parts.get(name).map_or(0, |part| part.restarts)
    }

    fn change(&self, change: impl FnOnce(&mut Report)) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut report);
        let written = serde_json::to_string(&*report)
            .map_err(anyhow::Error::from)
            .and_then(|text| write_private(&self.folder.path("run/report.json"), &format!("{text}\n")));
        if let Err(error) = written {
            // A full disk must not end the fleet; only the report is old then.
            crate::talk::progress(&format!("the report could not be written: {error:#}"));
        }
    }
}
