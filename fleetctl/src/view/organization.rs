//! Organizations and their members.

use super::word;
use crate::output::listed::{Listed, Moment};
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;

/// An organization, for one of its people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Null for somebody who has to do with single homes only.
    pub(crate) role: Option<&'static str>,
    /// How many of its homes the person has a role in.
    pub(crate) homes: u32,
    /// Whether the context acts in it.
    pub(crate) current: bool,
}

/// An organization that the person is out of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LeftOrganization {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) left: bool,
}

/// Somebody with a role in the whole organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Member {
    pub(crate) account_id: String,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) joined_at: Option<Time>,
}

/// Somebody who was taken out, of the organization or of a home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Removed {
    pub(crate) account_id: String,
    pub(crate) email: String,
    pub(crate) removed: bool,
}

impl Organization {
    /// Takes the server's words; `current` is the id of the one that the context acts in.
    pub(crate) fn new(organization: proto::Organization, current: Option<&str>) -> Self {
        Self {
            current: current == Some(organization.id.as_str()),
            id: organization.id,
            name: organization.name,
            role: word::role_if_any(organization.role),
            homes: organization.homes,
        }
    }
}

impl Listed for Organization {
    const NOUN: &'static str = "org";
    const PLURAL: &'static str = "organizations";
    const COLUMNS: &'static [Column] = &[
        Column::new("CURRENT"),
        Column::new("NAME").elastic(),
        Column::new("ROLE"),
        Column::new("HOMES").right(),
        Column::new("ID"),
    ];

    fn reference(&self) -> &str {
        &self.id
    }

    fn row(&self, _moment: Moment) -> Vec<Cell> {
        vec![
            Cell::new(if self.current { "*" } else { "" }),
            Cell::new(&self.name),
            Cell::optional(self.role),
            Cell::new(self.homes.to_string()),
            Cell::new(&self.id),
        ]
    }
}

impl From<proto::Member> for Member {
    fn from(member: proto::Member) -> Self {
        Self {
            account_id: member.account_id,
            email: member.email,
            name: member.name,
            role: word::role(member.role),
            joined_at: Time::from_ms(member.joined_at_ms),
        }
    }
}

impl Listed for Member {
    const NOUN: &'static str = "member";
    const PLURAL: &'static str = "members";
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
