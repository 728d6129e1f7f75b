//! Devices that may not connect any more, as they are told to a journal beside the database, and by it to a database that has forgotten.

use crate::audit::{Actor, AuditEntry, audit_of_organization_in_txn};
use crate::error::StoreError;
use crate::lifecycle::standing_from_row;
use crate::pool::{SystemStore, Txn, column};
use crate::returned_devices::INCARNATIONS_AHEAD_MAX;
use kaliun_types::audit::ACTION_RESTORED;
use kaliun_types::id::{DeviceId, OrganizationId};
use kaliun_types::reason::ReasonCode;
use std::time::SystemTime;
use tokio_postgres::Row;

/// A device that may not connect any more, as it is kept outside the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedDevice {
    /// Which.
    pub device: DeviceId,
    /// Whose.
    pub organization: OrganizationId,
    /// Its name when it ended.
    pub name: String,
    /// SHA-256 of its public key.
    pub key_hash: Vec<u8>,
    /// Since when its right is taken away.
    pub revoked_at: Option<SystemTime>,
    /// Since when its service has ended.
    pub decommissioned_at: Option<SystemTime>,
    /// Whether its box shall delete its identity.
    pub wipe_identity: bool,
    /// Since when it is off the list.
    pub deleted_at: Option<SystemTime>,
}

/// What was done to a database that came back from a backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DatabaseRestored {
    /// Its incarnation from now on.
    pub incarnation: i64,
    /// Devices that it held for good ones and that had ended since.
    pub ended: u64,
    /// Devices that it did not know, and that had ended since.
    pub tombstones: u64,
    /// Those of organizations that it does not know.
    pub skipped: u64,
}

fn ended_from_row(row: &Row) -> Result<EndedDevice, StoreError> {
    const TABLE: &str = "device";
    Ok(EndedDevice {
        device: column(row, TABLE, "id")?,
        organization: column(row, TABLE, "organization_id")?,
        name: column(row, TABLE, "name")?,
        key_hash: column(row, TABLE, "key_hash")?,
        revoked_at: column(row, TABLE, "revoked_at")?,
        decommissioned_at: column(row, TABLE, "decommissioned_at")?,
        wipe_identity: column(row, TABLE, "wipe_identity")?,
        deleted_at: column(row, TABLE, "deleted_at")?,
    })
}

impl SystemStore {
    /// A page of devices that may not connect any more, of those that ended at a time or later, with the time and id to go on behind.
    ///
    /// # Errors
    /// The database failed.
    pub async fn ended_list_page(
        &self,
        after: (SystemTime, DeviceId),
        limit: i64,
    ) -> Result<Vec<(SystemTime, EndedDevice)>, StoreError> {
        const OPERATION: &str = "ended_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // By the index device_ended.
        let rows = txn
            .rows(
                "SELECT id, organization_id, name, key_hash, revoked_at, decommissioned_at, wipe_identity, deleted_at,
                        greatest(coalesce(revoked_at, '-infinity'), coalesce(deleted_at, '-infinity'), coalesce(decommissioned_at, '-infinity')) AS ended_at
                 FROM device
                 WHERE (revoked_at IS NOT NULL OR deleted_at IS NOT NULL)
                   AND (greatest(coalesce(revoked_at, '-infinity'), coalesce(deleted_at, '-infinity'), coalesce(decommissioned_at, '-infinity')), id) > ($1, $2)
                 ORDER BY ended_at, id LIMIT $3",
                &[&after.0, &after.1, &limit],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(|row| Ok((column(row, "device", "ended_at")?, ended_from_row(row)?))).collect()
    }

    /// What time it is by the database's clock, which is the one that ends are noted by.
    ///
    /// # Errors
    /// The database failed.
    pub async fn database_time(&self) -> Result<SystemTime, StoreError> {
        const OPERATION: &str = "database_time";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn.row_opt("SELECT clock_timestamp() AS now", &[]).await?;
        txn.commit().await?;
        let missing = || StoreError::Inconsistent { table: "cluster", column: "now", id: "clock".to_owned() };
        column(&row.ok_or_else(missing)?, "cluster", "now")
    }

    /// Devices that may not connect any more since some seconds, at most a thousand, with the reason.
    ///
    /// # Errors
    /// The database failed.
    pub async fn ended_lately(&self) -> Result<Vec<(DeviceId, ReasonCode)>, StoreError> {
        const OPERATION: &str = "ended_lately";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // By the index device_ended. A transaction is seen some time after its moment, and takes 20 s at most.
        let rows = txn
            .rows(
                "SELECT id, deleted_at IS NOT NULL AS deleted, revoked_at IS NOT NULL AS revoked,
                        decommissioned_at IS NOT NULL AS decommissioned, wipe_identity
                 FROM device
                 WHERE (revoked_at IS NOT NULL OR deleted_at IS NOT NULL)
                   AND greatest(coalesce(revoked_at, '-infinity'), coalesce(deleted_at, '-infinity'), coalesce(decommissioned_at, '-infinity'))
                       > now() - interval '30 seconds'
                 LIMIT 1000",
                &[],
            )
            .await?;
        txn.commit().await?;
        let mut ended = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(reason) = standing_from_row(row)?.refusal() {
                ended.push((column(row, "device", "id")?, reason));
            }
        }
        Ok(ended)
    }

    /// Notes that this database came back from a backup: a new incarnation, and the end of every device that had ended since, as it is kept
    /// outside. All of it or nothing; harmless to repeat, but for the incarnation.
    ///
    /// # Errors
    /// The database failed.
    pub async fn database_restored(&self, ended: &[EndedDevice]) -> Result<DatabaseRestored, StoreError> {
        const OPERATION: &str = "database_restored";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "UPDATE cluster SET restored_at = now(), incarnation = 1 + greatest(incarnation, least(incarnation + $1,
                     coalesce((SELECT max(ahead_incarnation) FROM device_identity WHERE ahead_at IS NOT NULL), incarnation)))
                 RETURNING incarnation",
                &[&INCARNATIONS_AHEAD_MAX],
            )
            .await?;
        let missing = StoreError::Inconsistent { table: "cluster", column: "singleton", id: "the only row".to_owned() };
        let incarnation: i64 = column(&row.ok_or(missing)?, "cluster", "incarnation")?;
        txn.execute(
            "UPDATE device_identity SET ahead_since = NULL, ahead_at = NULL, ahead_incarnation = NULL WHERE ahead_at IS NOT NULL",
            &[],
        )
        .await?;
        // Each chain goes on from here; whoever knows more of one finds the reason in it.
        txn.execute(
            "INSERT INTO audit (organization_id, actor_kind, actor, action, target, after, request_id)
             SELECT o.id, 3, 'control-plane restored', $1, 'database',
                 jsonb_build_object('incarnation', $2::bigint, 'sequence', coalesce(c.head_sequence, 0)), 'restored'
             FROM organization o LEFT JOIN audit_chain c ON c.organization_id = o.id",
            &[&ACTION_RESTORED, &incarnation],
        )
        .await?;
        let mut done = DatabaseRestored { incarnation, ..DatabaseRestored::default() };
        for device in ended {
            match end_again(&txn, device).await? {
                EndedAgain::Known => done.ended += 1,
                EndedAgain::Tombstone => done.tombstones += 1,
                EndedAgain::NoOrganization => done.skipped += 1,
                EndedAgain::Already => {}
            }
        }
        txn.commit().await?;
        Ok(done)
    }
}

/// What came of a device's end that was said once more.
enum EndedAgain {
    /// It was held for a good one.
    Known,
    /// It was not known.
    Tombstone,
    /// Nor was its organization.
    NoOrganization,
    /// The database knew.
    Already,
}

async fn end_again(txn: &Txn<'_>, ended: &EndedDevice) -> Result<EndedAgain, StoreError> {
    // Who is decommissioned is revoked, too; a line that says otherwise is not followed half-way.
    let revoked_at = ended.revoked_at.or(ended.decommissioned_at);
    let changed = txn
        .execute(
            "UPDATE device SET revoked_at = coalesce(revoked_at, $2::timestamptz),
                 decommissioned_at = coalesce(decommissioned_at, $3::timestamptz), wipe_identity = wipe_identity OR $4::boolean,
                 deleted_at = coalesce(deleted_at, $5::timestamptz), version = version + 1
             WHERE id = $1 AND ((revoked_at IS NULL AND $2::timestamptz IS NOT NULL)
                 OR (decommissioned_at IS NULL AND $3::timestamptz IS NOT NULL)
                 OR (NOT wipe_identity AND $4::boolean) OR (deleted_at IS NULL AND $5::timestamptz IS NOT NULL))",
            &[
                &ended.device,
                &revoked_at,
                &ended.decommissioned_at,
                &(ended.wipe_identity && ended.decommissioned_at.is_some()),
                &ended.deleted_at,
            ],
        )
        .await?;
    let known = txn.row_opt("SELECT organization_id FROM device WHERE id = $1", &[&ended.device]).await?;
    let (organization, outcome) = match known {
        Some(_) if changed == 0 => return Ok(EndedAgain::Already),
        Some(row) => (column(&row, "device", "organization_id")?, EndedAgain::Known),
        None => {
            let inserted = txn
                .execute(
                    "INSERT INTO device (id, organization_id, name, key_hash, certificate_expires_at, revoked_at, decommissioned_at,
                         wipe_identity, deleted_at)
                     SELECT $1::uuid, o.id, $3::text, $4::bytea, now(), $5::timestamptz, $6::timestamptz, $7::boolean, coalesce($8::timestamptz, now())
                     FROM organization o WHERE o.id = $2",
                    &[
                        &ended.device,
                        &ended.organization,
                        &ended.name,
                        &ended.key_hash,
                        &revoked_at,
                        &ended.decommissioned_at,
                        &(ended.wipe_identity && ended.decommissioned_at.is_some()),
                        &ended.deleted_at,
                    ],
                )
                .await?;
            if inserted == 0 {
                return Ok(EndedAgain::NoOrganization);
            }
            // Whoever came meanwhile does not wait any more.
            txn.execute("DELETE FROM returned_device WHERE device_id = $1", &[&ended.device]).await?;
            (ended.organization, EndedAgain::Tombstone)
        }
    };
    let code = if ended.decommissioned_at.is_some() {
        ReasonCode::DeviceDecommissioned
    } else if revoked_at.is_some() {
        ReasonCode::DeviceRevoked
    } else {
        ReasonCode::DeviceDeleted
    };
    txn.execute(
        "INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
         VALUES ($1, $2, $3, 'The database had forgotten the end of this device, and was told of it again.', 'control-plane restored', now())",
        &[&organization, &ended.device, &code.code()],
    )
    .await?;
    let entry = AuditEntry::plain("device.end_again", format!("device/{}", ended.device));
    let actor = Actor::control_plane("control-plane restored", "restored");
    audit_of_organization_in_txn(txn, organization, &actor, entry).await?;
    Ok(outcome)
}
