//! One thing that is wrong.

use super::event::DeviceReference;
use super::some_text;
use crate::output::listed::Moment;
use crate::output::style::Tone;
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use kaliun_proto::fleet::v1 as proto;
use kaliun_types::reason::ReasonCode;
use serde::Serialize;

/// Reasons of what is about the control plane as a whole.
const DATABASE_OLDER: &str = ReasonCode::DeviceAheadOfDatabase.code();
const FLOOD: &str = ReasonCode::EnrollmentFlood.code();
/// With what the reasons of a rotation begin.
const OF_ROTATION: &str = "rotation.";

/// A finding as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Whose it is: `organization` or `platform`.
    pub(crate) scope: &'static str,
    pub(crate) reason: String,
    pub(crate) since: Option<Time>,
    /// Null for what lasts.
    pub(crate) last_at: Option<Time>,
    /// Null for what is not counted.
    pub(crate) count: Option<u64>,
    pub(crate) device: Option<DeviceReference>,
    pub(crate) source: Option<String>,
    pub(crate) message: String,
    pub(crate) next_step: String,
    pub(crate) remedies: Vec<Remedy>,
}

/// A command that mends it, as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Remedy {
    pub(crate) command: String,
    pub(crate) on_box: bool,
}

impl Finding {
    /// Takes one in.
    pub(crate) fn new(scope: &'static str, finding: proto::Finding) -> Self {
        let remedy = |remedy: proto::Remedy| Remedy { command: remedy.command, on_box: remedy.is_on_box };
        Self {
            scope,
            reason: finding.reason,
            since: Time::from_ms(finding.since_ms),
            last_at: Time::from_ms(finding.last_at_ms),
            count: Some(finding.count).filter(|count| *count > 0),
            device: some_text(finding.device_id).map(|id| DeviceReference { id, name: finding.device_name }),
            source: some_text(finding.source),
            message: finding.message,
            next_step: finding.next_step,
            remedies: finding.remedies.into_iter().map(remedy).collect(),
        }
    }

    /// What it is about, as people and pipes name it.
    pub(crate) fn about(&self) -> String {
        match (&self.device, &self.source) {
            (Some(device), _) if device.name.is_empty() => format!("device/{}", device.id),
            (Some(device), _) => format!("device/{}", device.name),
            (None, Some(source)) => source.clone(),
            (None, None) => self.subject().to_owned(),
        }
    }

    /// What a finding is about that has neither device nor place. A reason that this fleetctl does not know stands for itself.
    fn subject(&self) -> &str {
        match self.reason.as_str() {
            DATABASE_OLDER => "database",
            FLOOD => "enrollments",
            reason if reason.starts_with(OF_ROTATION) => "rotation",
            reason => reason,
        }
    }

    /// The columns of a table of them. What mends it is never cut.
    pub(crate) const COLUMNS: &'static [Column] = &[
        Column::new("SINCE"),
        Column::new("REASON"),
        Column::new("ABOUT"),
        Column::new("LAST").wide(),
        Column::new("COUNT").wide().right(),
        Column::new("MESSAGE").wide(),
        Column::new("MEND"),
    ];

    /// Its line, and one more for each other way to mend it.
    pub(crate) fn rows(&self, moment: Moment, wide: bool) -> Vec<Vec<Cell>> {
        let mends = self.mends();
        let first = mends.first().map_or("", String::as_str);
        let mut line = vec![
            moment.cell(self.since),
            Cell::toned(&self.reason, Tone::Bad),
            Cell::new(self.about()),
            moment.cell(self.last_at),
            Cell::optional(self.count.map(|count| count.to_string())),
            Cell::new(&self.message),
            Cell::new(first),
        ];
        let mut rows = Vec::with_capacity(mends.len());
        let blank = || Self::COLUMNS.iter().map(|_column| Cell::default()).collect::<Vec<_>>();
        rows.push(std::mem::take(&mut line));
        for other in mends.iter().skip(1) {
            let mut row = blank();
            if let Some(last) = row.last_mut() {
                *last = Cell::new(format!("or {other}"));
            }
            rows.push(row);
        }
        for row in &mut rows {
            let mut columns = Self::COLUMNS.iter();
            row.retain(|_cell| columns.next().is_some_and(|column| wide || !column.wide));
        }
        rows
    }

    /// Ways to mend it: commands, or the sentence that says what to do where there is no command.
    fn mends(&self) -> Vec<String> {
        if self.remedies.is_empty() {
            return vec![self.next_step.clone()];
        }
        let words = |remedy: &Remedy| {
            if remedy.on_box { format!("on the box: {}", remedy.command) } else { remedy.command.clone() }
        };
        self.remedies.iter().map(words).collect()
    }
}
