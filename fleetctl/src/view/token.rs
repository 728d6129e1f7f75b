//! Join tokens and API tokens, without their secrets.

use super::{label_text, some_text, word};
use crate::output::listed::{Listed, Moment};
use crate::output::style::Tone;
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use crate::view::installation::HomeReference;
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// A join token as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct JoinToken {
    pub(crate) id: String,
    pub(crate) description: String,
    pub(crate) created_at: Option<Time>,
    pub(crate) created_by: Option<String>,
    pub(crate) expires_at: Option<Time>,
    pub(crate) max_uses: u32,
    pub(crate) uses: u32,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) revoked_at: Option<Time>,
    /// What its boxes are called.
    pub(crate) name_pattern: Option<String>,
    /// Whether its boxes wait for an operator.
    pub(crate) needs_approval: bool,
}

/// An API token as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ApiToken {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) created_at: Option<Time>,
    pub(crate) created_by: Option<String>,
    pub(crate) expires_at: Option<Time>,
    pub(crate) last_used_at: Option<Time>,
    pub(crate) revoked_at: Option<Time>,
    /// The homes that it reaches; empty for the whole organization.
    pub(crate) installations: Vec<HomeReference>,
}

/// A join token at the one time when its secret is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct NewJoinToken {
    pub(crate) join_token: Option<JoinToken>,
    pub(crate) secret: String,
}

/// An API token at the one time when its secret is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct NewApiToken {
    pub(crate) api_token: Option<ApiToken>,
    pub(crate) secret: String,
}

/// A token that is refused from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RevokedToken {
    pub(crate) id: String,
    pub(crate) revoked: bool,
}

impl From<proto::JoinToken> for JoinToken {
    fn from(token: proto::JoinToken) -> Self {
        Self {
            id: token.id,
            description: token.description,
            created_at: Time::from_ms(token.created_at_ms),
            created_by: some_text(token.created_by),
            expires_at: Time::from_ms(token.expires_at_ms),
            max_uses: token.max_uses,
            uses: token.uses,
            labels: token.labels.into_iter().collect(),
            revoked_at: Time::from_ms(token.revoked_at_ms),
            name_pattern: some_text(token.name_pattern),
            needs_approval: token.needs_approval,
        }
    }
}

impl ApiToken {
    /// Takes the server's words. `homes` are the names of homes by their ids, as far as they are known.
    pub(crate) fn new(token: proto::ApiToken, homes: &HashMap<String, String>) -> Self {
        let home = |id: String| HomeReference { name: homes.get(&id).cloned(), id };
        Self {
            id: token.id,
            name: token.name,
            role: word::role(token.role),
            created_at: Time::from_ms(token.created_at_ms),
            created_by: some_text(token.created_by),
            expires_at: Time::from_ms(token.expires_at_ms),
            last_used_at: Time::from_ms(token.last_used_at_ms),
            revoked_at: Time::from_ms(token.revoked_at_ms),
            installations: token.installation_ids.into_iter().map(home).collect(),
        }
    }

    /// What it reaches, for people.
    fn reach(&self) -> String {
        if self.installations.is_empty() {
            return "organization".to_owned();
        }
        self.installations.iter().map(HomeReference::label).collect::<Vec<_>>().join(", ")
    }

    /// When it was used last, for people: never is not the same as unknown.
    fn used(&self, moment: Moment) -> Cell {
        if self.last_used_at.is_none() { Cell::new("never") } else { moment.cell(self.last_used_at) }
    }
}

/// Whether a token still works, as a word.
fn state(revoked_at: Option<Time>, expires_at: Option<Time>, used_up: bool, now_ms: i64) -> Cell {
    let expired = expires_at.zip(Time::from_ms(now_ms)).is_some_and(|(expires, now)| expires <= now);
    if revoked_at.is_some() {
        Cell::toned("revoked", Tone::Bad)
    } else if expired {
        Cell::toned("expired", Tone::Faint)
    } else if used_up {
        Cell::toned("used-up", Tone::Faint)
    } else {
        Cell::toned("valid", Tone::Good)
    }
}

impl Listed for JoinToken {
    const NOUN: &'static str = "join-token";
    const PLURAL: &'static str = "join tokens";
    const COLUMNS: &'static [Column] = &[
        Column::new("ID"),
        Column::new("STATE"),
        Column::new("USES").right(),
        Column::new("EXPIRES"),
        Column::new("APPROVAL").wide(),
        Column::new("NAMES").wide(),
        Column::new("CREATED").wide(),
        Column::new("BY").wide(),
        Column::new("LABELS").wide().elastic(),
        Column::new("DESCRIPTION").elastic(),
    ];

    fn reference(&self) -> &str {
        &self.id
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        vec![
            Cell::new(&self.id),
            state(self.revoked_at, self.expires_at, self.uses >= self.max_uses, moment.now_ms),
            Cell::new(format!("{}/{}", self.uses, self.max_uses)),
            moment.cell(self.expires_at),
            Cell::new(if self.needs_approval { "yes" } else { "no" }),
            Cell::optional(self.name_pattern.as_ref()),
            moment.cell(self.created_at),
            Cell::optional(self.created_by.as_ref()),
            Cell::new(label_text(&self.labels)),
            Cell::new(&self.description),
        ]
    }
}

impl Listed for ApiToken {
    const NOUN: &'static str = "api-token";
    const PLURAL: &'static str = "API tokens";
    const COLUMNS: &'static [Column] = &[
        Column::new("ID"),
        Column::new("STATE"),
        Column::new("ROLE"),
        Column::new("EXPIRES"),
        Column::new("USED"),
        Column::new("CREATED").wide(),
        Column::new("BY").wide(),
        Column::new("REACH").elastic(),
        Column::new("NAME").elastic(),
    ];

    fn reference(&self) -> &str {
        &self.id
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        vec![
            Cell::new(&self.id),
            state(self.revoked_at, self.expires_at, false, moment.now_ms),
            Cell::new(self.role),
            moment.cell(self.expires_at),
            self.used(moment),
            moment.cell(self.created_at),
            Cell::optional(self.created_by.as_ref()),
            Cell::new(self.reach()),
            Cell::new(&self.name),
        ]
    }
}
