//! Who calls: what a credential proves, and what that person or token is in the organization that the call acts in.

use crate::error::StoreError;
use crate::pool::{Txn, column};
use crate::scope::{AccountScope, OrganizationScope};
use kaliun_domain::authorization::Grants;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_domain::standing::{HOMES_MAX, Standing};
use kaliun_types::id::{AccountId, ApiTokenId, ConsentId, InstallationId, OrganizationId, SessionId};
use std::time::SystemTime;
use tokio_postgres::Row;

/// Who is signed in, where, and until when.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who.
    pub principal: Principal,
    /// The organization that the call acts in; none for a person who belongs to none.
    pub place: Option<Place>,
    /// When it ends.
    pub expires_at: SystemTime,
}

/// What a credential proves.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A person, in a session of theirs.
    Person(Person),
    /// Automation of one organization.
    ApiToken {
        /// Which token.
        id: ApiTokenId,
        /// What it is called.
        name: String,
    },
}

/// A person who is signed in.
#[derive(Debug, Clone)]
pub struct Person {
    /// The account.
    pub account: AccountId,
    /// The session.
    pub session: SessionId,
    /// The account's address.
    pub email: String,
    /// What the person is called.
    pub name: String,
    /// Whether there is a password.
    pub has_password: bool,
    /// When the session was opened.
    pub signed_in_at: SystemTime,
}

impl Person {
    /// The right to act about what is theirs.
    #[must_use]
    pub const fn scope(&self) -> AccountScope {
        AccountScope::authenticated(self.account, self.session)
    }
}

/// What somebody is in the organization that a call acts in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which.
    pub organization: OrganizationId,
    /// What it is called.
    pub organization_name: String,
    /// Whether it is the one that runs the control plane.
    pub runs_platform: bool,
    /// What they are there.
    pub standing: Standing,
}

/// How far a call reaches, as a right and as the consents that it takes.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The right.
    pub scope: OrganizationScope,
    /// Owners' consents without which there would be none.
    pub consents: Vec<ConsentId>,
}

impl Place {
    /// The right to make a call with these grants; none when they may not.
    #[must_use]
    pub fn grant(&self, grants: Grants) -> Option<Granted> {
        let reached = self.standing.reach(grants)?;
        Some(Granted {
            scope: OrganizationScope::authenticated(self.organization, reached.reach),
            consents: reached.consents,
        })
    }
}

/// The part of a question that finds where a person of the account `$account` is: in the organization `$wanted`, or where they have been
/// longest. An organization that they have nothing to do with is as one that does not exist.
pub(crate) async fn place_of_account(
    txn: &Txn<'_>,
    account: AccountId,
    wanted: Option<OrganizationId>,
) -> Result<Option<Place>, StoreError> {
    let row = txn
        .row_opt(
            "SELECT o.id, o.name, o.runs_platform, m.role,
                 ARRAY(SELECT h.installation_id FROM home_membership h
                       WHERE h.account_id = $1 AND h.organization_id = o.id ORDER BY h.created_at LIMIT $3) AS homes,
                 ARRAY(SELECT h.role FROM home_membership h
                       WHERE h.account_id = $1 AND h.organization_id = o.id ORDER BY h.created_at LIMIT $3) AS home_roles,
                 ARRAY(SELECT c.installation_id FROM consent c
                       WHERE c.account_id = $1 AND c.organization_id = o.id AND c.granted_at IS NOT NULL AND c.ends_at > now()
                       ORDER BY c.id LIMIT $3) AS consented,
                 ARRAY(SELECT c.id FROM consent c
                       WHERE c.account_id = $1 AND c.organization_id = o.id AND c.granted_at IS NOT NULL AND c.ends_at > now()
                       ORDER BY c.id LIMIT $3) AS consents
             FROM (
                 SELECT organization_id, created_at FROM membership WHERE account_id = $1
                 UNION ALL SELECT organization_id, created_at FROM home_membership WHERE account_id = $1
             ) AS place
             JOIN organization o ON o.id = place.organization_id
             LEFT JOIN membership m ON m.account_id = $1 AND m.organization_id = o.id
             WHERE $2::uuid IS NULL OR o.id = $2
             ORDER BY place.created_at LIMIT 1",
            &[&account, &wanted, &i64::try_from(HOMES_MAX).unwrap_or(i64::MAX)],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

fn from_row(row: &Row) -> Result<Place, StoreError> {
    let organization: OrganizationId = column(row, "organization", "id")?;
    let wrong = |table, name| StoreError::Inconsistent { table, column: name, id: organization.to_string() };
    let role: Option<i16> = column(row, "membership", "role")?;
    let role = match role {
        Some(number) => Some(Role::from_number(number).ok_or_else(|| wrong("membership", "role"))?),
        None => None,
    };
    let homes: Vec<InstallationId> = column(row, "home_membership", "homes")?;
    let home_roles: Vec<i16> = column(row, "home_membership", "home_roles")?;
    let mut roles = Vec::new();
    for (home, number) in homes.into_iter().zip(home_roles) {
        roles.push((home, HomeRole::from_number(number).ok_or_else(|| wrong("home_membership", "role"))?));
    }
    let consented: Vec<InstallationId> = column(row, "consent", "consented")?;
    let consents: Vec<ConsentId> = column(row, "consent", "consents")?;
    Ok(Place {
        organization,
        organization_name: column(row, "organization", "name")?,
        runs_platform: column(row, "organization", "runs_platform")?,
        standing: Standing { role, homes: roles, consents: consented.into_iter().zip(consents).collect() },
    })
}
