//! The caller.

use super::{some_text, word};
use crate::output::listed::{Listed, Moment};
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;

/// Whom the server takes the caller for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Identity {
    pub(crate) server: String,
    pub(crate) email: Option<String>,
    pub(crate) api_token_name: Option<String>,
    pub(crate) organization: Organization,
    pub(crate) role: &'static str,
    pub(crate) expires_at: Option<Time>,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) name: String,
}

impl Identity {
    /// Takes the server's answer.
    pub(crate) fn new(server: String, identity: proto::Identity) -> Self {
        Self {
            server,
            email: some_text(identity.email),
            api_token_name: some_text(identity.api_token_name),
            organization: Organization { id: identity.organization_id, name: identity.organization_name },
            role: word::role(identity.role),
            expires_at: Time::from_ms(identity.expires_at_ms),
        }
    }
}

impl Listed for Identity {
    const NOUN: &'static str = "identity";
    const PLURAL: &'static str = "identities";
    const COLUMNS: &'static [Column] = &[
        Column::new("WHO"),
        Column::new("ROLE"),
        Column::new("ORGANIZATION"),
        Column::new("EXPIRES"),
        Column::new("SERVER"),
    ];

    fn reference(&self) -> &str {
        self.email.as_deref().or(self.api_token_name.as_deref()).unwrap_or_default()
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        vec![
            Cell::new(self.reference()),
            Cell::new(self.role),
            Cell::new(&self.organization.name),
            moment.cell(self.expires_at),
            Cell::new(&self.server),
        ]
    }
}
