//! Forgetting what is old: whole beginnings of a chain, up to a checkpoint, and a signed word that says so.

use super::row::{hash, signed, unsigned};
use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use kaliun_types::audit::{Cut, Hash};
use kaliun_types::id::OrganizationId;
use std::time::SystemTime;

/// A chain of which the beginning is old enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutDue {
    /// Whose.
    pub organization: OrganizationId,
    /// The last row that is old enough and has a checkpoint.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
    /// Now, by the database's clock, microseconds since the Unix epoch.
    pub now_us: i64,
}

impl SystemStore {
    /// Chains that have a checkpoint from before `horizon` beyond which they were not cut yet, at most `limit`. What stands before a
    /// checkpoint is older than it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_cut_list_due(&self, horizon: SystemTime, limit: i64) -> Result<Vec<CutDue>, StoreError> {
        const OPERATION: &str = "audit_cut_list_due";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // By the index of times: of those before the horizon each chain has one, and what has come of age since the last look.
        let rows = txn
            .rows(
                "SELECT DISTINCT ON (k.organization_id) k.organization_id, k.sequence, k.hash,
                        (extract(epoch FROM now()) * 1000000)::bigint AS now_us
                 FROM audit_checkpoint k JOIN audit_chain c ON c.organization_id = k.organization_id
                 WHERE k.signed_at < $1 AND k.sequence > c.cut_sequence
                 ORDER BY k.organization_id, k.sequence DESC LIMIT $2",
                &[&horizon, &limit],
            )
            .await?;
        txn.commit().await?;
        rows.iter()
            .map(|row| {
                const TABLE: &str = "audit_checkpoint";
                Ok(CutDue {
                    organization: column(row, TABLE, "organization_id")?,
                    sequence: unsigned(row, TABLE, "sequence")?,
                    hash: hash(row, TABLE, "hash")?.unwrap_or_default(),
                    now_us: column(row, TABLE, "now_us")?,
                })
            })
            .collect()
    }

    /// Says where a chain begins from now on, signed with the key of a number. Answers whether that was news.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_cut(&self, cut: &Cut, key: i32) -> Result<bool, StoreError> {
        const OPERATION: &str = "audit_cut";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let moved = txn
            .execute(
                "UPDATE audit_chain SET cut_sequence = $2, cut_hash = $3,
                     cut_at = timestamptz 'epoch' + $4::bigint * interval '1 microsecond', cut_key = $5, cut_signature = $6
                 WHERE organization_id = $1 AND cut_sequence < $2 AND checkpoint_sequence >= $2",
                &[
                    &cut.organization,
                    &signed(cut.sequence),
                    &cut.hash.as_slice(),
                    &cut.at_us,
                    &key,
                    &cut.signature,
                ],
            )
            .await?;
        txn.commit().await?;
        Ok(moved == 1)
    }

    /// Deletes rows before the beginning of a chain, the oldest first, at most `limit`, and the checkpoints at them. Answers how many rows.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_delete_cut(&self, organization: OrganizationId, limit: i64) -> Result<u64, StoreError> {
        const OPERATION: &str = "audit_delete_cut";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let deleted = txn
            .execute(
                "DELETE FROM audit WHERE organization_id = $1 AND sequence IN (
                     SELECT a.sequence FROM audit a JOIN audit_chain c ON c.organization_id = a.organization_id
                     WHERE a.organization_id = $1 AND a.sequence <= c.cut_sequence ORDER BY a.sequence LIMIT $2)",
                &[&organization, &limit],
            )
            .await?;
        // That at the last deleted row stays: the next cut looks from there on.
        txn.execute(
            "DELETE FROM audit_checkpoint k USING audit_chain c
             WHERE k.organization_id = $1 AND c.organization_id = $1 AND k.sequence < c.cut_sequence",
            &[&organization],
        )
        .await?;
        txn.commit().await?;
        Ok(deleted)
    }
}
