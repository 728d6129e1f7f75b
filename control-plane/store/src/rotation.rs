//! The change from one authority to the next, as it is kept.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn};
use crate::authorities::{AuthorityRow, TrustBundleRow};
use crate::error::StoreError;
use crate::pool::{AppStore, SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::rotation::{Gate, Rotation};
use kaliun_types::id::DeviceId;
use serde_json::json;
use std::time::SystemTime;

/// How many devices there are, and how many fulfil a gate. Of all organizations, without those that are deleted or may not connect any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RotationCount {
    /// All.
    pub devices: i64,
    /// Those that fulfil it.
    pub ready: i64,
}

/// A change of state.
pub struct RotationChange<'a> {
    /// What was read; somebody else's change in between makes this one fail.
    pub revision: i64,
    /// The state that follows.
    pub after: Rotation,
    /// The authority that is made.
    pub made: Option<&'a AuthorityRow>,
    /// The bundle that is made.
    pub bundle: Option<&'a TrustBundleRow>,
    /// The authority that nobody believes any more.
    pub retired: Option<i32>,
    /// What it is called in the audit.
    pub action: &'a str,
}

/// A device that does not fulfil a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StragglerRow {
    /// Which.
    pub device: DeviceId,
    /// Its name.
    pub name: String,
    /// Whether its link is up.
    pub online: bool,
    /// Since when.
    pub link_since: SystemTime,
    /// The trust bundle that it holds; 0 when it never said.
    pub trust_version: i64,
    /// The authority of the certificate that it showed last; 0 when it never showed one.
    pub shown_authority: i32,
}

/// What a device must have to fulfil a gate, as SQL over `device d` and `device_status s` with the bundle's version as `$1` and the
/// authority as `$2`. Either may be null, which asks for nothing.
const FULFILS: &str =
    "($1::bigint IS NULL OR s.trust_version >= $1) AND ($2::integer IS NULL OR s.shown_authority = $2)";

impl SystemStore {
    /// Counts who fulfils a gate.
    ///
    /// # Errors
    /// The database failed.
    pub async fn rotation_count(&self, gate: Gate) -> Result<RotationCount, StoreError> {
        const OPERATION: &str = "rotation_count";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                &format!(
                    "SELECT count(*) AS devices, count(*) FILTER (WHERE {FULFILS}) AS ready
                     FROM device d JOIN device_status s ON s.device_id = d.id WHERE d.deleted_at IS NULL AND d.revoked_at IS NULL"
                ),
                &[&gate.trust_version, &gate.authority],
            )
            .await?;
        txn.commit().await?;
        let Some(row) = row else { return Ok(RotationCount::default()) };
        Ok(RotationCount { devices: column(&row, "device", "devices")?, ready: column(&row, "device", "ready")? })
    }

    /// Since when the phase lasts.
    ///
    /// # Errors
    /// The database failed, or there is no authority yet.
    pub async fn rotation_since(&self) -> Result<SystemTime, StoreError> {
        const OPERATION: &str = "rotation_since";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn.row_opt("SELECT phase_since FROM rotation", &[]).await?;
        txn.commit().await?;
        let missing =
            StoreError::Inconsistent { table: "rotation", column: "phase_since", id: "the only row".to_owned() };
        column(&row.ok_or(missing)?, "rotation", "phase_since")
    }

    /// Changes the state, with its audit row in the organization of whoever did it.
    ///
    /// # Errors
    /// Somebody else was faster (`Stale`), or the database failed.
    pub async fn rotation_change(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        change: RotationChange<'_>,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "rotation_change";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // The row of the state first: whoever reads all of it holds that.
        let row = txn.row_opt("SELECT revision FROM rotation FOR UPDATE", &[]).await?;
        let revision = row.map(|row| column::<i64>(&row, "rotation", "revision")).transpose()?;
        if revision != Some(change.revision) {
            return Err(StoreError::Stale { what: "the rotation" });
        }
        if let Some(made) = change.made {
            txn.execute(
                "INSERT INTO authority (number, certificate, sealed_key) VALUES ($1, $2, $3)",
                &[&made.number, &made.certificate, &made.sealed_key],
            )
            .await?;
        }
        if let Some(bundle) = change.bundle {
            txn.execute(
                "INSERT INTO trust_bundle (version, bundle, signature, sealed_key) VALUES ($1, $2, $3, $4)",
                &[&bundle.version, &bundle.bundle, &bundle.signature, &bundle.sealed_key],
            )
            .await?;
        }
        if let Some(retired) = change.retired {
            txn.execute("UPDATE authority SET retired_at = now() WHERE number = $1", &[&retired]).await?;
        }
        let after = change.after;
        txn.execute(
            "UPDATE rotation SET revision = revision + 1, phase = $1, phase_since = now(), current_authority = $2, next_authority = $3",
            &[&after.phase().number(), &after.current(), &after.next()],
        )
        .await?;
        let entry = AuditEntry {
            action: change.action,
            target: "rotation".to_owned(),
            before: None,
            after: Some(json!({ "phase": after.phase().number(), "current": after.current(), "next": after.next() })),
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await
    }
}

impl AppStore {
    /// A page of the organization's devices that do not fulfil a gate, by id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn straggler_list_page(
        &self,
        scope: &OrganizationScope,
        gate: Gate,
        after: Option<DeviceId>,
        limit: i64,
    ) -> Result<Vec<StragglerRow>, StoreError> {
        const OPERATION: &str = "straggler_list_page";
        const TABLE: &str = "device";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let rows = txn
            .rows(
                &format!(
                    "SELECT d.id, d.name, s.online, s.link_since, s.trust_version, s.shown_authority
                     FROM device d JOIN device_status s ON s.device_id = d.id
                     WHERE d.organization_id = $3 AND d.deleted_at IS NULL AND d.revoked_at IS NULL AND NOT ({FULFILS})
                       AND ($4::uuid IS NULL OR d.id > $4)
                     ORDER BY d.id LIMIT $5"
                ),
                &[&gate.trust_version, &gate.authority, &scope.organization(), &after, &limit],
            )
            .await?;
        txn.commit().await?;
        rows.iter()
            .map(|row| {
                Ok(StragglerRow {
                    device: column(row, TABLE, "id")?,
                    name: column(row, TABLE, "name")?,
                    online: column(row, "device_status", "online")?,
                    link_since: column(row, "device_status", "link_since")?,
                    trust_version: column(row, "device_status", "trust_version")?,
                    shown_authority: column(row, "device_status", "shown_authority")?,
                })
            })
            .collect()
    }
}
