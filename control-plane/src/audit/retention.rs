//! Forgets entries that are old enough: a whole beginning of a chain, up to a checkpoint, and signs that it did.

use crate::authority::audit_key::AuditKey;
use kaliun_store::{CutDue, StoreError, SystemStore};
use kaliun_types::audit::Cut;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often it looks.
pub(crate) const PERIOD: Duration = Duration::from_secs(600);
/// Entries are kept this long, of every organization alike: a year, and a month to look at it when it is over.
const KEPT: Duration = Duration::from_secs(400 * 24 * 3600);
/// Chains cut in one run.
const CHAINS: i64 = 100;
/// Entries deleted in one transaction, and transactions for one chain in one run: 29 million entries a day.
const BATCH: i64 = 2_000;
const BATCHES: usize = 100;

/// Cuts chains.
pub(crate) struct Retention {
    pub(crate) store: SystemStore,
    pub(crate) key: Arc<AuditKey>,
}

impl Retention {
    /// Does it for those that are due.
    ///
    /// # Errors
    /// The database failed; it goes on the next time.
    pub(crate) async fn activate(&self, now: SystemTime) -> Result<(), StoreError> {
        for due in self.store.audit_cut_list_due(now - KEPT, CHAINS).await? {
            self.cut(due).await?;
        }
        Ok(())
    }

    async fn cut(&self, due: CutDue) -> Result<(), StoreError> {
        let CutDue { organization, sequence, hash, now_us } = due;
        let cut = Cut { organization, sequence, hash, at_us: now_us, key_id: [0; 32], signature: Vec::new() };
        let cut = match self.key.sign_cut(cut) {
            Ok(cut) => cut,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "old audit entries stay, for that they are deleted cannot be signed");
                return Ok(());
            }
        };
        // First the word, then the deed: entries that are there beyond need harm nobody.
        if !self.store.audit_cut(&cut, self.key.number()).await? {
            return Ok(());
        }
        let mut deleted = 0;
        for _ in 0..BATCHES {
            let of_batch = self.store.audit_delete_cut(organization, BATCH).await?;
            deleted += of_batch;
            if of_batch < BATCH.unsigned_abs() {
                break;
            }
        }
        tracing::info!(organization.id = %organization, deleted, first = sequence + 1, "old audit entries deleted");
        Ok(())
    }
}
