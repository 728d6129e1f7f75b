//! The caller.

use super::{some_text, word};
use crate::output::listed::{Listed, Moment};
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use crate::view::installation::HomeReference;
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;
use std::collections::HashMap;

/// Whom the server takes the caller for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Identity {
    pub(crate) server: String,
    /// Null when flags and environment say who calls.
    pub(crate) context: Option<String>,
    pub(crate) account_id: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) api_token_name: Option<String>,
    /// Null for a person who belongs to none.
    pub(crate) organization: Option<Organization>,
    /// In the whole organization; null for somebody who has to do with single homes only.
    pub(crate) role: Option<&'static str>,
    pub(crate) homes: Vec<Home>,
    /// Whether the organization is the one that runs the server.
    pub(crate) runs_platform: bool,
    pub(crate) expires_at: Option<Time>,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// What the caller is in a home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Home {
    pub(crate) installation: HomeReference,
    pub(crate) role: &'static str,
}

impl Identity {
    /// Takes the server's answer. `homes` are the names of homes by their ids, as far as they are known.
    pub(crate) fn new(
        server: String,
        context: Option<String>,
        identity: proto::Identity,
        homes: &HashMap<String, String>,
    ) -> Self {
        let home = |home: proto::HomeIdentity| Home {
            installation: HomeReference { name: homes.get(&home.installation_id).cloned(), id: home.installation_id },
            role: word::home_role(home.role),
        };
        Self {
            server,
            context,
            account_id: some_text(identity.account_id),
            email: some_text(identity.email),
            name: some_text(identity.name),
            api_token_name: some_text(identity.api_token_name),
            organization: some_text(identity.organization_id)
                .map(|id| Organization { id, name: identity.organization_name }),
            role: word::role_if_any(identity.role),
            homes: identity.homes.into_iter().map(home).collect(),
            runs_platform: identity.runs_platform,
            expires_at: Time::from_ms(identity.expires_at_ms),
        }
    }

    /// Who it is and what they may do, for a sentence.
    pub(crate) fn introduction(&self) -> String {
        let place = match (&self.organization, self.role, self.homes.len()) {
            (Some(organization), Some(role), _) => format!("{role} of {}", organization.name),
            (Some(organization), None, 1) => format!("one home of {}", organization.name),
            (Some(organization), None, homes) => format!("{homes} homes of {}", organization.name),
            (None, _, _) => "of no organization yet".to_owned(),
        };
        format!("{} ({place})", self.reference())
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
        Column::new("CONTEXT"),
        Column::new("NAME").wide(),
        Column::new("SERVER"),
        Column::new("HOMES").elastic(),
    ];

    fn reference(&self) -> &str {
        self.email.as_deref().or(self.api_token_name.as_deref()).unwrap_or_default()
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        let homes = self.homes.iter().map(|home| format!("{} ({})", home.installation.label(), home.role));
        vec![
            Cell::new(self.reference()),
            Cell::optional(self.role),
            Cell::optional(self.organization.as_ref().map(|organization| &organization.name)),
            moment.cell(self.expires_at),
            Cell::optional(self.context.as_ref()),
            Cell::optional(self.name.as_ref()),
            Cell::new(&self.server),
            Cell::new(homes.collect::<Vec<_>>().join(", ")),
        ]
    }
}
