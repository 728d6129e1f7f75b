//! Invitations.

use super::{some_text, word};
use crate::output::listed::{Listed, Moment};
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use crate::view::installation::HomeReference;
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;

/// An invitation, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Invitation {
    pub(crate) id: String,
    pub(crate) email: String,
    /// In the whole organization; null for an invitation to a home.
    pub(crate) role: Option<&'static str>,
    /// Null for an invitation to the whole organization.
    pub(crate) installation: Option<HomeReference>,
    /// In that home.
    pub(crate) home_role: Option<&'static str>,
    pub(crate) invited_by: Option<String>,
    pub(crate) created_at: Option<Time>,
    pub(crate) expires_at: Option<Time>,
}

/// An invitation at the one time when its link may be known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct NewInvitation {
    pub(crate) invitation: Invitation,
    /// Null when the mail has it.
    pub(crate) link: Option<String>,
}

impl Invitation {
    /// What it is to, for people.
    pub(crate) fn what(&self) -> String {
        match (&self.installation, self.home_role) {
            (Some(home), Some(role)) => format!("{role} of {}", home.label()),
            (Some(home), None) => home.label().to_owned(),
            (None, _) => self.role.unwrap_or_default().to_owned(),
        }
    }
}

impl From<proto::Invitation> for Invitation {
    fn from(invitation: proto::Invitation) -> Self {
        let installation = some_text(invitation.installation_id)
            .map(|id| HomeReference { id, name: some_text(invitation.installation_name) });
        Self {
            id: invitation.id,
            email: invitation.email,
            role: word::role_if_any(invitation.role),
            home_role: installation.is_some().then(|| word::home_role(invitation.home_role)),
            installation,
            invited_by: some_text(invitation.invited_by),
            created_at: Time::from_ms(invitation.created_at_ms),
            expires_at: Time::from_ms(invitation.expires_at_ms),
        }
    }
}

impl Listed for Invitation {
    const NOUN: &'static str = "invitation";
    const PLURAL: &'static str = "invitations";
    const COLUMNS: &'static [Column] = &[
        Column::new("ID"),
        Column::new("EMAIL"),
        Column::new("EXPIRES"),
        Column::new("CREATED").wide(),
        Column::new("BY").wide(),
        Column::new("AS").elastic(),
    ];

    fn reference(&self) -> &str {
        &self.id
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        vec![
            Cell::new(&self.id),
            Cell::new(&self.email),
            moment.cell(self.expires_at),
            moment.cell(self.created_at),
            Cell::optional(self.invited_by.as_ref()),
            Cell::new(self.what()),
        ]
    }
}
