//! People with a role in a whole organization, and how they go.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn};
use crate::consents::consents_of_account_end_in_txn;
use crate::error::StoreError;
use crate::holds::organization_hold_in_txn;
use crate::pool::{SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_types::id::{AccountId, OrganizationId};
use serde_json::json;
use std::time::SystemTime;
use tokio_postgres::Row;

const TABLE: &str = "membership";

/// Somebody with a role in the whole organization.
#[derive(Debug, Clone)]
pub struct MemberRow {
    /// Who.
    pub account: AccountId,
    /// Their address.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Since when.
    pub joined_at: SystemTime,
    /// Where they stand in the list.
    pub position: String,
}

/// What became of a change to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChanged {
    /// It is done.
    Yes,
    /// There is no such member.
    NoSuchMember,
    /// Nobody would be left to run the organization.
    OnlyAdmin,
    /// Nobody would be left whose home of this name it is.
    OnlyOwner(String),
}

impl SystemStore {
    /// A page of the people with a role in the whole organization, by address, after the one who stands there.
    ///
    /// # Errors
    /// The database failed.
    pub async fn member_list_page(
        &self,
        scope: &OrganizationScope,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<MemberRow>, StoreError> {
        const OPERATION: &str = "member_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        // Sorts all members, of whom there are `MEMBERS_MAX` at most.
        let rows = txn
            .rows(
                "SELECT a.id, a.email, a.name, m.role, m.created_at, lower(a.email) AS position
                 FROM membership m JOIN account a ON a.id = m.account_id
                 WHERE m.organization_id = $1 AND $2::uuid[] IS NULL AND ($3::text IS NULL OR lower(a.email) > $3)
                 ORDER BY lower(a.email) LIMIT $4",
                &[&scope.organization(), &scope.homes(), &after, &limit],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(from_row).collect()
    }

    /// Gives a member another role.
    ///
    /// # Errors
    /// The database failed.
    pub async fn member_set_role(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        account: AccountId,
        role: Role,
    ) -> Result<MemberChanged, StoreError> {
        const OPERATION: &str = "member_set_role";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let organization = scope.organization();
        organization_hold_in_txn(&txn, organization).await?;
        let Some(before) = role_of(&txn, organization, account).await? else { return Ok(MemberChanged::NoSuchMember) };
        if before == role {
            return Ok(MemberChanged::Yes);
        }
        if before == Role::Admin && !has_other_admin(&txn, organization, account).await? {
            return Ok(MemberChanged::OnlyAdmin);
        }
        let changed = txn
            .execute(
                "UPDATE membership SET role = $3 WHERE organization_id = $1 AND account_id = $2",
                &[&organization, &account, &role.number()],
            )
            .await?;
        if changed != 1 {
            return Err(StoreError::Stale { what: "the member" });
        }
        if before == Role::Support {
            // What owners allowed to support is not there again when the person is support again.
            consents_of_account_end_in_txn(&txn, scope, account).await?;
        }
        let entry = AuditEntry {
            before: Some(json!({ "role": before.word() })),
            after: Some(json!({ "role": role.word() })),
            ..AuditEntry::plain("member.update", format!("account/{account}"))
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        Ok(MemberChanged::Yes)
    }

    /// Takes a member out of the organization and out of its homes.
    ///
    /// # Errors
    /// The database failed.
    pub async fn member_remove(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        account: AccountId,
    ) -> Result<MemberChanged, StoreError> {
        const OPERATION: &str = "member_remove";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        organization_hold_in_txn(&txn, scope.organization()).await?;
        let Some(before) = role_of(&txn, scope.organization(), account).await? else {
            return Ok(MemberChanged::NoSuchMember);
        };
        if before == Role::Admin && !has_other_admin(&txn, scope.organization(), account).await? {
            return Ok(MemberChanged::OnlyAdmin);
        }
        take_out(&txn, scope, actor, account, Some(before), "member.remove").await?;
        txn.commit().await?;
        Ok(MemberChanged::Yes)
    }

    /// Takes a person out of the organization and out of its homes, as they want it. Their right reaches all homes that they have a role in.
    ///
    /// # Errors
    /// The database failed.
    pub async fn member_leave(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        account: AccountId,
    ) -> Result<MemberChanged, StoreError> {
        const OPERATION: &str = "member_leave";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        organization_hold_in_txn(&txn, scope.organization()).await?;
        let before = role_of(&txn, scope.organization(), account).await?;
        if before == Some(Role::Admin) {
            if !has_other_admin(&txn, scope.organization(), account).await? {
                return Ok(MemberChanged::OnlyAdmin);
            }
        } else if let Some(home) = owned_alone(&txn, scope.organization(), account).await? {
            return Ok(MemberChanged::OnlyOwner(home));
        }
        if !take_out(&txn, scope, actor, account, before, "member.leave").await? {
            return Ok(MemberChanged::NoSuchMember);
        }
        txn.commit().await?;
        Ok(MemberChanged::Yes)
    }
}

/// A member's role, held; none for somebody who is no member.
async fn role_of(txn: &Txn<'_>, organization: OrganizationId, account: AccountId) -> Result<Option<Role>, StoreError> {
    let row = txn
        .row_opt(
            "SELECT role FROM membership WHERE organization_id = $1 AND account_id = $2 FOR UPDATE",
            &[&organization, &account],
        )
        .await?;
    row.map(|row| role_from_row(&row, account)).transpose()
}

/// Whether somebody else runs the organization, too. It is held, so that this stays true.
async fn has_other_admin(txn: &Txn<'_>, organization: OrganizationId, account: AccountId) -> Result<bool, StoreError> {
    let other = txn
        .row_opt(
            "SELECT 1 AS one FROM membership WHERE organization_id = $1 AND account_id <> $2 AND role = $3 LIMIT 1",
            &[&organization, &account, &Role::Admin.number()],
        )
        .await?;
    Ok(other.is_some())
}

/// Name of a home that nobody else owns.
async fn owned_alone(
    txn: &Txn<'_>,
    organization: OrganizationId,
    account: AccountId,
) -> Result<Option<String>, StoreError> {
    let row = txn
        .row_opt(
            "SELECT i.name FROM home_membership h JOIN installation i ON i.id = h.installation_id
             WHERE h.account_id = $1 AND h.organization_id = $2 AND h.role = $3 AND NOT EXISTS (
                 SELECT FROM home_membership other
                 WHERE other.installation_id = h.installation_id AND other.role = $3 AND other.account_id <> $1)
             ORDER BY i.name LIMIT 1",
            &[&account, &organization, &HomeRole::Owner.number()],
        )
        .await?;
    row.map(|row| column(&row, "installation", "name")).transpose()
}

/// Deletes all that somebody is in the organization. Answers whether that was anything.
async fn take_out(
    txn: &Txn<'_>,
    scope: &OrganizationScope,
    actor: &Actor,
    account: AccountId,
    role: Option<Role>,
    action: &'static str,
) -> Result<bool, StoreError> {
    let organization = scope.organization();
    let left = txn
        .execute("DELETE FROM membership WHERE organization_id = $1 AND account_id = $2", &[&organization, &account])
        .await?;
    let homes = txn
        .execute(
            "DELETE FROM home_membership WHERE organization_id = $1 AND account_id = $2",
            &[&organization, &account],
        )
        .await?;
    if left != u64::from(role.is_some()) {
        return Err(StoreError::Stale { what: "the member" });
    }
    if left + homes == 0 {
        return Ok(false);
    }
    consents_of_account_end_in_txn(txn, scope, account).await?;
    let entry = AuditEntry {
        before: Some(json!({ "role": role.map(Role::word), "homes": homes })),
        ..AuditEntry::plain(action, format!("account/{account}"))
    };
    audit_insert_in_txn(txn, scope, actor, entry).await?;
    Ok(true)
}

fn role_from_row(row: &Row, account: AccountId) -> Result<Role, StoreError> {
    let number: i16 = column(row, TABLE, "role")?;
    let wrong = || StoreError::Inconsistent { table: TABLE, column: "role", id: account.to_string() };
    Role::from_number(number).ok_or_else(wrong)
}

fn from_row(row: &Row) -> Result<MemberRow, StoreError> {
    let account = column(row, "account", "id")?;
    Ok(MemberRow {
        account,
        email: column(row, "account", "email")?,
        name: column(row, "account", "name")?,
        role: role_from_row(row, account)?,
        joined_at: column(row, TABLE, "created_at")?,
        position: column(row, "account", "position")?,
    })
}
