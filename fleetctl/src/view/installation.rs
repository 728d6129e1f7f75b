//! A home.

use super::some_text;
use crate::output::listed::{Listed, Moment};
use crate::output::table::{Cell, Column};
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;

/// A home as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Installation {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) time_zone: Option<String>,
}

impl From<proto::Installation> for Installation {
    fn from(installation: proto::Installation) -> Self {
        Self { id: installation.id, name: installation.name, time_zone: some_text(installation.time_zone) }
    }
}

impl Listed for Installation {
    const NOUN: &'static str = "installation";
    const PLURAL: &'static str = "installations";
    const COLUMNS: &'static [Column] = &[Column::new("NAME").elastic(), Column::new("TIME-ZONE"), Column::new("ID")];

    fn reference(&self) -> &str {
        &self.name
    }

    fn row(&self, _moment: Moment) -> Vec<Cell> {
        vec![Cell::new(&self.name), Cell::optional(self.time_zone.as_ref()), Cell::new(&self.id)]
    }
}
