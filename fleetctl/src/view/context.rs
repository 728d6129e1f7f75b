//! A context. Tokens are never shown.

use crate::config;
use crate::output::listed::{Listed, Moment};
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use crate::view::identity::Organization;
use serde::Serialize;

/// A context as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Context {
    pub(crate) name: String,
    pub(crate) current: bool,
    pub(crate) server: String,
    /// Whether somebody is signed in, by a session or an API token.
    pub(crate) has_token: bool,
    pub(crate) ca: Option<String>,
    /// Where a person's calls act; null for the organization that the server chooses.
    pub(crate) organization: Option<Organization>,
    /// A person's session; null with an API token.
    pub(crate) session: Option<Session>,
}

/// A person's session, without its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Session {
    pub(crate) email: String,
    /// When it ends if it is not used.
    pub(crate) expires_at: Option<Time>,
}

/// A context that was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DeletedContext {
    pub(crate) name: String,
    pub(crate) deleted: bool,
}

impl Context {
    /// Takes a context of the configuration.
    pub(crate) fn new(name: &str, context: &config::Context, current: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            current: current == Some(name),
            server: context.server.clone(),
            has_token: context.token.is_some() || context.session.is_some(),
            ca: context.ca.as_ref().map(|path| path.display().to_string()),
            organization: context
                .organization
                .as_ref()
                .map(|chosen| Organization { id: chosen.id.clone(), name: chosen.name.clone() }),
            session: context.session.as_ref().map(|session| Session {
                email: session.email.clone(),
                expires_at: Time::from_ms(session.expires_at_ms),
            }),
        }
    }
}

impl Listed for Context {
    const NOUN: &'static str = "context";
    const PLURAL: &'static str = "contexts";
    const COLUMNS: &'static [Column] = &[
        Column::new("CURRENT"),
        Column::new("NAME"),
        Column::new("SERVER"),
        Column::new("SIGNED-IN"),
        Column::new("ENDS").wide(),
        Column::new("CA").wide(),
        Column::new("ORGANIZATION").elastic(),
    ];

    fn reference(&self) -> &str {
        &self.name
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        let signed_in = match &self.session {
            Some(session) => session.email.as_str(),
            None if self.has_token => "API token",
            None => "no",
        };
        vec![
            Cell::new(if self.current { "*" } else { "" }),
            Cell::new(&self.name),
            Cell::new(&self.server),
            Cell::new(signed_in),
            moment.cell(self.session.as_ref().and_then(|session| session.expires_at)),
            Cell::optional(self.ca.as_ref()),
            Cell::optional(self.organization.as_ref().map(|organization| &organization.name)),
        ]
    }
}
