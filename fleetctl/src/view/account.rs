//! The caller's own account.

use crate::output::listed::{Listed, Moment};
use crate::output::table::{Cell, Column};
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;

/// An account as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) name: String,
    /// Without one a provider of identities signs the person in.
    pub(crate) has_password: bool,
}

/// A file with all that the server keeps of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ExportedAccount {
    pub(crate) file: String,
    pub(crate) size_bytes: usize,
}

impl From<proto::Identity> for Account {
    fn from(identity: proto::Identity) -> Self {
        Self {
            id: identity.account_id,
            email: identity.email,
            name: identity.name,
            has_password: identity.has_password,
        }
    }
}

impl Listed for Account {
    const NOUN: &'static str = "account";
    const PLURAL: &'static str = "accounts";
    const COLUMNS: &'static [Column] =
        &[Column::new("EMAIL"), Column::new("PASSWORD"), Column::new("ID"), Column::new("NAME").elastic()];

    fn reference(&self) -> &str {
        &self.email
    }

    fn row(&self, _moment: Moment) -> Vec<Cell> {
        vec![
            Cell::new(&self.email),
            Cell::new(if self.has_password { "yes" } else { "no" }),
            Cell::new(&self.id),
            Cell::new(&self.name),
        ]
    }
}
