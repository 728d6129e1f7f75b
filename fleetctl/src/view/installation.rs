//! Homes and their people.

use super::{some_text, word};
use crate::output::listed::{Listed, Moment};
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;

/// A home as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Installation {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) time_zone: Option<String>,
}

/// A home that something is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct HomeReference {
    pub(crate) id: String,
    /// Null where it is not told.
    pub(crate) name: Option<String>,
}

impl HomeReference {
    /// Its name, or else its id.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

/// A home that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DeletedInstallation {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) deleted: bool,
}

/// Somebody with a role in a home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Person {
    pub(crate) account_id: String,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) joined_at: Option<Time>,
}

impl From<proto::HomePerson> for Person {
    fn from(person: proto::HomePerson) -> Self {
        Self {
            account_id: person.account_id,
            email: person.email,
            name: person.name,
            role: word::home_role(person.role),
            joined_at: Time::from_ms(person.joined_at_ms),
        }
    }
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

impl Listed for Person {
    const NOUN: &'static str = "person";
    const PLURAL: &'static str = "people";
    const COLUMNS: &'static [Column] = &[
        Column::new("EMAIL"),
        Column::new("ROLE"),
        Column::new("JOINED"),
        Column::new("ID").wide(),
        Column::new("NAME").elastic(),
    ];

    fn reference(&self) -> &str {
        &self.email
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        vec![
            Cell::new(&self.email),
            Cell::new(self.role),
            moment.cell(self.joined_at),
            Cell::new(&self.account_id),
            Cell::new(&self.name),
        ]
    }
}
