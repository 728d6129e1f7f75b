//! Tokens as people see them; the secrets are not in here.

use crate::name_pattern::NamePattern;
use crate::role::Role;
use kaliun_types::id::{ApiTokenId, InstallationId, JoinTokenId};
use kaliun_types::label::Labels;
use std::time::SystemTime;

/// A token that boxes enrol with.
#[derive(Debug, Clone)]
pub struct JoinToken {
    /// Its id; not secret.
    pub id: JoinTokenId,
    /// For people.
    pub description: String,
    /// Labels that its boxes get.
    pub labels: Labels,
    /// What its boxes are called; none for what they call themselves.
    pub name_pattern: Option<NamePattern>,
    /// Whether somebody has to say yes to each box.
    pub needs_approval: bool,
    /// How many boxes may use it.
    pub max_uses: i32,
    /// How many did.
    pub uses: i32,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: SystemTime,
    /// Until when it can be used.
    pub expires_at: SystemTime,
    /// When it was revoked.
    pub revoked_at: Option<SystemTime>,
}

/// A token that automation signs in with.
#[derive(Debug, Clone)]
pub struct ApiToken {
    /// Its id; not secret.
    pub id: ApiTokenId,
    /// For people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Homes that it reaches; empty for the whole organization.
    pub homes: Vec<InstallationId>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: SystemTime,
    /// Until when it can be used.
    pub expires_at: SystemTime,
    /// When it was used last, to the minute.
    pub last_used_at: Option<SystemTime>,
    /// When it was revoked.
    pub revoked_at: Option<SystemTime>,
}
