//! Homes.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn};
use crate::error::StoreError;
use crate::holds::organization_share_in_txn;
use crate::mailed_secrets::mailed_secret_void_in_txn;
use crate::pool::{AppStore, SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::mailed_secret::SecretPurpose;
use kaliun_domain::time_zone::TimeZoneName;
use kaliun_types::id::{AccountId, DeviceId, InstallationId, InvitationId};
use serde_json::json;
use std::collections::BTreeSet;
use tokio_postgres::Row;

const TABLE: &str = "installation";

/// Most devices of a home of which it is told that the home has another name. It is a hint; a home has a box, and some that it had.
const TOLD_MAX: i64 = 100;

/// A home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallationRow {
    /// Which.
    pub id: InstallationId,
    /// For people.
    pub name: String,
    /// IANA name.
    pub time_zone: String,
}

/// What a person changes of a home.
#[derive(Debug, Clone, Copy, Default)]
pub struct InstallationChange<'a> {
    /// Another name; none to keep it.
    pub name: Option<&'a str>,
    /// Another time zone; none to keep it.
    pub time_zone: Option<TimeZoneName>,
}

/// What became of a home that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstallationDeleted {
    /// It is gone, and these people have rights no more that they had by it.
    Yes(BTreeSet<AccountId>),
    /// There is no such home.
    NoSuchHome,
    /// A box serves it.
    Served,
}

impl AppStore {
    /// A page of homes, ordered by name, after the one with this name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn installation_list_page(
        &self,
        scope: &OrganizationScope,
        after_name: Option<&str>,
        limit: i64,
    ) -> Result<Vec<InstallationRow>, StoreError> {
        const OPERATION: &str = "installation_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let rows = txn
            .rows(
                "SELECT id, name, time_zone FROM installation
                 WHERE organization_id = $1 AND ($4::uuid[] IS NULL OR id = ANY($4)) AND ($2::text IS NULL OR name > $2)
                 ORDER BY name LIMIT $3",
                &[&scope.organization(), &after_name, &limit, &scope.homes()],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(from_row).collect()
    }
}

impl SystemStore {
    /// Makes a home.
    ///
    /// # Errors
    /// There is one of this name (`AlreadyExists`), or the database failed.
    pub async fn installation_insert(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        name: &str,
        time_zone: TimeZoneName,
    ) -> Result<InstallationRow, StoreError> {
        const OPERATION: &str = "installation_insert";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let id = InstallationId::new();
        txn.execute(
            "INSERT INTO installation (id, organization_id, name, time_zone) VALUES ($1, $2, $3, $4)",
            &[&id, &scope.organization(), &name, &time_zone.as_str()],
        )
        .await
        .map_err(|error| error.unless_duplicate("a home of this name"))?;
        let after = json!({ "name": name, "time_zone": time_zone.as_str() });
        let entry =
            AuditEntry { after: Some(after), ..AuditEntry::plain("installation.create", format!("installation/{id}")) };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        Ok(InstallationRow { id, name: name.to_owned(), time_zone: time_zone.as_str().to_owned() })
    }

    /// Changes a home. Answers it as it is then, with the devices that show another name now; none when there is no such home.
    ///
    /// # Errors
    /// There is another one of the name (`AlreadyExists`), or the database failed.
    pub async fn installation_update(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        id: InstallationId,
        change: InstallationChange<'_>,
    ) -> Result<Option<(InstallationRow, Vec<DeviceId>)>, StoreError> {
        const OPERATION: &str = "installation_update";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let Some(before) = held_whole(&txn, scope, id, HELD_TO_CHANGE).await? else { return Ok(None) };
        let after = InstallationRow {
            id,
            name: change.name.unwrap_or(&before.name).to_owned(),
            time_zone: change.time_zone.map_or_else(|| before.time_zone.clone(), |zone| zone.as_str().to_owned()),
        };
        if after == before {
            return Ok(Some((before, Vec::new())));
        }
        let changed = txn
            .execute(
                "UPDATE installation SET name = $2, time_zone = $3 WHERE id = $1",
                &[&id, &after.name, &after.time_zone],
            )
            .await
            .map_err(|error| error.unless_duplicate("a home of this name"))?;
        if changed != 1 {
            return Err(StoreError::Stale { what: "the home" });
        }
        let told = if after.name == before.name { Vec::new() } else { served_by(&txn, scope, id).await? };
        let entry = AuditEntry {
            before: Some(json!({ "name": before.name, "time_zone": before.time_zone })),
            after: Some(json!({ "name": after.name, "time_zone": after.time_zone })),
            ..AuditEntry::plain("installation.update", format!("installation/{id}"))
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        Ok(Some((after, told)))
    }

    /// Deletes a home that no box serves, with all that people are in it, are invited to or were allowed. Boxes that may not connect any
    /// more are left without a home.
    ///
    /// # Errors
    /// The database failed.
    pub async fn installation_delete(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        id: InstallationId,
    ) -> Result<InstallationDeleted, StoreError> {
        const OPERATION: &str = "installation_delete";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        organization_share_in_txn(&txn, scope.organization()).await?;
        let Some(before) = held_whole(&txn, scope, id, HELD_TO_DELETE).await? else {
            return Ok(InstallationDeleted::NoSuchHome);
        };
        // Whoever brings a box in or invites meanwhile waits for the row that is held, and then finds no home.
        let served = txn
            .row_opt(
                "SELECT 1 AS one FROM device
                 WHERE installation_id = $1 AND organization_id = $2 AND deleted_at IS NULL AND revoked_at IS NULL LIMIT 1",
                &[&id, &scope.organization()],
            )
            .await?;
        if served.is_some() {
            return Ok(InstallationDeleted::Served);
        }
        let people = delete_with_what_is_in_it(&txn, id).await?;
        let entry = AuditEntry {
            before: Some(json!({ "name": before.name, "time_zone": before.time_zone, "people": people.len() })),
            ..AuditEntry::plain("installation.delete", format!("installation/{id}"))
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        Ok(InstallationDeleted::Yes(people))
    }
}

/// Devices that show a home.
async fn served_by(txn: &Txn<'_>, scope: &OrganizationScope, id: InstallationId) -> Result<Vec<DeviceId>, StoreError> {
    let rows = txn
        .rows(
            "SELECT id FROM device WHERE installation_id = $1 AND organization_id = $2 AND deleted_at IS NULL
             ORDER BY id LIMIT $3",
            &[&id, &scope.organization(), &TOLD_MAX],
        )
        .await?;
    rows.iter().map(|row| column(row, "device", "id")).collect()
}

/// Deletes a home that is held. Answers whose rights are others now.
async fn delete_with_what_is_in_it(txn: &Txn<'_>, id: InstallationId) -> Result<BTreeSet<AccountId>, StoreError> {
    txn.execute("UPDATE device SET installation_id = NULL, version = version + 1 WHERE installation_id = $1", &[&id])
        .await?;
    let mut people = BTreeSet::new();
    for statement in [
        "DELETE FROM home_membership WHERE installation_id = $1 RETURNING account_id",
        "DELETE FROM consent WHERE installation_id = $1 RETURNING account_id",
    ] {
        for row in txn.rows(statement, &[&id]).await? {
            people.extend(column::<Option<AccountId>>(&row, TABLE, "account_id")?);
        }
    }
    for row in txn.rows("DELETE FROM invitation WHERE installation_id = $1 RETURNING id", &[&id]).await? {
        let invitation: InvitationId = column(&row, "invitation", "id")?;
        mailed_secret_void_in_txn(txn, SecretPurpose::Invitation, invitation.as_uuid()).await?;
    }
    let gone = txn.execute("DELETE FROM installation WHERE id = $1", &[&id]).await?;
    if gone != 1 {
        return Err(StoreError::Stale { what: "the home" });
    }
    Ok(people)
}

const HELD_TO_CHANGE: &str = "SELECT id, name, time_zone FROM installation
     WHERE id = $1 AND organization_id = $2 AND ($3::uuid[] IS NULL OR id = ANY($3)) FOR NO KEY UPDATE";
const HELD_TO_DELETE: &str = "SELECT id, name, time_zone FROM installation
     WHERE id = $1 AND organization_id = $2 AND ($3::uuid[] IS NULL OR id = ANY($3)) FOR UPDATE";

/// A home, held by one of the statements above, as far as the scope reaches.
async fn held_whole(
    txn: &Txn<'_>,
    scope: &OrganizationScope,
    id: InstallationId,
    statement: &'static str,
) -> Result<Option<InstallationRow>, StoreError> {
    let row = txn.row_opt(statement, &[&id, &scope.organization(), &scope.homes()]).await?;
    row.as_ref().map(from_row).transpose()
}

fn from_row(row: &Row) -> Result<InstallationRow, StoreError> {
    Ok(InstallationRow {
        id: column(row, TABLE, "id")?,
        name: column(row, TABLE, "name")?,
        time_zone: column(row, TABLE, "time_zone")?,
    })
}
