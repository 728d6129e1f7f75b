//! What came of a verification.

use crate::config::heads::Head;
use crate::output::text::clean;
use crate::output::time::Time;
use data_encoding::HEXLOWER;
use kaliun_types::audit::{Hash, Report};
use kaliun_types::id::OrganizationId;
use serde::Serialize;

/// Digits of a hash or a key's id that people compare.
const SHORT: usize = 16;

/// With what a chain was compared.
pub(crate) struct Compared {
    pub(crate) remembered: Option<Head>,
    /// Files of checkpoints.
    pub(crate) file: usize,
    /// Whether the chain is to be remembered as it is.
    pub(crate) accepted: bool,
}

/// What came of it, as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Verification {
    pub(crate) organization: String,
    pub(crate) good: bool,
    pub(crate) entries: u64,
    /// Null when there is no entry.
    pub(crate) first: Option<u64>,
    pub(crate) last: Option<u64>,
    /// The hash of the last, hexadecimal.
    pub(crate) head: Option<String>,
    pub(crate) checkpoints: u64,
    /// Ids of the keys that sign checkpoints, hexadecimal.
    pub(crate) keys: Vec<String>,
    pub(crate) unsealed: u64,
    pub(crate) unsealed_age_seconds: u64,
    /// What the last verification on this machine saw; null for the first.
    pub(crate) compared_with: Option<ComparedWith>,
    pub(crate) checkpoint_files: usize,
    pub(crate) restored: Vec<Restored>,
    pub(crate) faults: Vec<Fault>,
    /// Faults beyond those that are named.
    pub(crate) more_faults: u64,
    #[serde(skip)]
    accepted: bool,
}

/// The last verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ComparedWith {
    pub(crate) last: u64,
    pub(crate) verified_at: Option<Time>,
}

/// A database that came back from a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Restored {
    pub(crate) entry: u64,
    pub(crate) last: u64,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    /// Null where it is about no entry.
    pub(crate) entry: Option<u64>,
    pub(crate) message: String,
}

impl Verification {
    /// Takes one in.
    pub(crate) fn new(organization: OrganizationId, keys: &[Hash], report: Report, compared: Compared) -> Self {
        let good = report.is_good();
        let number = |number: u64| Some(number).filter(|number| *number > 0);
        let fault = |fault: kaliun_types::audit::Fault| Fault {
            code: fault.kind.code(),
            entry: number(fault.sequence),
            message: fault.to_string(),
        };
        Self {
            organization: organization.to_string(),
            good,
            entries: report.entries,
            first: number(report.first),
            last: number(report.last),
            head: report.head.map(|head| HEXLOWER.encode(&head)),
            checkpoints: report.checkpoints,
            keys: keys.iter().map(|key| HEXLOWER.encode(key)).collect(),
            unsealed: report.unsealed,
            unsealed_age_seconds: report.unsealed_age_seconds,
            compared_with: compared
                .remembered
                .map(|head| ComparedWith { last: head.sequence, verified_at: Time::from_ms(head.verified_at_ms) }),
            checkpoint_files: compared.file,
            restored: report
                .restored
                .iter()
                .map(|restored| Restored { entry: restored.entry, last: restored.last })
                .collect(),
            faults: report.faults.into_iter().map(fault).collect(),
            more_faults: report.more_faults,
            accepted: compared.accepted,
        }
    }

    /// How many things are wrong.
    pub(crate) fn fault_count(&self) -> u64 {
        u64::try_from(self.faults.len()).unwrap_or(u64::MAX).saturating_add(self.more_faults)
    }

    /// Their codes, one for each.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.faults.iter().map(|fault| fault.code)
    }

    /// What people read: first the answer, then why, then a line for each thing that is wrong.
    pub(crate) fn lines(&self, now_ms: i64) -> Vec<String> {
        let mut lines = vec![self.answer()];
        let mut say = |name: &str, text: String| lines.push(format!("{name:<12} {}", clean(&text)));
        if let (Some(last), Some(head)) = (self.last, &self.head) {
            say("Head", format!("entry {last}, {}", cut(head)));
        }
        say("Checkpoints", format!("{} signed, by key {}", self.checkpoints, self.key_words()));
        say(
            "Not sealed",
            match self.unsealed {
                0 => "nothing".to_owned(),
                1 => format!("one entry, {} s old", self.unsealed_age_seconds),
                count => format!("{count} entries, the oldest {} s old", self.unsealed_age_seconds),
            },
        );
        say("Compared", self.compared_words(now_ms));
        for restored in &self.restored {
            let Restored { entry, last } = restored;
            say(
                "Restored",
                format!("the database came back from a backup, which ended with entry {last}: see entry {entry}"),
            );
        }
        lines.extend(self.faults.iter().map(|fault| format!("WRONG        {}", clean(&fault.message))));
        if self.more_faults > 0 {
            lines.push(format!("WRONG        and {} more", self.more_faults));
        }
        lines
    }

    fn answer(&self) -> String {
        let entries = match (self.first, self.last) {
            (Some(first), Some(last)) => format!("{} entries, {first} to {last}", self.entries),
            _ => "no entry yet".to_owned(),
        };
        if self.good {
            format!("The audit holds: {entries}.")
        } else {
            format!("The audit does NOT hold: {entries}; what is wrong is below.")
        }
    }

    fn key_words(&self) -> String {
        if self.keys.is_empty() {
            return "none".to_owned();
        }
        self.keys.iter().map(|key| cut(key)).collect::<Vec<_>>().join(", ")
    }

    fn compared_words(&self, now_ms: i64) -> String {
        let file = match self.checkpoint_files {
            0 => String::new(),
            1 => ", and with a file of checkpoints".to_owned(),
            count => format!(", and with {count} files of checkpoints"),
        };
        let before = match &self.compared_with {
            None if self.good || self.accepted => {
                "with nothing before: this is the first time here, and is remembered".to_owned()
            }
            None => "with nothing before: this is the first time here".to_owned(),
            Some(before) => {
                let age = before.verified_at.map_or_else(|| "-".to_owned(), |at| at.relative(now_ms));
                format!("with entry {} of {age} ago", before.last)
            }
        };
        format!("{before}{file}")
    }
}

fn cut(hex: &str) -> &str {
    hex.get(..SHORT).unwrap_or(hex)
}
