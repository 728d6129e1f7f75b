//! A sealer for tests, and a look at what it wrote.

use crate::support::Fixture;
use anyhow::{Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use kaliun_store::{OrganizationScope, SealedEntry, SystemStore, TakenChain};
use kaliun_types::audit::{
    Checkpoint, End, Hash, Origin, Report, Start, Tools, Verifier, genesis_message, key_id_message,
};
use kaliun_types::id::{OrganizationId, ReplicaId};
use std::time::Duration;
use tokio_postgres::Client;

/// Checkpoints of these tests are signed with the hash of what is signed: signing is another's business.
pub(crate) const TOOLS: Tools =
    Tools { sha256, is_signed: |_key, message, signature| sha256(message).as_slice() == signature };

pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    digest(&SHA256, bytes).as_ref().try_into().unwrap_or_default()
}

pub(crate) fn key_id(key: &[u8]) -> Hash {
    sha256(&key_id_message(key))
}

/// One sealer.
pub(crate) struct Sealer {
    store: SystemStore,
    replica: ReplicaId,
    batch: i64,
}

impl Sealer {
    pub(crate) fn new(fixture: &Fixture, batch: i64) -> Self {
        Self { store: fixture.store.system.clone(), replica: ReplicaId::new(), batch }
    }

    pub(crate) async fn take(&self, organization: OrganizationId, lease: Duration) -> Result<Option<TakenChain>> {
        let genesis = sha256(&genesis_message(organization));
        Ok(self.store.audit_chain_take(organization, &genesis, self.replica, lease, self.batch).await?)
    }

    pub(crate) async fn write(&self, taken: &TakenChain) -> Result<bool> {
        let (mut hash, mut sequence) = (taken.head.hash, taken.head.sequence);
        let mut sealed = Vec::new();
        for entry in &taken.entries {
            sequence += 1;
            hash = entry.hash_at(TOOLS, &hash, sequence);
            sealed.push(SealedEntry { id: entry.id, sequence, hash, digests: entry.digests(TOOLS) });
        }
        Ok(self.store.audit_seal(&taken.head, self.replica, &sealed, None).await?)
    }

    /// Signs the end of a chain that was taken.
    pub(crate) async fn sign(&self, taken: &TakenChain, checkpoint: &Checkpoint) -> Result<bool> {
        Ok(self.store.audit_seal(&taken.head, self.replica, &[], Some((checkpoint, 1))).await?)
    }

    /// Seals one batch. Answers how many there were, none when somebody else was faster.
    pub(crate) async fn seal_once(&self, organization: OrganizationId, lease: Duration) -> Result<usize> {
        let Some(taken) = self.take(organization, lease).await? else { return Ok(0) };
        Ok(if self.write(&taken).await? { taken.entries.len() } else { 0 })
    }

    pub(crate) async fn seal_all(&self, organization: OrganizationId) -> Result<()> {
        while self.seal_once(organization, Duration::from_secs(60)).await? > 0 {}
        Ok(())
    }
}

/// A row as it stands.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) sequence: Option<i64>,
    pub(crate) target: String,
}

pub(crate) async fn rows(admin: &Client, organization: OrganizationId) -> Result<Vec<Row>> {
    let rows = admin
        .query("SELECT sequence, target FROM audit WHERE organization_id = $1 ORDER BY id", &[&organization])
        .await?;
    Ok(rows.iter().map(|row| Row { sequence: row.get(0), target: row.get(1) }).collect())
}

/// Reads a chain as the contract hands it out, and verifies it.
pub(crate) async fn verify(fixture: &Fixture, scope: &OrganizationScope) -> Result<Report> {
    let begin = fixture.store.app.audit_start(scope, key_id).await?;
    let mut after = begin.cut.as_ref().map_or(0, |cut| cut.sequence);
    let start = Start { organization: scope.organization(), cut: begin.cut, keys: begin.keys, known_keys: None };
    let mut verifier = Verifier::new(TOOLS, start);
    loop {
        let page = fixture.store.app.audit_page(scope, after, 4, key_id).await?;
        page.checkpoints.iter().for_each(|checkpoint| verifier.checkpoint(checkpoint, Origin::Checkpoint));
        for entry in page.entries {
            ensure!(entry.sequence > after, "pages go on");
            after = entry.sequence;
            verifier.entry(entry);
        }
        if let Some(tail) = page.tail {
            return Ok(verifier.finish(&End {
                head: tail.head,
                unsealed: tail.unsealed,
                unsealed_since_us: tail.unsealed_since_us,
                unsealed_erasures: tail.unsealed_erasures,
                now_us: tail.now_us,
            }));
        }
    }
}
