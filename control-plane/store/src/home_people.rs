//! People with a role in a home.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn};
use crate::error::StoreError;
use crate::holds::home_hold_in_txn;
use crate::pool::{SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::role::HomeRole;
use kaliun_domain::room::HOME_OWNERS_MAX;
use kaliun_types::id::{AccountId, InstallationId};
use serde_json::json;
use std::time::SystemTime;
use tokio_postgres::Row;

const TABLE: &str = "home_membership";

/// Somebody with a role in a home.
#[derive(Debug, Clone)]
pub struct HomePersonRow {
    /// Who.
    pub account: AccountId,
    /// Their address.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// What they may do there.
    pub role: HomeRole,
    /// Since when.
    pub joined_at: SystemTime,
    /// Where they stand in the list.
    pub position: String,
}

/// What became of a change to somebody of a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HomePersonChanged {
    /// It is done.
    Yes,
    /// There is no such home.
    NoSuchHome,
    /// They have no role there.
    NoSuchPerson,
    /// The home would be nobody's.
    OnlyOwner,
}

/// Whether a home may be nobody's after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerlessHome {
    /// It may: an admin of the organization sees to it.
    Allowed,
    /// It may not.
    Refused,
}

impl SystemStore {
    /// A page of the people of a home, by address, after the one who stands there. `None` when there is no such home.
    ///
    /// # Errors
    /// The database failed.
    pub async fn home_person_list_page(
        &self,
        scope: &OrganizationScope,
        home: InstallationId,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Option<Vec<HomePersonRow>>, StoreError> {
        const OPERATION: &str = "home_person_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let known = txn
            .row_opt(
                "SELECT 1 AS one FROM installation
                 WHERE id = $1 AND organization_id = $2 AND ($3::uuid[] IS NULL OR id = ANY($3))",
                &[&home, &scope.organization(), &scope.homes()],
            )
            .await?;
        if known.is_none() {
            return Ok(None);
        }
        // Sorts all of them: `HOME_PEOPLE_MAX` at most.
        let rows = txn
            .rows(
                "SELECT a.id, a.email, a.name, h.role, h.created_at, lower(a.email) AS position
                 FROM home_membership h JOIN account a ON a.id = h.account_id
                 WHERE h.installation_id = $1 AND h.organization_id = $2 AND ($3::text IS NULL OR lower(a.email) > $3)
                 ORDER BY lower(a.email) LIMIT $4",
                &[&home, &scope.organization(), &after, &limit],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(from_row).collect::<Result<_, _>>().map(Some)
    }

    /// Gives somebody of a home another role there.
    ///
    /// # Errors
    /// There are as many owners as may be (`TooMany`), or the database failed.
    pub async fn home_person_set_role(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        (home, account): (InstallationId, AccountId),
        role: HomeRole,
    ) -> Result<HomePersonChanged, StoreError> {
        const OPERATION: &str = "home_person_set_role";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        if home_hold_in_txn(&txn, scope, home).await?.is_none() {
            return Ok(HomePersonChanged::NoSuchHome);
        }
        let Some(before) = role_of(&txn, home, account).await? else { return Ok(HomePersonChanged::NoSuchPerson) };
        if before == role {
            return Ok(HomePersonChanged::Yes);
        }
        let others = other_owners(&txn, home, account).await?;
        if before == HomeRole::Owner && others == 0 {
            return Ok(HomePersonChanged::OnlyOwner);
        }
        if role == HomeRole::Owner {
            room_for_owner(others)?;
        }
        let changed = txn
            .execute(
                "UPDATE home_membership SET role = $3 WHERE installation_id = $1 AND account_id = $2",
                &[&home, &account, &role.number()],
            )
            .await?;
        if changed != 1 {
            return Err(StoreError::Stale { what: "the person of the home" });
        }
        let entry = AuditEntry {
            before: Some(json!({ "account": account.to_string(), "role": before.word() })),
            after: Some(json!({ "account": account.to_string(), "role": role.word() })),
            ..AuditEntry::plain("home_person.update", format!("installation/{home}"))
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        Ok(HomePersonChanged::Yes)
    }

    /// Takes somebody out of a home.
    ///
    /// # Errors
    /// The database failed.
    pub async fn home_person_remove(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        (home, account): (InstallationId, AccountId),
        ownerless: OwnerlessHome,
    ) -> Result<HomePersonChanged, StoreError> {
        const OPERATION: &str = "home_person_remove";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        if home_hold_in_txn(&txn, scope, home).await?.is_none() {
            return Ok(HomePersonChanged::NoSuchHome);
        }
        let Some(before) = role_of(&txn, home, account).await? else { return Ok(HomePersonChanged::NoSuchPerson) };
        let is_only = before == HomeRole::Owner && other_owners(&txn, home, account).await? == 0;
        if is_only && ownerless == OwnerlessHome::Refused {
            return Ok(HomePersonChanged::OnlyOwner);
        }
        let gone = txn
            .execute("DELETE FROM home_membership WHERE installation_id = $1 AND account_id = $2", &[&home, &account])
            .await?;
        if gone != 1 {
            return Err(StoreError::Stale { what: "the person of the home" });
        }
        let entry = AuditEntry {
            before: Some(json!({ "account": account.to_string(), "role": before.word() })),
            ..AuditEntry::plain("home_person.remove", format!("installation/{home}"))
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        Ok(HomePersonChanged::Yes)
    }
}

/// Somebody's role in a home, held; none for somebody who has none.
pub(crate) async fn role_of(
    txn: &Txn<'_>,
    home: InstallationId,
    account: AccountId,
) -> Result<Option<HomeRole>, StoreError> {
    let row = txn
        .row_opt(
            "SELECT role FROM home_membership WHERE installation_id = $1 AND account_id = $2 FOR UPDATE",
            &[&home, &account],
        )
        .await?;
    row.map(|row| role_from_row(&row, account)).transpose()
}

/// How many others own a home. It is held, so that this stays true.
pub(crate) async fn other_owners(txn: &Txn<'_>, home: InstallationId, account: AccountId) -> Result<usize, StoreError> {
    let row = txn
        .row_opt(
            "SELECT count(*) AS others FROM home_membership WHERE installation_id = $1 AND role = $2 AND account_id <> $3",
            &[&home, &HomeRole::Owner.number(), &account],
        )
        .await?;
    let others: i64 = row.map_or(Ok(0), |row| column(&row, TABLE, "others"))?;
    Ok(usize::try_from(others).unwrap_or_default())
}

/// Whether a home that has so many owners may have one more.
pub(crate) fn room_for_owner(owners: usize) -> Result<(), StoreError> {
    if owners >= HOME_OWNERS_MAX {
        return Err(StoreError::TooMany { what: "owners of a home", most: HOME_OWNERS_MAX });
    }
    Ok(())
}

fn role_from_row(row: &Row, account: AccountId) -> Result<HomeRole, StoreError> {
    let number: i16 = column(row, TABLE, "role")?;
    let wrong = || StoreError::Inconsistent { table: TABLE, column: "role", id: account.to_string() };
    HomeRole::from_number(number).ok_or_else(wrong)
}

fn from_row(row: &Row) -> Result<HomePersonRow, StoreError> {
    let account = column(row, "account", "id")?;
    Ok(HomePersonRow {
        account,
        email: column(row, "account", "email")?,
        name: column(row, "account", "name")?,
        role: role_from_row(row, account)?,
        joined_at: column(row, TABLE, "created_at")?,
        position: column(row, "account", "position")?,
    })
}
