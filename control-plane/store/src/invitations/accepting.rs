//! How somebody who was invited comes in.

use super::{InvitationRow, TABLE, delete, from_row, invitation};
use crate::audit::{Actor, AuditEntry, audit_of_organization_in_txn};
use crate::error::StoreError;
use crate::holds::organization_hold_in_txn;
use crate::home_people::{other_owners, role_of, room_for_owner};
use crate::mailed_secrets::{mailed_secret_look_in_txn, mailed_secret_take_in_txn};
use crate::my_organizations::{MyOrganization, my_organization_in_txn};
use crate::pool::{SystemStore, Txn, column};
use crate::scope::AccountScope;
use kaliun_domain::invitation::Seat;
use kaliun_domain::mailed_secret::SecretPurpose;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_domain::room::{HOME_PEOPLE_MAX, MEMBERS_MAX};
use kaliun_domain::standing::HOMES_MAX;
use kaliun_types::id::{AccountId, InstallationId, OrganizationId};
use serde_json::json;
use uuid::Uuid;

/// What a secret invites to.
#[derive(Debug, Clone)]
pub struct InvitationLookedUp {
    /// The invitation.
    pub invitation: InvitationRow,
    /// Name of the organization.
    pub organization_name: String,
}

/// What became of an invitation that somebody accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvitationAccepted {
    /// They are in.
    Yes(MyOrganization),
    /// There is none such: it was used, taken back, or ran out.
    NoSuchInvitation,
    /// It is for another address.
    ForSomebodyElse,
}

impl SystemStore {
    /// What the secret of an invitation is good for.
    ///
    /// # Errors
    /// The database failed.
    pub async fn invitation_look_up(&self, secret_hash: &[u8]) -> Result<Option<InvitationLookedUp>, StoreError> {
        const OPERATION: &str = "invitation_look_up";
        let mut connection = self.connection(OPERATION).await?;
        // Whoever asks belongs to nothing yet: the secret is what bounds it.
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let Some(subject) = mailed_secret_look_in_txn(&txn, SecretPurpose::Invitation, secret_hash).await? else {
            return Ok(None);
        };
        let row = txn.row_opt(invitation!("n.id = $1 AND n.expires_at > now()"), &[&subject]).await?;
        let Some(row) = row else { return Ok(None) };
        let organization: OrganizationId = column(&row, TABLE, "organization_id")?;
        let name = txn.row_opt("SELECT name FROM organization WHERE id = $1", &[&organization]).await?;
        txn.commit().await?;
        let Some(name) = name else { return Ok(None) };
        let organization_name = column(&name, "organization", "name")?;
        Ok(Some(InvitationLookedUp { invitation: from_row(&row)?, organization_name }))
    }

    /// Brings a person in whom an invitation is for, and uses it up. A role that they have there already only rises.
    ///
    /// # Errors
    /// There is no room for them (`TooMany`), or the database failed. Nothing is used up then.
    pub async fn invitation_accept(
        &self,
        scope: &AccountScope,
        actor: &Actor,
        secret_hash: &[u8],
    ) -> Result<InvitationAccepted, StoreError> {
        const OPERATION: &str = "invitation_accept";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let Some(subject) = mailed_secret_look_in_txn(&txn, SecretPurpose::Invitation, secret_hash).await? else {
            return Ok(InvitationAccepted::NoSuchInvitation);
        };
        let Some((organization, invitation)) = invitation_hold(&txn, subject).await? else {
            return Ok(InvitationAccepted::NoSuchInvitation);
        };
        let account = scope.account();
        let own = txn
            .row_opt(
                "SELECT 1 AS one FROM account WHERE id = $1 AND lower(email) = lower($2) FOR KEY SHARE",
                &[&account, &invitation.email],
            )
            .await?;
        if own.is_none() {
            return Ok(InvitationAccepted::ForSomebodyElse);
        }
        if mailed_secret_take_in_txn(&txn, SecretPurpose::Invitation, secret_hash).await? != Some(subject) {
            return Ok(InvitationAccepted::NoSuchInvitation);
        }
        let after = match invitation.seat {
            Seat::Organization(role) => {
                let role = membership_raise(&txn, organization, account, role).await?;
                json!({ "account": account.to_string(), "role": role.word() })
            }
            Seat::Home(home, role) => {
                let role = home_membership_raise(&txn, organization, home, account, role).await?;
                json!({ "account": account.to_string(), "installation": home.to_string(), "home_role": role.word() })
            }
        };
        delete(&txn, invitation.id).await?;
        let target = format!("invitation/{}", invitation.id);
        let entry = AuditEntry { after: Some(after), ..AuditEntry::plain("invitation.accept", target) };
        audit_of_organization_in_txn(&txn, organization, actor, entry).await?;
        let mine = my_organization_in_txn(&txn, account, organization).await?;
        let mine = mine.ok_or(StoreError::Stale { what: "the organization" })?;
        txn.commit().await?;
        Ok(InvitationAccepted::Yes(mine))
    }
}

/// Holds an invitation that is still good, and what it is to. None when it is gone or ran out.
async fn invitation_hold(txn: &Txn<'_>, subject: Uuid) -> Result<Option<(OrganizationId, InvitationRow)>, StoreError> {
    let row = txn.row_opt("SELECT organization_id FROM invitation WHERE id = $1", &[&subject]).await?;
    let Some(row) = row else { return Ok(None) };
    let organization: OrganizationId = column(&row, TABLE, "organization_id")?;
    // The organization first, as whoever takes people out does. It is held whole also for a home, for who comes into one of its homes is new
    // in the organization, too.
    organization_hold_in_txn(txn, organization).await?;
    let row = txn.row_opt(invitation!("n.id = $1 AND n.expires_at > now() FOR UPDATE OF n"), &[&subject]).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((organization, from_row(&row)?)))
}

/// Gives somebody a role in the whole organization, unless theirs is higher. Answers what they are now.
async fn membership_raise(
    txn: &Txn<'_>,
    organization: OrganizationId,
    account: AccountId,
    role: Role,
) -> Result<Role, StoreError> {
    check_count(
        txn,
        "SELECT count(*) AS count FROM membership WHERE organization_id = $1 AND account_id <> $2",
        (organization.as_uuid(), account),
        ("people with a role in the organization", MEMBERS_MAX),
    )
    .await?;
    let row = txn
        .row_opt(
            "INSERT INTO membership (organization_id, account_id, role) VALUES ($1, $2, $3)
             ON CONFLICT (organization_id, account_id) DO UPDATE SET role = GREATEST(membership.role, excluded.role)
             RETURNING role",
            &[&organization, &account, &role.number()],
        )
        .await?;
    let number: i16 = row.map_or(Ok(0), |row| column(&row, "membership", "role"))?;
    let wrong = || StoreError::Inconsistent { table: "membership", column: "role", id: account.to_string() };
    Role::from_number(number).ok_or_else(wrong)
}

/// Gives somebody a role in a home, unless theirs is higher. Answers what they are now.
async fn home_membership_raise(
    txn: &Txn<'_>,
    organization: OrganizationId,
    home: InstallationId,
    account: AccountId,
    role: HomeRole,
) -> Result<HomeRole, StoreError> {
    txn.row_opt("SELECT 1 AS one FROM installation WHERE id = $1 FOR NO KEY UPDATE", &[&home]).await?;
    let before = role_of(txn, home, account).await?;
    if role == HomeRole::Owner && before != Some(HomeRole::Owner) {
        room_for_owner(other_owners(txn, home, account).await?)?;
    }
    check_count(
        txn,
        "SELECT count(*) AS count FROM home_membership WHERE installation_id = $1 AND account_id <> $2",
        (home.as_uuid(), account),
        ("people of a home", HOME_PEOPLE_MAX),
    )
    .await?;
    if before.is_none() {
        check_count(
            txn,
            "SELECT count(*) AS count FROM home_membership WHERE organization_id = $1 AND account_id = $2",
            (organization.as_uuid(), account),
            ("homes of one person in an organization", HOMES_MAX),
        )
        .await?;
    }
    let role = before.map_or(role, |before| before.max(role));
    txn.execute(
        "INSERT INTO home_membership (organization_id, installation_id, account_id, role) VALUES ($1, $2, $3, $4)
         ON CONFLICT (installation_id, account_id) DO UPDATE SET role = excluded.role",
        &[&organization, &home, &account, &role.number()],
    )
    .await?;
    Ok(role)
}

/// Refuses one more than there may be of what a statement counts.
async fn check_count(
    txn: &Txn<'_>,
    statement: &str,
    (of, account): (Uuid, AccountId),
    (what, most): (&'static str, usize),
) -> Result<(), StoreError> {
    let row = txn.row_opt(statement, &[&of, &account]).await?;
    let count: i64 = row.map_or(Ok(0), |row| column(&row, TABLE, "count"))?;
    if usize::try_from(count).unwrap_or_default() >= most {
        return Err(StoreError::TooMany { what, most });
    }
    Ok(())
}
