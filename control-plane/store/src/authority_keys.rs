//! The authorities' keys on their way: into an empty database, and under another key file's key.

use crate::audit::platform_audit_in_txn;
use crate::audit_chain::{AuditKeyRow, audit_key_reseal_in_txn};
use crate::authorities::{AuthorityRow, AuthorityRows, TrustBundleRow};
use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use crate::rotation::state_write_in_txn;
use serde_json::json;
use std::time::Duration;

/// Why the keys stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysKept {
    /// There are authorities in this database.
    NotEmpty,
    /// These processes run and hold what would be replaced. At most 10 names.
    Running(Vec<String>),
    /// They were changed meanwhile.
    Changed,
}

impl SystemStore {
    /// Keeps authorities and bundles of another database, in an empty one.
    ///
    /// # Errors
    /// The database failed. A refusal is `Ok(Err(why))`.
    pub async fn authorities_import(&self, rows: &AuthorityRows) -> Result<Result<(), KeysKept>, StoreError> {
        const OPERATION: &str = "authorities_import";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        for AuthorityRow { number, certificate, sealed_key, is_retired } in &rows.authorities {
            // The second of two waits here for the first, and then finds that it is not empty.
            let inserted = txn
                .execute(
                    "INSERT INTO authority (number, certificate, sealed_key, retired_at)
                     VALUES ($1, $2, $3, CASE WHEN $4 THEN now() END) ON CONFLICT DO NOTHING",
                    &[number, certificate, sealed_key, is_retired],
                )
                .await?;
            if inserted == 0 {
                return Ok(Err(KeysKept::NotEmpty));
            }
        }
        if txn.row_opt("SELECT revision FROM rotation FOR UPDATE", &[]).await?.is_some() {
            return Ok(Err(KeysKept::NotEmpty));
        }
        for TrustBundleRow { version, bundle, signature, sealed_key } in &rows.bundles {
            txn.execute(
                "INSERT INTO trust_bundle (version, bundle, signature, sealed_key) VALUES ($1, $2, $3, $4)",
                &[version, bundle, signature, sealed_key],
            )
            .await?;
        }
        txn.execute("INSERT INTO rotation (current_authority) VALUES ($1)", &[&rows.rotation.current()]).await?;
        state_write_in_txn(&txn, rows.rotation, &rows.steering).await?;
        platform_audit_in_txn(&txn, "ca.import", Some(json!({ "authorities": rows.authorities.len() }))).await?;
        txn.commit().await?;
        Ok(Ok(()))
    }

    /// Replaces each sealed key, those that sign the audit's checkpoints too, by the same one sealed anew. Refused while a process runs that was heard of within `lease`, for it holds
    /// the key that opened the old ones.
    ///
    /// # Errors
    /// The database failed. A refusal is `Ok(Err(why))`.
    pub async fn authorities_reseal(
        &self,
        rows: &AuthorityRows,
        audit_keys: &[AuditKeyRow],
        lease: Duration,
    ) -> Result<Result<(), KeysKept>, StoreError> {
        const OPERATION: &str = "authorities_reseal";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // The row of the state first, as each change takes it.
        let row = txn.row_opt("SELECT revision FROM rotation FOR UPDATE", &[]).await?;
        if row.map(|row| column::<i64>(&row, "rotation", "revision")).transpose()? != Some(rows.revision) {
            return Ok(Err(KeysKept::Changed));
        }
        let running = txn
            .rows(
                "SELECT name FROM replica WHERE heard_at > now() - make_interval(secs => $1) ORDER BY name LIMIT 10",
                &[&lease.as_secs_f64()],
            )
            .await?;
        if !running.is_empty() {
            let names = running.iter().map(|row| column(row, "replica", "name")).collect::<Result<_, _>>()?;
            return Ok(Err(KeysKept::Running(names)));
        }
        for AuthorityRow { number, sealed_key, .. } in &rows.authorities {
            txn.execute("UPDATE authority SET sealed_key = $2 WHERE number = $1", &[number, sealed_key]).await?;
        }
        for TrustBundleRow { version, sealed_key, .. } in &rows.bundles {
            txn.execute("UPDATE trust_bundle SET sealed_key = $2 WHERE version = $1", &[version, sealed_key]).await?;
        }
        audit_key_reseal_in_txn(&txn, audit_keys).await?;
        txn.execute("UPDATE rotation SET revision = revision + 1", &[]).await?;
        platform_audit_in_txn(&txn, "ca.rekey", None).await?;
        txn.commit().await?;
        Ok(Ok(()))
    }

    /// Notes that keys were taken out.
    ///
    /// # Errors
    /// The database failed.
    pub async fn authorities_exported(&self, action: &str) -> Result<(), StoreError> {
        const OPERATION: &str = "authorities_exported";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        platform_audit_in_txn(&txn, action, None).await?;
        txn.commit().await
    }

    /// Keeps another sealed key of the newest bundle, or none, and none of older ones.
    ///
    /// # Errors
    /// The database failed. A refusal is `Ok(Err(why))`.
    pub async fn bundle_key_replace(
        &self,
        revision: i64,
        version: i64,
        sealed_key: Option<&[u8]>,
        action: &str,
    ) -> Result<Result<(), KeysKept>, StoreError> {
        const OPERATION: &str = "bundle_key_replace";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let changed =
            txn.execute("UPDATE rotation SET revision = revision + 1 WHERE revision = $1", &[&revision]).await?;
        if changed == 0 {
            return Ok(Err(KeysKept::Changed));
        }
        txn.execute(
            "UPDATE trust_bundle SET sealed_key = CASE WHEN version = $1 THEN $2::bytea END",
            &[&version, &sealed_key],
        )
        .await?;
        platform_audit_in_txn(&txn, action, Some(json!({ "version": version }))).await?;
        txn.commit().await?;
        Ok(Ok(()))
    }
}
