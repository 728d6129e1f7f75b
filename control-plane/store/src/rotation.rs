//! The change from one authority to the next, as it is kept.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn, platform_audit_in_txn};
use crate::authorities::{AuthorityRow, TrustBundleRow};
use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::rotation::{Gate, Pause, Rotation, Standing, Steering};
use kaliun_types::id::{DeviceId, OrganizationId};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};
use tokio_postgres::Row;

/// Who changes the state.
#[derive(Debug, Clone, Copy)]
pub enum Author<'a> {
    /// Somebody who runs the control plane.
    Somebody(&'a OrganizationScope, &'a Actor),
    /// A rotation that goes by itself. Its audit row is in the organization that runs the control plane.
    Itself,
}

/// A change of state.
pub struct RotationChange<'a> {
    /// What was read; somebody else's change in between makes this one fail.
    pub revision: i64,
    /// The state that follows.
    pub after: Rotation,
    /// How it is steered from then on.
    pub steering: &'a Steering,
    /// The authority that is made.
    pub made: Option<&'a AuthorityRow>,
    /// The bundle that is made.
    pub bundle: Option<&'a TrustBundleRow>,
    /// The authority that nobody believes any more.
    pub retired: Option<i32>,
    /// What it is called in the audit.
    pub action: &'a str,
    /// Why, for the audit.
    pub reason: Option<&'a str>,
}

/// A device that does not fulfil a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StragglerRow {
    /// Whose it is.
    pub organization: OrganizationId,
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

/// What a device must have to fulfil a gate, as SQL over `device d` and `device_status s` with the bundle's version as `$1`, the
/// authority as `$2` and the one that it must not have as `$3`. Each may be null, which asks for nothing. What a box showed counts; one
/// that never showed any has no other certificate than the one it was granted.
const FULFILS: &str =
    "($1::bigint IS NULL OR s.trust_version >= $1) AND ($2::integer IS NULL OR s.shown_authority = $2)
     AND ($3::integer IS NULL OR coalesce(nullif(s.shown_authority, 0), d.certificate_authority) <> $3)";

impl SystemStore {
    /// Counts who fulfils a gate. Of all organizations, without those that are deleted or may not connect any more.
    ///
    /// # Errors
    /// The database failed.
    pub async fn rotation_count(&self, gate: Gate) -> Result<Standing, StoreError> {
        const OPERATION: &str = "rotation_count";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                &format!(
                    "SELECT count(*) AS devices, count(*) FILTER (WHERE {FULFILS}) AS ready,
                            count(*) FILTER (WHERE NOT ({FULFILS}) AND s.trust_version = 0) AS lost
                     FROM device d JOIN device_status s ON s.device_id = d.id WHERE d.deleted_at IS NULL AND d.revoked_at IS NULL"
                ),
                &[&gate.trust_version, &gate.authority, &gate.not_authority],
            )
            .await?;
        txn.commit().await?;
        let Some(row) = row else { return Ok(Standing::default()) };
        let number = |name| column(&row, "device", name);
        Ok(Standing { devices: number("devices")?, ready: number("ready")?, lost: number("lost")? })
    }

    /// Whether a rotation is under way that goes by itself and is not paused. Reads, and locks nothing.
    ///
    /// # Errors
    /// The database failed.
    pub async fn rotation_goes_by_itself(&self) -> Result<bool, StoreError> {
        const OPERATION: &str = "rotation_goes_by_itself";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let query = "SELECT grace_seconds IS NOT NULL AND paused_at IS NULL AS goes FROM rotation";
        let row = txn.row_opt(query, &[]).await?;
        txn.commit().await?;
        row.map_or(Ok(false), |row| column(&row, "rotation", "goes"))
    }

    /// Changes the state, with its audit row in the organization of whoever did it.
    ///
    /// # Errors
    /// Somebody else was faster (`Stale`), or the database failed.
    pub async fn rotation_change(&self, author: Author<'_>, change: RotationChange<'_>) -> Result<(), StoreError> {
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
            // They have signed what they were for. Whoever gets hold of one could sign another continuation for boxes that are behind.
            txn.execute("UPDATE trust_bundle SET sealed_key = NULL WHERE version < $1", &[&bundle.version]).await?;
        }
        if let Some(retired) = change.retired {
            // Boxes that slept through still believe what it signs: nobody shall be able to sign with it any more.
            let retire = "UPDATE authority SET retired_at = now(), sealed_key = NULL WHERE number = $1";
            txn.execute(retire, &[&retired]).await?;
        }
        state_write_in_txn(&txn, change.after, change.steering).await?;
        // What waited for a signature began from the state before.
        txn.execute("DELETE FROM unsigned_bundle", &[]).await?;
        let after = json!({
            "phase": change.after.phase().number(),
            "current": change.after.current(),
            "next": change.after.next(),
            "grace_seconds": change.steering.grace.map(|grace| grace.as_secs()),
            "reason": change.reason,
        });
        audit_in_txn(&txn, author, change.action, after).await?;
        txn.commit().await
    }
}

/// Reads how a rotation is steered from its row.
pub(crate) fn steering_from(row: &Row) -> Result<Steering, StoreError> {
    const TABLE: &str = "rotation";
    let grace_seconds: Option<i64> = column(row, TABLE, "grace_seconds")?;
    let since: Option<SystemTime> = column(row, TABLE, "paused_at")?;
    let pause = match since {
        Some(since) => {
            Some(Pause { since, by: column(row, TABLE, "paused_by")?, reason: column(row, TABLE, "pause_reason")? })
        }
        None => None,
    };
    Ok(Steering {
        grace: grace_seconds.map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
        phase_since: column(row, TABLE, "phase_since")?,
        waits_since: column(row, TABLE, "waits_since")?,
        pause,
    })
}

/// Writes the state and how it is steered.
pub(crate) async fn state_write_in_txn(txn: &Txn<'_>, after: Rotation, steering: &Steering) -> Result<(), StoreError> {
    let grace_seconds = steering.grace.map(|grace| i64::try_from(grace.as_secs()).unwrap_or(i64::MAX));
    let pause = steering.pause.as_ref();
    txn.execute(
        "UPDATE rotation SET revision = revision + 1, phase = $1, current_authority = $2, next_authority = $3, phase_since = $4,
                             waits_since = $5, grace_seconds = $6, paused_at = $7, paused_by = $8, pause_reason = $9",
        &[
            &after.phase().number(),
            &after.current(),
            &after.next(),
            &steering.phase_since,
            &steering.waits_since,
            &grace_seconds,
            &pause.map(|pause| pause.since),
            &pause.map(|pause| &pause.by),
            &pause.map(|pause| &pause.reason),
        ],
    )
    .await?;
    Ok(())
}

/// Writes what happened to the rotation, in the organization of whoever did it.
pub(crate) async fn audit_in_txn(
    txn: &Txn<'_>,
    author: Author<'_>,
    action: &str,
    after: Value,
) -> Result<(), StoreError> {
    match author {
        Author::Somebody(scope, actor) => {
            let entry = AuditEntry { action, target: "rotation".to_owned(), before: None, after: Some(after) };
            audit_insert_in_txn(txn, scope, actor, entry).await
        }
        Author::Itself => platform_audit_in_txn(txn, action, Some(after)).await,
    }
}

impl SystemStore {
    /// A page of the devices that do not fulfil a gate, of all organizations as in [`Self::rotation_count`], by id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn straggler_list_page(
        &self,
        gate: Gate,
        after: Option<DeviceId>,
        limit: i64,
    ) -> Result<Vec<StragglerRow>, StoreError> {
        const OPERATION: &str = "straggler_list_page";
        const TABLE: &str = "device";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // Along the primary key, and past those that fulfil it: no index would be smaller when a phase begins, for then it is nearly all.
        let rows = txn
            .rows(
                &format!(
                    "SELECT d.id, d.organization_id, d.name, s.online, s.link_since, s.trust_version, s.shown_authority
                     FROM device d JOIN device_status s ON s.device_id = d.id
                     WHERE d.deleted_at IS NULL AND d.revoked_at IS NULL AND NOT ({FULFILS}) AND ($4::uuid IS NULL OR d.id > $4)
                     ORDER BY d.id LIMIT $5"
                ),
                &[&gate.trust_version, &gate.authority, &gate.not_authority, &after, &limit],
            )
            .await?;
        txn.commit().await?;
        rows.iter()
            .map(|row| {
                Ok(StragglerRow {
                    organization: column(row, TABLE, "organization_id")?,
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
