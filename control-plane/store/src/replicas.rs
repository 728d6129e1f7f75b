//! Which control plane processes there are, and the end of sessions whose process is gone.

use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use kaliun_types::id::{DeviceId, OrganizationId, ReplicaId};
use kaliun_types::reason::ReasonCode;
use std::time::Duration;

impl SystemStore {
    /// Adds this process. An older one of the same name is over: it was this one before a restart.
    ///
    /// # Errors
    /// The database failed.
    pub async fn replica_insert(&self, id: ReplicaId, name: &str) -> Result<(), StoreError> {
        const OPERATION: &str = "replica_insert";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        txn.execute("DELETE FROM replica WHERE name = $1", &[&name]).await?;
        txn.execute("INSERT INTO replica (id, name) VALUES ($1, $2)", &[&id, &name]).await?;
        txn.commit().await
    }

    /// Says that this process lives. Answers false when others have given it up: then its sessions are over.
    ///
    /// # Errors
    /// The database failed.
    pub async fn replica_heartbeat(&self, id: ReplicaId) -> Result<bool, StoreError> {
        const OPERATION: &str = "replica_heartbeat";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let changed = txn.execute("UPDATE replica SET heard_at = now() WHERE id = $1", &[&id]).await?;
        txn.commit().await?;
        Ok(changed > 0)
    }

    /// Removes this process at the end of its life.
    ///
    /// # Errors
    /// The database failed.
    pub async fn replica_delete(&self, id: ReplicaId) -> Result<(), StoreError> {
        const OPERATION: &str = "replica_delete";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        txn.execute("DELETE FROM replica WHERE id = $1", &[&id]).await?;
        txn.commit().await
    }

    /// Forgets processes not heard of for `lease`, and ends up to `limit` sessions whose process is gone. Answers whose.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sessions_reap(
        &self,
        lease: Duration,
        limit: i64,
    ) -> Result<Vec<(OrganizationId, DeviceId)>, StoreError> {
        const OPERATION: &str = "sessions_reap";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        txn.execute("DELETE FROM replica WHERE heard_at < now() - make_interval(secs => $1)", &[&lease.as_secs_f64()])
            .await?;
        let rows = txn
            .rows(
                "WITH orphan AS (
                     SELECT s.device_id FROM device_status s
                     WHERE s.online AND NOT EXISTS (SELECT FROM replica r WHERE r.id = s.replica_id)
                     ORDER BY s.device_id LIMIT $2 FOR UPDATE SKIP LOCKED
                 ), ended AS (
                     UPDATE device_status s SET online = false, replica_id = NULL, link_since = now(), link_reason = $1
                     FROM orphan o WHERE s.device_id = o.device_id
                     RETURNING s.organization_id, s.device_id
                 ), noted AS (
                     INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
                     SELECT organization_id, device_id, $1, 'The control plane process that held the connection ended.', 'control-plane', now()
                     FROM ended
                 )
                 SELECT organization_id, device_id FROM ended",
                &[&ReasonCode::LinkServerLost.code(), &limit],
            )
            .await?;
        txn.commit().await?;
        rows.iter()
            .map(|row| {
                Ok((column(row, "device_status", "organization_id")?, column(row, "device_status", "device_id")?))
            })
            .collect()
    }

    /// Whether a control plane that uses this database was heard lately.
    ///
    /// # Errors
    /// The database failed.
    pub async fn replica_is_alive(&self, within: Duration) -> Result<bool, StoreError> {
        const OPERATION: &str = "replica_is_alive";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT 1 AS one FROM replica WHERE heard_at > now() - make_interval(secs => $1) LIMIT 1",
                &[&within.as_secs_f64()],
            )
            .await?;
        txn.commit().await?;
        Ok(row.is_some())
    }
}
