//! Domains and claim rules of an organization.

use super::{some_text, word};
use crate::output::listed::{Listed, Moment};
use crate::output::style::Tone;
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;

/// A domain as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Domain {
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) record_name: String,
    pub(crate) record_text: String,
    pub(crate) created_at: Option<Time>,
    pub(crate) verified_at: Option<Time>,
    /// `dns`, or who said so by hand.
    pub(crate) verified_by: Option<String>,
}

/// A claim rule as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ClaimRule {
    pub(crate) id: String,
    pub(crate) provider: String,
    pub(crate) claim: String,
    pub(crate) value: String,
    pub(crate) role: &'static str,
    pub(crate) created_at: Option<Time>,
}

/// A domain that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RemovedDomain {
    pub(crate) name: String,
    pub(crate) removed: bool,
}

/// A domain that an admin of the server believes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ConfirmedDomain {
    pub(crate) name: String,
    pub(crate) organization: String,
    pub(crate) confirmed: bool,
}

/// A rule that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DeletedClaimRule {
    pub(crate) id: String,
    pub(crate) deleted: bool,
}

impl From<proto::Domain> for Domain {
    fn from(domain: proto::Domain) -> Self {
        Self {
            name: domain.name,
            role: word::role(domain.role),
            record_name: domain.record_name,
            record_text: domain.record_text,
            created_at: Time::from_ms(domain.created_at_ms),
            verified_at: Time::from_ms(domain.verified_at_ms),
            verified_by: some_text(domain.verified_by),
        }
    }
}

impl From<proto::ClaimRule> for ClaimRule {
    fn from(rule: proto::ClaimRule) -> Self {
        Self {
            id: rule.id,
            provider: rule.provider,
            claim: rule.claim,
            value: rule.value,
            role: word::role(rule.role),
            created_at: Time::from_ms(rule.created_at_ms),
        }
    }
}

impl Listed for Domain {
    const NOUN: &'static str = "domain";
    const PLURAL: &'static str = "domains";
    const COLUMNS: &'static [Column] = &[
        Column::new("NAME"),
        Column::new("STATE"),
        Column::new("ROLE"),
        Column::new("VERIFIED"),
        Column::new("BY").wide(),
        Column::new("CREATED").wide(),
        Column::new("RECORD").wide(),
        Column::new("TEXT").elastic(),
    ];

    fn reference(&self) -> &str {
        &self.name
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        let state = match self.verified_at {
            Some(_) => Cell::toned("verified", Tone::Good),
            None => Cell::toned("unverified", Tone::Faint),
        };
        vec![
            Cell::new(&self.name),
            state,
            Cell::new(self.role),
            moment.cell(self.verified_at),
            Cell::optional(self.verified_by.as_ref()),
            moment.cell(self.created_at),
            Cell::new(&self.record_name),
            Cell::new(&self.record_text),
        ]
    }
}

impl Listed for ClaimRule {
    const NOUN: &'static str = "claim-rule";
    const PLURAL: &'static str = "claim rules";
    const COLUMNS: &'static [Column] = &[
        Column::new("ID"),
        Column::new("PROVIDER"),
        Column::new("ROLE"),
        Column::new("CREATED").wide(),
        Column::new("CLAIM"),
        Column::new("VALUE").elastic(),
    ];

    fn reference(&self) -> &str {
        &self.id
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        vec![
            Cell::new(&self.id),
            Cell::new(&self.provider),
            Cell::new(self.role),
            moment.cell(self.created_at),
            Cell::new(&self.claim),
            Cell::new(&self.value),
        ]
    }
}
