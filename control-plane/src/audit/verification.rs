//! `control-plane audit verify`: verifies the chains at the machine, by the database, the sealed keys and the checkpoints outside of it.
//! It needs no server, and believes no public key that the key file does not open.

use super::TOOLS;
use super::checkpoint_file::{self, CheckpointFileError};
use crate::authority::audit_key::{key_id, own_public_keys};
use crate::authority::{AuthorityError, KeyFile};
use crate::config::Config;
use crate::server::{Database, DatabaseError};
use kaliun_store::{StoreError, SystemStore};
use kaliun_types::audit::{Checkpoint, End, Origin, Report, Start, Verifier};
use kaliun_types::id::OrganizationId;
use std::path::PathBuf;
use thiserror::Error;

/// Entries read at once.
const PAGE: usize = 1_000;

/// It could not be verified.
#[derive(Debug, Error)]
pub enum VerificationError {
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The key file.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A file of checkpoints.
    #[error(transparent)]
    File(#[from] CheckpointFileError),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
}

/// One chain.
#[derive(Debug)]
pub struct Verified {
    /// Whose.
    pub organization: OrganizationId,
    /// What came of it.
    pub report: Report,
}

/// Verifies the chains of all organizations, by the files in the state folder and others.
///
/// # Errors
/// See [`VerificationError`]. What is wrong with a chain is in its report.
pub async fn verify(config: &Config, files: &[PathBuf]) -> Result<Vec<Verified>, VerificationError> {
    let mut checkpoints = checkpoint_file::read_folder(&config.state_dir)?;
    for path in files {
        checkpoints.extend(checkpoint_file::read(path)?);
    }
    let database = Database::open(config).await?;
    let verified = verify_in(config, &database.store().system, &checkpoints).await;
    database.close().await;
    verified
}

async fn verify_in(
    config: &Config,
    store: &SystemStore,
    checkpoints: &[Checkpoint],
) -> Result<Vec<Verified>, VerificationError> {
    let path = &config.authority_key_file;
    let rows = store.audit_key_list().await?;
    let keys = match KeyFile::open(path)? {
        Some(keys) => own_public_keys(&rows, &keys)?,
        None if rows.is_empty() => Vec::new(),
        None => return Err(AuthorityError::NoKeyFile { path: path.clone() }.into()),
    };
    let mut verified = Vec::new();
    for organization in store.audit_organization_list().await? {
        let of_it = checkpoints.iter().filter(|checkpoint| checkpoint.organization == organization);
        verified.push(Verified { organization, report: one(store, organization, &keys, of_it).await? });
    }
    Ok(verified)
}

async fn one(
    store: &SystemStore,
    organization: OrganizationId,
    keys: &[Vec<u8>],
    kept: impl Iterator<Item = &Checkpoint>,
) -> Result<Report, VerificationError> {
    let begin = store.audit_start(organization, key_id).await?;
    let mut after = begin.cut.as_ref().map_or(0, |cut| cut.sequence);
    let start = Start { organization, cut: begin.cut, keys: keys.to_vec(), known_keys: None };
    let mut verifier = Verifier::new(TOOLS, start);
    kept.for_each(|checkpoint| verifier.checkpoint(checkpoint, Origin::File));
    loop {
        let page = store.audit_page(organization, after, PAGE, key_id).await?;
        page.checkpoints.iter().for_each(|checkpoint| verifier.checkpoint(checkpoint, Origin::Checkpoint));
        after = page.entries.last().map_or(after, |entry| entry.sequence);
        page.entries.into_iter().for_each(|entry| verifier.entry(entry));
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

impl Verified {
    /// What to say of it: a line for it, and one for each thing that is wrong.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let Report { entries, first, last, checkpoints, unsealed, restored, faults, more_faults, .. } = &self.report;
        let verdict = if self.report.is_good() { "good" } else { "WRONG" };
        let mut lines = vec![format!(
            "organization {}: {verdict}; {entries} entries, {first} to {last}, {checkpoints} checkpoints, {unsealed} not sealed yet",
            self.organization
        )];
        for restored in restored {
            lines.push(format!(
                "  the database came back from a backup at entry {}: what followed entry {} before is gone",
                restored.entry, restored.last
            ));
        }
        lines.extend(faults.iter().map(|fault| format!("  {}: {fault}", fault.kind.code())));
        if *more_faults > 0 {
            lines.push(format!("  and {more_faults} more"));
        }
        lines
    }
}
