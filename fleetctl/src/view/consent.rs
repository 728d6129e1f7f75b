//! Support's way into a home.

use super::{some_text, word};
use crate::output::listed::{Listed, Moment};
use crate::output::style::Tone;
use crate::output::table::{Cell, Column};
use crate::output::time::{Time, duration};
use crate::view::installation::HomeReference;
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;

/// A consent as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Consent {
    pub(crate) id: String,
    pub(crate) installation: HomeReference,
    pub(crate) state: &'static str,
    pub(crate) asked_by: String,
    pub(crate) asked_by_name: Option<String>,
    /// The words of whoever asks.
    pub(crate) reason: String,
    /// From the yes on.
    pub(crate) duration_seconds: u32,
    pub(crate) asked_at: Option<Time>,
    pub(crate) decided_at: Option<Time>,
    pub(crate) decided_by: Option<String>,
    /// Until when somebody can decide, or until when it holds, or since when it is over.
    pub(crate) until: Option<Time>,
}

impl Consent {
    /// For how long, for people.
    pub(crate) fn length(&self) -> String {
        duration(i64::from(self.duration_seconds) * 1_000)
    }
}

impl From<proto::Consent> for Consent {
    fn from(consent: proto::Consent) -> Self {
        Self {
            id: consent.id,
            installation: HomeReference { id: consent.installation_id, name: some_text(consent.installation_name) },
            state: word::consent_state(consent.state),
            asked_by: consent.asked_by,
            asked_by_name: some_text(consent.asked_by_name),
            reason: consent.reason,
            duration_seconds: consent.duration_seconds,
            asked_at: Time::from_ms(consent.asked_at_ms),
            decided_at: Time::from_ms(consent.decided_at_ms),
            decided_by: some_text(consent.decided_by),
            until: Time::from_ms(consent.until_ms),
        }
    }
}

impl Listed for Consent {
    const NOUN: &'static str = "access";
    const PLURAL: &'static str = "accesses";
    const COLUMNS: &'static [Column] = &[
        Column::new("ID"),
        Column::new("STATE"),
        Column::new("HOME"),
        Column::new("WHO"),
        Column::new("FOR").right(),
        Column::new("UNTIL"),
        Column::new("ASKED").wide(),
        Column::new("DECIDED").wide(),
        Column::new("BY").wide(),
        Column::new("REASON").elastic(),
    ];

    fn reference(&self) -> &str {
        &self.id
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        let tone = match self.state {
            "granted" => Tone::Good,
            "waiting" => Tone::Warning,
            "denied" => Tone::Bad,
            _ => Tone::Faint,
        };
        vec![
            Cell::new(&self.id),
            Cell::toned(self.state, tone),
            Cell::new(self.installation.label()),
            Cell::new(&self.asked_by),
            Cell::new(self.length()),
            moment.cell(self.until),
            moment.cell(self.asked_at),
            moment.cell(self.decided_at),
            Cell::optional(self.decided_by.as_ref()),
            Cell::new(&self.reason),
        ]
    }
}
