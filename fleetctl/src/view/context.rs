//! A context. The token itself is never shown.

use crate::config;
use crate::output::listed::{Listed, Moment};
use crate::output::table::{Cell, Column};
use serde::Serialize;

/// A context as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Context {
    pub(crate) name: String,
    pub(crate) current: bool,
    pub(crate) server: String,
    pub(crate) has_token: bool,
    pub(crate) ca: Option<String>,
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
            has_token: context.token.is_some(),
            ca: context.ca.as_ref().map(|path| path.display().to_string()),
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
        Column::new("TOKEN"),
        Column::new("CA").wide(),
    ];

    fn reference(&self) -> &str {
        &self.name
    }

    fn row(&self, _moment: Moment) -> Vec<Cell> {
        vec![
            Cell::new(if self.current { "*" } else { "" }),
            Cell::new(&self.name),
            Cell::new(&self.server),
            Cell::new(if self.has_token { "yes" } else { "no" }),
            Cell::optional(self.ca.as_ref()),
        ]
    }
}
