//! What a database that came back from a backup does not know: devices that were enrolled since, and what known ones remember.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn};
use crate::enrollments::free_name;
use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use crate::sessions::SessionOpen;
use kaliun_types::id::{DeviceId, OrganizationId};
use kaliun_types::name::DeviceName;
use kaliun_types::reason::ReasonCode;
use serde_json::json;
use std::time::{Duration, SystemTime};
use tokio_postgres::Row;

const TABLE: &str = "returned_device";

/// A certificate is made after what is noted of it: a box that waits for a claim lets some time go by. Renewals are 20 days apart.
const CERTIFICATE_TOLERANCE: Duration = Duration::from_secs(3600);

/// A box that says it knows an incarnation so much higher than the cluster's does not count: one word of one box must not use them up.
pub(crate) const INCARNATIONS_AHEAD_MAX: i64 = 1_000;

/// What came of taking a device back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readopted {
    /// It has a record again.
    Yes,
    /// None such came for this organization.
    NoSuchDevice,
    /// Its key is another device's by now, or was revoked.
    KeyRefused,
}

/// Whether a box remembers what this database does not. The row has the columns `session_epoch`, `incarnation` and `certificate_expires_at`.
pub(crate) fn is_ahead(open: &SessionOpen, row: &Row) -> Result<bool, StoreError> {
    let epoch: i64 = column(row, "device_status", "session_epoch")?;
    let incarnation: i64 = column(row, "cluster", "incarnation")?;
    let expires_at: SystemTime = column(row, "device", "certificate_expires_at")?;
    let knows_later = open.known_incarnation > incarnation
        && open.known_incarnation <= incarnation.saturating_add(INCARNATIONS_AHEAD_MAX);
    Ok(open.known_epoch > epoch || knows_later || open.certificate_expires_at > expires_at + CERTIFICATE_TOLERANCE)
}

/// Keeps which devices came that this database does not know. One whose key is another device's by now, or was revoked, does not wait.
pub(crate) async fn returned_note_in_txn(txn: &Txn<'_>, returned: &[SessionOpen]) -> Result<(), StoreError> {
    if returned.is_empty() {
        return Ok(());
    }
    let devices: Vec<DeviceId> = returned.iter().map(|open| open.device).collect();
    let organizations: Vec<Option<OrganizationId>> =
        returned.iter().map(|open| open.certificate_organization).collect();
    let keys: Vec<&[u8]> = returned.iter().map(|open| open.key_hash.as_slice()).collect();
    let authorities: Vec<i32> = returned.iter().map(|open| open.shown_authority).collect();
    let expiries: Vec<SystemTime> = returned.iter().map(|open| open.certificate_expires_at).collect();
    let sources: Vec<&str> = returned.iter().map(|open| open.source.as_str()).collect();
    // They come back each minute; that is written down each ten.
    txn.execute(
        "INSERT INTO returned_device AS r
             (device_id, organization_id, key_hash, certificate_authority, certificate_expires_at, source)
         SELECT c.device_id, o.id, c.key_hash, c.authority, c.expires_at, c.source
         FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::integer[], $5::timestamptz[], $6::text[])
             AS c (device_id, organization_id, key_hash, authority, expires_at, source)
         LEFT JOIN organization o ON o.id = c.organization_id
         WHERE NOT EXISTS (
             SELECT FROM device d WHERE d.key_hash = c.key_hash AND (d.deleted_at IS NULL OR d.revoked_at IS NOT NULL))
         ORDER BY c.device_id
         ON CONFLICT (device_id) DO UPDATE SET organization_id = EXCLUDED.organization_id, key_hash = EXCLUDED.key_hash,
             certificate_authority = EXCLUDED.certificate_authority, certificate_expires_at = EXCLUDED.certificate_expires_at,
             source = EXCLUDED.source, last_at = now()
         WHERE r.last_at < now() - interval '10 minutes' OR r.key_hash <> EXCLUDED.key_hash",
        &[&devices, &organizations, &keys, &authorities, &expiries, &sources],
    )
    .await?;
    Ok(())
}

/// Takes over what devices remember and this database does not, and keeps that it is older than they are unless somebody has said so.
pub(crate) async fn ahead_note_in_txn(txn: &Txn<'_>, ahead: &[SessionOpen]) -> Result<(), StoreError> {
    if ahead.is_empty() {
        return Ok(());
    }
    let devices: Vec<DeviceId> = ahead.iter().map(|open| open.device).collect();
    let expiries: Vec<SystemTime> = ahead.iter().map(|open| open.certificate_expires_at).collect();
    let authorities: Vec<i32> = ahead.iter().map(|open| open.shown_authority).collect();
    let incarnations: Vec<i64> = ahead.iter().map(|open| open.known_incarnation).collect();
    txn.execute(
        "UPDATE device d SET certificate_expires_at = a.expires_at, certificate_authority = a.authority
         FROM unnest($1::uuid[], $2::timestamptz[], $3::integer[]) AS a (device_id, expires_at, authority)
         WHERE d.id = a.device_id AND d.certificate_expires_at < a.expires_at",
        &[&devices, &expiries, &authorities],
    )
    .await?;
    // Whoever knows the present incarnation, and more than the database, saw it go back without a word.
    txn.execute(
        "WITH ahead AS (
             SELECT d.id AS device_id, d.organization_id, a.incarnation, a.incarnation >= c.incarnation AS is_unsaid
             FROM unnest($1::uuid[], $2::bigint[]) AS a (device_id, incarnation)
             JOIN device d ON d.id = a.device_id CROSS JOIN cluster c
         ), noted AS (
             INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
             SELECT organization_id, device_id, $3, 'The box remembers what this database does not, which came back from a backup.',
                    'control-plane', now()
             FROM ahead a
             WHERE NOT EXISTS (SELECT FROM device_identity k WHERE k.device_id = a.device_id AND k.ahead_at > now() - interval '1 day')
         )
         INSERT INTO device_identity AS k (device_id, organization_id, ahead_since, ahead_at, ahead_incarnation)
         SELECT device_id, organization_id, now(), now(), incarnation FROM ahead WHERE is_unsaid ORDER BY device_id
         ON CONFLICT (device_id) DO UPDATE SET ahead_since = coalesce(k.ahead_since, now()), ahead_at = now(),
             ahead_incarnation = EXCLUDED.ahead_incarnation",
        &[&devices, &incarnations, &ReasonCode::DeviceAheadOfDatabase.code()],
    )
    .await?;
    Ok(())
}

impl SystemStore {
    /// Gives a device a record again that came with a certificate of ours and that this database does not know: for the organization that
    /// its certificate names. One that names none goes to the only organization there is.
    ///
    /// # Errors
    /// The database failed.
    pub async fn device_take_back(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        device: DeviceId,
        name: &DeviceName,
    ) -> Result<Readopted, StoreError> {
        const OPERATION: &str = "device_take_back";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let organization = scope.organization();
        // What is of no organization can only be of the one that there is.
        let others = txn.row_opt("SELECT 1 AS one FROM organization WHERE id <> $1 LIMIT 1", &[&organization]).await?;
        txn.bind(scope).await?;
        let row = txn
            .row_opt(
                "SELECT key_hash, certificate_expires_at, certificate_authority FROM returned_device
                 WHERE device_id = $1 AND (organization_id = $2 OR (organization_id IS NULL AND $3)) FOR UPDATE",
                &[&device, &organization, &others.is_none()],
            )
            .await?;
        let Some(row) = row else { return Ok(Readopted::NoSuchDevice) };
        let key_hash: &[u8] = column(&row, TABLE, "key_hash")?;
        let expires_at: SystemTime = column(&row, TABLE, "certificate_expires_at")?;
        let authority: i32 = column(&row, TABLE, "certificate_authority")?;
        txn.unbind().await?;
        let taken = txn
            .row_opt(
                "SELECT id FROM device WHERE key_hash = $1 AND (deleted_at IS NULL OR revoked_at IS NOT NULL) LIMIT 1",
                &[&key_hash],
            )
            .await?;
        txn.bind(scope).await?;
        if taken.is_some() {
            return Ok(Readopted::KeyRefused);
        }
        let name = free_name(&txn, organization, name).await?;
        txn.execute(
            "INSERT INTO device (id, organization_id, name, key_hash, certificate_expires_at, certificate_authority)
             VALUES ($1, $2, $3, $4, $5, $6)",
            &[&device, &organization, &name, &key_hash, &expires_at, &authority],
        )
        .await
        .map_err(|error| error.unless_duplicate("a device with this id or key"))?;
        txn.execute(
            "INSERT INTO device_status (device_id, organization_id) VALUES ($1, $2)",
            &[&device, &organization],
        )
        .await?;
        txn.execute(
            "INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
             VALUES ($1, $2, $3, 'The device was taken back, which the database had forgotten.', $4, now())",
            &[&organization, &device, &ReasonCode::DeviceReadopted.code(), &actor.name],
        )
        .await?;
        let entry = AuditEntry {
            after: Some(json!({ "name": name, "after_restore": true })),
            ..AuditEntry::plain("device.readopt", format!("device/{device}"))
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.execute("DELETE FROM returned_device WHERE device_id = $1", &[&device]).await?;
        txn.commit().await?;
        Ok(Readopted::Yes)
    }

    /// Forgets devices that wait to be taken back and whose certificate has run out, at most `limit`; answers how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn returned_delete_expired(&self, now: SystemTime, limit: i64) -> Result<u64, StoreError> {
        const OPERATION: &str = "returned_delete_expired";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let deleted = txn
            .execute(
                "DELETE FROM returned_device WHERE device_id IN (
                     SELECT device_id FROM returned_device WHERE certificate_expires_at < $1 LIMIT $2)",
                &[&now, &limit],
            )
            .await?;
        txn.commit().await?;
        Ok(deleted)
    }
}
