//! Who this box is: a key made here that never leaves, and what the control plane said about it.

#[cfg(test)]
mod double;
mod file;
mod key;
mod record;
mod request;
mod store;
mod tls;

pub use file::FileKeyStore;
pub(crate) use key::sha256;
pub use key::{IdentityError, IdentityKey};
#[cfg(test)]
pub(crate) use record::tests::record;
pub use record::{DeviceRecord, InvalidDeviceRecord};
pub use store::{DeviceKey, KeyStore, SigningError};
pub(crate) use tls::own_failure;

use crate::kept::Kept;
use crate::state_dir::{StateDir, StateDirError};
use thiserror::Error;

/// A certificate cannot become the candidate.
#[derive(Debug, Error)]
pub enum CandidateError {
    /// There is no certificate that it could follow.
    #[error("the box is not enrolled")]
    NotEnrolled,
    /// It is not for this box.
    #[error(transparent)]
    Invalid(#[from] InvalidDeviceRecord),
}

/// The key, and the record once the box is enrolled. A certificate counts as soon as it is checked, whether or not it can be stored.
#[derive(Debug)]
pub struct Identity {
    /// The box's own key.
    pub key: IdentityKey,
    /// What enrolment gave; `None` before.
    pub record: Option<DeviceRecord>,
    /// The next certificate, until a session has begun with it. The one before is kept so long.
    pub candidate: Option<DeviceRecord>,
    /// What the box was given to know its server by.
    trust_hash: Option<[u8; 32]>,
    kept: Kept,
}

impl Identity {
    /// Reads the identity, making the key where there is none yet.
    ///
    /// # Errors
    /// The folder or the key cannot be used. A key is never replaced by itself: that would make this box a stranger.
    pub fn load_or_create(keys: &dyn KeyStore, state: &StateDir) -> Result<Self, IdentityError> {
        let key = IdentityKey::load_or_create(keys, state)?;
        let record = DeviceRecord::load(state, &key);
        let candidate = DeviceRecord::load_candidate(state, &key);
        let candidate =
            candidate.filter(|next| record.as_ref().is_some_and(|record| record.device_id == next.device_id));
        let trust_hash = DeviceRecord::trust_hash(state);
        Ok(Self { key, record, candidate, trust_hash, kept: Kept::Stored })
    }

    /// Keeps beside the record what the box was given to know its server by, so that it needs neither its bundles nor its token for that.
    pub(crate) fn keep_trust_hash(&mut self, state: &StateDir, hash: [u8; 32]) {
        if self.trust_hash != Some(hash) {
            self.trust_hash = Some(hash);
            if self.record.is_some() {
                self.kept.changed();
                self.keep(state);
            }
        }
    }

    /// What the next session shows: the candidate, where there is one.
    #[must_use]
    pub fn to_show(&self) -> Option<&DeviceRecord> {
        self.candidate.as_ref().or(self.record.as_ref())
    }

    /// A certificate in place of whatever there was. What was to follow the old one is of no use any more.
    pub(crate) fn take_record(&mut self, state: &StateDir, record: DeviceRecord) {
        (self.record, self.candidate) = (Some(record), None);
        self.kept.changed();
        self.keep(state);
    }

    /// Takes a certificate as the candidate.
    ///
    /// # Errors
    /// It is not for this box; all stays as it was then.
    pub fn take_candidate(&mut self, state: &StateDir, chain: Vec<Vec<u8>>) -> Result<(), CandidateError> {
        let record = self.record.as_ref().ok_or(CandidateError::NotEnrolled)?;
        self.candidate = Some(DeviceRecord::check(&self.key, &record.device_id.to_string(), &record.name, chain)?);
        self.kept.changed();
        self.keep(state);
        Ok(())
    }

    /// A session has begun with what was shown: a candidate becomes the record. Says whether there was one.
    pub fn commit(&mut self, state: &StateDir) -> bool {
        let Some(candidate) = self.candidate.take() else { return false };
        self.record = Some(candidate);
        self.kept.changed();
        self.keep(state);
        true
    }

    /// The server does not take the candidate: the certificate before it counts. Says whether there was a candidate.
    pub fn fall_back(&mut self, state: &StateDir) -> bool {
        let had_one = self.candidate.take().is_some();
        if had_one {
            self.kept.changed();
            self.keep(state);
        }
        had_one
    }

    /// Stores what is not stored yet. Where that fails, what was stored last counts after a restart, and the next call tries again.
    pub(crate) fn keep(&mut self, state: &StateDir) {
        if !self.kept.is_stored() {
            let outcome = self.store(state);
            self.kept.tried("the box's certificate", outcome);
        }
    }

    /// Whether the files say what counts here.
    #[must_use]
    pub(crate) fn is_stored(&self) -> bool {
        self.kept.is_stored()
    }

    /// The record first: where the candidate's file cannot be changed any more, the same certificate is at worst committed once more.
    fn store(&self, state: &StateDir) -> Result<(), StateDirError> {
        if let Some(record) = &self.record {
            record.store(state, self.trust_hash)?;
        }
        match &self.candidate {
            Some(candidate) => candidate.store_candidate(state),
            None => DeviceRecord::forget_candidate(state),
        }
    }
}
