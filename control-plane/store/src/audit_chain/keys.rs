//! The keys that sign checkpoints, as they are kept: they come and go sealed.

use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditKeyRow {
    /// 1, 2, 3 and so on. The last one signs.
    pub number: i32,
    /// Uncompressed point, P-256.
    pub public_key: Vec<u8>,
    /// The key itself, sealed.
    pub sealed_key: Vec<u8>,
}

impl SystemStore {
    /// All keys, ascending; none before the first start.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_key_list(&self) -> Result<Vec<AuditKeyRow>, StoreError> {
        const OPERATION: &str = "audit_key_list";
        const TABLE: &str = "audit_key";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let rows = txn.rows("SELECT number, public_key, sealed_key FROM audit_key ORDER BY number", &[]).await?;
        txn.commit().await?;
        rows.iter()
            .map(|row| {
                Ok(AuditKeyRow {
                    number: column(row, TABLE, "number")?,
                    public_key: column(row, TABLE, "public_key")?,
                    sealed_key: column(row, TABLE, "sealed_key")?,
                })
            })
            .collect()
    }

    /// Keeps the first key, unless another replica was faster.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_key_begin(&self, key: &AuditKeyRow) -> Result<(), StoreError> {
        const OPERATION: &str = "audit_key_begin";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // The second of two waits here for the first, and then has nothing to do.
        txn.execute(
            "INSERT INTO audit_key (number, public_key, sealed_key) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &[&key.number, &key.public_key, &key.sealed_key],
        )
        .await?;
        txn.commit().await
    }
}

/// Replaces each sealed key by the same one sealed anew.
pub(crate) async fn audit_key_reseal_in_txn(txn: &Txn<'_>, keys: &[AuditKeyRow]) -> Result<(), StoreError> {
    for AuditKeyRow { number, public_key: _, sealed_key } in keys {
        let changed =
            txn.execute("UPDATE audit_key SET sealed_key = $2 WHERE number = $1", &[number, sealed_key]).await?;
        if changed != 1 {
            return Err(StoreError::Stale { what: "the audit's key" });
        }
    }
    Ok(())
}
