//! The end of a device's service, and the box that takes its place.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn, event_insert_in_txn};
use crate::error::StoreError;
use crate::pool::{AppStore, SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::lifecycle::{NotReplaced, Replaceable, Replacement, Standing, replace};
use kaliun_types::id::{DeviceId, InstallationId};
use kaliun_types::reason::ReasonCode;
use serde_json::json;
use tokio_postgres::Row;

/// What came of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// The home is the new device's, and the old one is out of service.
    Yes,
    /// One of them is not there.
    NoSuchDevice,
    /// They do not fit.
    No(NotReplaced),
}

/// A device's right to connect, from a row with the columns `deleted`, `revoked`, `decommissioned` and `wipe_identity`.
pub(crate) fn standing_from_row(row: &Row) -> Result<Standing, StoreError> {
    const TABLE: &str = "device";
    Ok(Standing {
        deleted: column(row, TABLE, "deleted")?,
        revoked: column(row, TABLE, "revoked")?,
        decommissioned: column(row, TABLE, "decommissioned")?,
        wipe_identity: column(row, TABLE, "wipe_identity")?,
    })
}

fn replaceable_from_row(row: &Row) -> Result<Replaceable, StoreError> {
    const TABLE: &str = "device";
    let installation: Option<InstallationId> = column(row, TABLE, "installation_id")?;
    Ok(Replaceable {
        device: column(row, TABLE, "id")?,
        installation,
        revoked: column(row, TABLE, "revoked")?,
        replaced_by: column(row, TABLE, "replaced_by")?,
    })
}

/// Ends a device's service, whose row is locked. One that was out of service already may only be told to wipe, too. Answers
/// whether anything changed.
async fn decommission_in_txn(
    txn: &Txn<'_>,
    scope: &OrganizationScope,
    actor: &Actor,
    device: DeviceId,
    wipe_identity: bool,
) -> Result<bool, StoreError> {
    let changed = txn
        .execute(
            "UPDATE device SET revoked_at = coalesce(revoked_at, now()), decommissioned_at = coalesce(decommissioned_at, now()),
                 wipe_identity = wipe_identity OR $3, version = version + 1
             WHERE id = $1 AND organization_id = $2 AND (decommissioned_at IS NULL OR ($3 AND NOT wipe_identity))",
            &[&device, &scope.organization(), &wipe_identity],
        )
        .await?;
    if changed == 0 {
        return Ok(false);
    }
    let entry = AuditEntry {
        action: "device.decommission",
        target: format!("device/{device}"),
        before: None,
        after: Some(json!({ "wipe_identity": wipe_identity })),
    };
    audit_insert_in_txn(txn, scope, actor, entry).await?;
    let message = if wipe_identity {
        "The device was taken out of service for good. The box deletes its identity when it is told."
    } else {
        "The device was taken out of service for good."
    };
    event_insert_in_txn(txn, scope, actor, device, ReasonCode::DeviceDecommissioned, message).await?;
    Ok(true)
}

impl SystemStore {
    /// Why a device may not connect; none when it may, and for one that is not there.
    ///
    /// # Errors
    /// The database failed.
    pub async fn device_refusal(&self, device: DeviceId) -> Result<Option<ReasonCode>, StoreError> {
        const OPERATION: &str = "device_refusal";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT deleted_at IS NOT NULL AS deleted, revoked_at IS NOT NULL AS revoked,
                        decommissioned_at IS NOT NULL AS decommissioned, wipe_identity
                 FROM device WHERE id = $1",
                &[&device],
            )
            .await?;
        txn.commit().await?;
        Ok(row.as_ref().map(standing_from_row).transpose()?.and_then(Standing::refusal))
    }
}

impl AppStore {
    /// Ends a device's service for good. Answers whether there is such a device; harmless to repeat.
    ///
    /// # Errors
    /// The database failed.
    pub async fn device_decommission(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        device: DeviceId,
        wipe_identity: bool,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "device_decommission";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let found = txn
            .row_opt(
                "SELECT id FROM device
                 WHERE id = $1 AND organization_id = $2 AND ($3::uuid[] IS NULL OR installation_id = ANY($3)) AND deleted_at IS NULL
                 FOR NO KEY UPDATE",
                &[&device, &scope.organization(), &scope.homes()],
            )
            .await?;
        if found.is_none() {
            return Ok(false);
        }
        decommission_in_txn(&txn, scope, actor, device, wipe_identity).await?;
        txn.commit().await?;
        Ok(true)
    }

    /// Gives a device's home to another one and ends the first one's service: all of it or nothing.
    ///
    /// # Errors
    /// The database failed.
    pub async fn device_replace(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        old: DeviceId,
        new: DeviceId,
        wipe_identity: bool,
    ) -> Result<Replaced, StoreError> {
        const OPERATION: &str = "device_replace";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        // Both rows in the order of their ids, so that two replacements the other way round do not wait for each other. Not their keys:
        // whoever notes an event of one of them need not wait.
        let rows = txn
            .rows(
                "SELECT id, name, installation_id, revoked_at IS NOT NULL AS revoked, replaced_by FROM device
                 WHERE id = ANY($1) AND organization_id = $2 AND deleted_at IS NULL ORDER BY id FOR NO KEY UPDATE",
                &[&vec![old, new], &scope.organization()],
            )
            .await?;
        let devices = rows.iter().map(replaceable_from_row).collect::<Result<Vec<_>, _>>()?;
        let find = |wanted: DeviceId| devices.iter().zip(&rows).find(|(device, _row)| device.device == wanted);
        let (Some((from, from_row)), Some((to, to_row))) = (find(old), find(new)) else {
            return Ok(Replaced::NoSuchDevice);
        };
        let home = match replace(from, to) {
            Ok(Replacement::Move(home)) => home,
            Ok(Replacement::Done) => {
                // Asked again because an answer was lost, or so that the old box deletes its identity after all.
                decommission_in_txn(&txn, scope, actor, old, wipe_identity).await?;
                txn.commit().await?;
                return Ok(Replaced::Yes);
            }
            Err(why) => return Ok(Replaced::No(why)),
        };
        let (from_name, to_name): (&str, &str) =
            (column(from_row, "device", "name")?, column(to_row, "device", "name")?);
        decommission_in_txn(&txn, scope, actor, old, wipe_identity).await?;
        txn.execute(
            "UPDATE device SET installation_id = NULL, replaced_by = $3, version = version + 1 WHERE id = $1 AND organization_id = $2",
            &[&old, &scope.organization(), &new],
        )
        .await?;
        txn.execute(
            "UPDATE device SET installation_id = $3, version = version + 1 WHERE id = $1 AND organization_id = $2",
            &[&new, &scope.organization(), &home],
        )
        .await?;
        let moved = [
            (old, Some(home), None, format!("device/{to_name} took this device's place.")),
            (new, to.installation, Some(home), format!("This device took the place of device/{from_name}.")),
        ];
        for (device, before, after, message) in moved {
            let entry = AuditEntry {
                action: "device.replace",
                target: format!("device/{device}"),
                before: Some(json!({ "installation": before.map(|id| id.to_string()) })),
                after: Some(
                    json!({ "installation": after.map(|id| id.to_string()), "old": old.to_string(), "new": new.to_string() }),
                ),
            };
            audit_insert_in_txn(&txn, scope, actor, entry).await?;
            event_insert_in_txn(&txn, scope, actor, device, ReasonCode::DeviceReplaced, &message).await?;
        }
        txn.commit().await?;
        Ok(Replaced::Yes)
    }
}
