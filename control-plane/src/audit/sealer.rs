//! The sealer: gives committed entries their numbers and hashes, and signs checkpoints.
//!
//! Each replica runs one. An organization's chain is leased to one of them at a time, and what that writes is refused when the chain has
//! another end by then; so two at once do no harm, and one that is killed leaves nothing half done.

use super::TOOLS;
use crate::authority::audit_key::AuditKey;
use kaliun_store::{SealedEntry, StoreError, SystemStore, TakenChain};
use kaliun_types::audit::{Checkpoint, genesis_message};
use kaliun_types::id::{OrganizationId, ReplicaId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it looks for what waits. An entry is sealed within that and the time for it, so within a second.
pub(crate) const PERIOD: Duration = Duration::from_millis(500);
/// A chain belongs to one replica for so long after it had something to seal. When that dies, another goes on after this.
const LEASE: Duration = Duration::from_secs(5);
/// Entries sealed in one transaction: some 5 ms of hashing and 20 ms of the database, and 2 MB while they are under way.
const BATCH: i64 = 1_000;
/// Batches of one organization in one look, so that the others do not wait for one that has many: 5,000 entries in half a second are
/// twenty times the 500 a second that an organization may make.
const BATCHES: usize = 5;
/// Organizations in one page, and pages in one look: 16,000 organizations that all have news in the same half second.
const PAGE: i64 = 256;
const PAGES: usize = 64;
/// A chain with news gets a checkpoint after so long, or after so many entries.
const CHECKPOINT_PERIOD: Duration = Duration::from_secs(60);
const CHECKPOINT_ENTRIES: u64 = 1_000;

/// Tells that something was sealed here. A hint: the rows are the truth.
#[derive(Debug, Clone)]
pub(crate) struct News(Arc<watch::Sender<u64>>);

impl News {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    fn tell(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// What changes when something was sealed.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

/// The sealer of this replica.
pub(crate) struct Sealer {
    pub(crate) store: SystemStore,
    pub(crate) replica: ReplicaId,
    pub(crate) key: Arc<AuditKey>,
    pub(crate) news: News,
}

/// What is to be written of a chain.
struct Batch {
    taken: TakenChain,
    sealed: Vec<SealedEntry>,
    checkpoint: Option<Checkpoint>,
}

impl Sealer {
    /// Seals what waits in all organizations.
    ///
    /// # Errors
    /// The database failed; what was not sealed is sealed the next time.
    pub(crate) async fn activate(&self) -> Result<(), StoreError> {
        let mut after = OrganizationId::from_uuid(uuid::Uuid::nil());
        for _ in 0..PAGES {
            let due = self.store.audit_chain_list_due(after, CHECKPOINT_PERIOD, PAGE).await?;
            for organization in &due {
                self.seal(*organization).await?;
            }
            match due.last() {
                Some(last) if i64::try_from(due.len()).is_ok_and(|count| count >= PAGE) => after = *last,
                Some(_) | None => break,
            }
        }
        Ok(())
    }

    /// Seals what waits in one organization, up to a bound.
    async fn seal(&self, organization: OrganizationId) -> Result<(), StoreError> {
        let genesis = (TOOLS.sha256)(&genesis_message(organization));
        for _ in 0..BATCHES {
            let taken = self.store.audit_chain_take(organization, &genesis, self.replica, LEASE, BATCH).await?;
            // Another replica has it.
            let Some(taken) = taken else { return Ok(()) };
            let (key, is_full) =
                (Arc::clone(&self.key), i64::try_from(taken.entries.len()).is_ok_and(|count| count >= BATCH));
            // Thousands of hashes take milliseconds. It only fails when it panics, and then the next look tries again.
            let Ok(batch) = tokio::task::spawn_blocking(move || Batch::new(taken, &key)).await else { return Ok(()) };
            let Batch { taken, sealed, checkpoint } = batch;
            if sealed.is_empty() && checkpoint.is_none() {
                return Ok(());
            }
            let checkpoint = checkpoint.as_ref().map(|checkpoint| (checkpoint, self.key.number()));
            if !self.store.audit_seal(&taken.head, self.replica, &sealed, checkpoint).await? {
                tracing::debug!(organization.id = %organization, "somebody else seals this chain, or a row went away meanwhile");
                return Ok(());
            }
            self.news.tell();
            if !is_full {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Batch {
    fn new(taken: TakenChain, key: &AuditKey) -> Self {
        let (mut hash, mut sequence) = (taken.head.hash, taken.head.sequence);
        let mut sealed = Vec::with_capacity(taken.entries.len());
        for entry in &taken.entries {
            sequence += 1;
            hash = entry.hash_at(TOOLS, &hash, sequence);
            sealed.push(SealedEntry { id: entry.id, sequence, hash, digests: entry.digests(TOOLS) });
        }
        let checkpoint = is_checkpoint_due(&taken, sequence).then(|| {
            key.sign_checkpoint(Checkpoint {
                organization: taken.head.organization,
                incarnation: taken.incarnation,
                sequence,
                hash,
                at_us: taken.now_us,
                key_id: [0; 32],
                signature: Vec::new(),
            })
        });
        let checkpoint = checkpoint.transpose().unwrap_or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "the audit's checkpoints cannot be signed; entries are sealed without");
            None
        });
        Self { taken, sealed, checkpoint }
    }
}

/// Whether the chain, which ends at a number now, is to be signed.
fn is_checkpoint_due(taken: &TakenChain, sequence: u64) -> bool {
    let news = sequence.saturating_sub(taken.head.checkpoint_sequence);
    // Entries that have waited for long, as after a stop of all sealers, wait no longer.
    let is_late = taken.entries.first().is_some_and(|entry| {
        let age_us = taken.now_us.saturating_sub(entry.at_us);
        u128::try_from(age_us).is_ok_and(|age_us| age_us >= CHECKPOINT_PERIOD.as_micros())
    });
    let is_old = taken.head.checkpoint_age.is_none_or(|age| age >= CHECKPOINT_PERIOD);
    news > 0 && (is_old || is_late || news >= CHECKPOINT_ENTRIES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_store::ChainHead;

    #[test]
    fn a_chain_with_news_is_signed_after_a_minute_or_a_thousand_entries() {
        let check = |checkpoint_sequence, checkpoint_age: Option<u64>, sequence, expected| {
            let organization = OrganizationId::from_uuid(uuid::Uuid::nil());
            let checkpoint_age = checkpoint_age.map(Duration::from_secs);
            let head = ChainHead { organization, sequence, hash: [0; 32], checkpoint_sequence, checkpoint_age };
            let taken = TakenChain { head, entries: Vec::new(), incarnation: 1, now_us: 0 };
            assert_eq!(
                is_checkpoint_due(&taken, sequence),
                expected,
                "{checkpoint_sequence} {checkpoint_age:?} {sequence}"
            );
        };
        check(0, None, 0, false);
        check(0, None, 1, true);
        check(5, Some(59), 6, false);
        check(5, Some(60), 6, true);
        check(5, Some(3600), 5, false);
        check(5, Some(1), 1_004, false);
        check(5, Some(1), 1_005, true);
    }
}
