//! Where somebody is signed in.

use super::{some_text, word};
use crate::output::listed::{Listed, Moment};
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;

/// A session as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    /// The browser's or the machine's own words.
    pub(crate) client: Option<String>,
    pub(crate) source_address: Option<String>,
    pub(crate) created_at: Option<Time>,
    pub(crate) last_used_at: Option<Time>,
    pub(crate) expires_at: Option<Time>,
    /// Whether it is the one that asks.
    pub(crate) current: bool,
}

/// A session that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RevokedSession {
    pub(crate) id: String,
    pub(crate) revoked: bool,
}

/// All sessions but the one that asked are over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RevokedSessions {
    pub(crate) revoked_count: u32,
}

impl From<proto::Session> for Session {
    fn from(session: proto::Session) -> Self {
        Self {
            id: session.id,
            kind: word::session_kind(session.kind),
            client: some_text(session.client),
            source_address: some_text(session.source_address),
            created_at: Time::from_ms(session.created_at_ms),
            last_used_at: Time::from_ms(session.last_used_at_ms),
            expires_at: Time::from_ms(session.expires_at_ms),
            current: session.is_current,
        }
    }
}

impl Listed for Session {
    const NOUN: &'static str = "session";
    const PLURAL: &'static str = "sessions";
    const COLUMNS: &'static [Column] = &[
        Column::new("CURRENT"),
        Column::new("ID"),
        Column::new("KIND"),
        Column::new("FROM"),
        Column::new("USED"),
        Column::new("OPENED").wide(),
        Column::new("EXPIRES").wide(),
        Column::new("CLIENT (ITS WORDS)").elastic(),
    ];

    fn reference(&self) -> &str {
        &self.id
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        vec![
            Cell::new(if self.current { "*" } else { "" }),
            Cell::new(&self.id),
            Cell::new(self.kind.replace('_', " ")),
            Cell::optional(self.source_address.as_ref()),
            moment.cell(self.last_used_at),
            moment.cell(self.created_at),
            moment.cell(self.expires_at),
            Cell::optional(self.client.as_ref()),
        ]
    }
}
