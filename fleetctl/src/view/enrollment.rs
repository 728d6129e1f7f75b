//! Boxes that wait for an operator.

use super::device::Facts;
use super::some_text;
use crate::output::listed::{Listed, Moment};
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;

/// A box that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct EnrollmentView {
    pub(crate) id: String,
    /// What it will be called.
    pub(crate) name: Option<String>,
    pub(crate) key_fingerprint: Option<String>,
    pub(crate) source_address: Option<String>,
    pub(crate) asked_at: Option<Time>,
    pub(crate) expires_at: Option<Time>,
    pub(crate) join_token: JoinTokenReference,
    /// The box's own words.
    pub(crate) facts: Option<Facts>,
}

/// The token that a box came with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct JoinTokenReference {
    pub(crate) id: String,
    pub(crate) description: Option<String>,
}

/// What became of a box that was turned away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DeniedEnrollment {
    pub(crate) id: String,
    pub(crate) denied: bool,
}

impl From<proto::Enrollment> for EnrollmentView {
    fn from(waiting: proto::Enrollment) -> Self {
        Self {
            id: waiting.id,
            name: some_text(waiting.name),
            key_fingerprint: some_text(waiting.key_fingerprint),
            source_address: some_text(waiting.source_address),
            asked_at: Time::from_ms(waiting.asked_at_ms),
            expires_at: Time::from_ms(waiting.expires_at_ms),
            join_token: JoinTokenReference {
                id: waiting.join_token_id,
                description: some_text(waiting.join_token_description),
            },
            facts: waiting.facts.map(Facts::from),
        }
    }
}

impl Listed for EnrollmentView {
    const NOUN: &'static str = "enrollment";
    const PLURAL: &'static str = "boxes wait";
    const COLUMNS: &'static [Column] = &[
        Column::new("ID"),
        Column::new("NAME"),
        Column::new("KEY"),
        Column::new("ASKED"),
        Column::new("EXPIRES").wide(),
        Column::new("FROM").wide(),
        Column::new("MODEL (ITS WORDS)").elastic(),
        Column::new("TOKEN").elastic(),
    ];

    fn reference(&self) -> &str {
        &self.id
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        vec![
            Cell::new(&self.id),
            Cell::optional(self.name.as_ref()),
            Cell::optional(self.key_fingerprint.as_ref()),
            moment.cell(self.asked_at),
            moment.cell(self.expires_at),
            Cell::optional(self.source_address.as_ref()),
            Cell::optional(self.facts.as_ref().and_then(|facts| facts.model.as_ref())),
            Cell::optional(self.join_token.description.as_ref()),
        ]
    }
}
