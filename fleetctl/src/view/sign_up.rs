//! People who asked for an account.

use super::some_text;
use crate::output::listed::{Listed, Moment};
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;

/// Somebody who waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SignUp {
    pub(crate) id: String,
    /// Nobody has confirmed it.
    pub(crate) email: String,
    /// The person's own words.
    pub(crate) name: String,
    pub(crate) source_address: Option<String>,
    pub(crate) created_at: Option<Time>,
    pub(crate) expires_at: Option<Time>,
}

/// The account of somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ApprovedSignUp {
    pub(crate) id: String,
    pub(crate) account_id: String,
    pub(crate) email: String,
}

/// Somebody who was turned away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DeniedSignUp {
    pub(crate) id: String,
    pub(crate) denied: bool,
}

impl From<proto::SignUpEntry> for SignUp {
    fn from(entry: proto::SignUpEntry) -> Self {
        Self {
            id: entry.id,
            email: entry.email,
            name: entry.name,
            source_address: some_text(entry.source_address),
            created_at: Time::from_ms(entry.created_at_ms),
            expires_at: Time::from_ms(entry.expires_at_ms),
        }
    }
}

impl Listed for SignUp {
    const NOUN: &'static str = "sign-up";
    const PLURAL: &'static str = "sign-ups";
    const COLUMNS: &'static [Column] = &[
        Column::new("ID"),
        Column::new("EMAIL"),
        Column::new("ASKED"),
        Column::new("EXPIRES").wide(),
        Column::new("FROM").wide(),
        Column::new("NAME (THEIR WORDS)").elastic(),
    ];

    fn reference(&self) -> &str {
        &self.id
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        vec![
            Cell::new(&self.id),
            Cell::new(&self.email),
            moment.cell(self.created_at),
            moment.cell(self.expires_at),
            Cell::optional(self.source_address.as_ref()),
            Cell::new(&self.name),
        ]
    }
}
