//! The key that signs the audit's checkpoints. It is kept as the authorities' are: sealed in the database, and opened with the key file.

use super::signer::{MemorySigner, Signer};
use super::{AuthorityError, KeyFile};
use crate::digest::sha256;
use kaliun_store::{AuditKeyRow, SystemStore};
use kaliun_types::audit::{Checkpoint, Cut, Hash, key_id_message};
use std::fmt;

/// The id of a public key.
pub(crate) fn key_id(public_key: &[u8]) -> Hash {
    sha256(&key_id_message(public_key))
}

/// What the key of a number is sealed for.
fn purpose(number: i32) -> String {
    format!("audit key {number}")
}

/// The key. Neither `Debug` nor any error shows it.
pub(crate) struct AuditKey {
    number: i32,
    id: Hash,
    signer: MemorySigner,
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AuditKey").field("number", &self.number).finish_non_exhaustive()
    }
}

impl AuditKey {
    /// Opens the newest key, and makes the first one where there is none.
    ///
    /// # Errors
    /// The database failed, or the key file is another one.
    pub(super) async fn open(store: &SystemStore, keys: &KeyFile) -> Result<Self, AuthorityError> {
        let mut rows = store.audit_key_list().await?;
        if rows.is_empty() {
            let (signer, pkcs8) = MemorySigner::generate()?;
            let sealed_key = keys.seal(&purpose(1), &pkcs8)?;
            let row = AuditKeyRow { number: 1, public_key: signer.public_key().to_vec(), sealed_key };
            store.audit_key_begin(&row).await?;
            // Another replica may have been faster.
            rows = store.audit_key_list().await?;
        }
        let damaged = || AuthorityError::Damaged { what: "the audit's key".to_owned() };
        let row = rows.last().ok_or_else(damaged)?;
        let signer = unseal(row, keys)?;
        Ok(Self { number: row.number, id: key_id(signer.public_key()), signer })
    }

    /// Its number, for the database.
    pub(crate) const fn number(&self) -> i32 {
        self.number
    }

    /// Signs a checkpoint that has neither key nor signature yet.
    ///
    /// # Errors
    /// The key cannot be used now.
    pub(crate) fn sign_checkpoint(&self, mut checkpoint: Checkpoint) -> Result<Checkpoint, AuthorityError> {
        checkpoint.key_id = self.id;
        checkpoint.signature = self.signer.sign(&checkpoint.message())?;
        Ok(checkpoint)
    }

    /// Signs where a chain begins.
    ///
    /// # Errors
    /// The key cannot be used now.
    pub(crate) fn sign_cut(&self, mut cut: Cut) -> Result<Cut, AuthorityError> {
        cut.key_id = self.id;
        cut.signature = self.signer.sign(&cut.message())?;
        Ok(cut)
    }
}

fn unseal(row: &AuditKeyRow, keys: &KeyFile) -> Result<MemorySigner, AuthorityError> {
    let signer = MemorySigner::new(&keys.unseal(&purpose(row.number), &row.sealed_key)?)?;
    // Whoever changed the public half would have others believe in a key that is not ours.
    if signer.public_key() != row.public_key {
        return Err(AuthorityError::Damaged { what: format!("the public half of audit key {}", row.number) });
    }
    Ok(signer)
}

/// The public halves of the keys that the key file opens: no others are ours, whatever the database says.
///
/// # Errors
/// The key file does not open one of them.
pub(crate) fn own_public_keys(rows: &[AuditKeyRow], keys: &KeyFile) -> Result<Vec<Vec<u8>>, AuthorityError> {
    rows.iter().map(|row| Ok(unseal(row, keys)?.public_key().to_vec())).collect()
}

/// Seals keys with another key file.
///
/// # Errors
/// The old key file does not open one of them.
pub(crate) fn reseal(rows: &[AuditKeyRow], old: &KeyFile, new: &KeyFile) -> Result<Vec<AuditKeyRow>, AuthorityError> {
    rows.iter()
        .map(|row| {
            let sealed_key = new.seal(&purpose(row.number), &old.unseal(&purpose(row.number), &row.sealed_key)?)?;
            Ok(AuditKeyRow { sealed_key, ..row.clone() })
        })
        .collect()
}
