//! Who this box is: a key made here that never leaves, and what the control plane said about it.

mod key;
mod record;

pub(crate) use key::sha256;
pub use key::{IdentityError, IdentityKey};
#[cfg(test)]
pub(crate) use record::tests::record;
pub use record::{DeviceRecord, InvalidDeviceRecord};

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
    /// It cannot be stored.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
}

/// The key, and the record once the box is enrolled.
#[derive(Debug)]
pub struct Identity {
    /// The box's own key.
    pub key: IdentityKey,
    /// What enrolment gave; `None` before.
    pub record: Option<DeviceRecord>,
    /// The next certificate, until a session has begun with it. The one before is kept so long.
    pub candidate: Option<DeviceRecord>,
}

impl Identity {
    /// Reads the identity, making the key where there is none yet.
    ///
    /// # Errors
    /// The folder cannot be used, or its key is not one of ours. A key is never replaced by itself: that would make this
    /// box a stranger.
    pub fn load_or_create(state: &StateDir) -> Result<Self, IdentityError> {
        let key = IdentityKey::load_or_create(state)?;
        let record = DeviceRecord::load(state, &key)?;
        let candidate = DeviceRecord::load_candidate(state, &key)?;
        let candidate =
            candidate.filter(|next| record.as_ref().is_some_and(|record| record.device_id == next.device_id));
        Ok(Self { key, record, candidate })
    }

    /// What the next session shows: the candidate, where there is one.
    #[must_use]
    pub fn to_show(&self) -> Option<&DeviceRecord> {
        self.candidate.as_ref().or(self.record.as_ref())
    }

    /// Takes a certificate as the candidate.
    ///
    /// # Errors
    /// It is not for this box, or cannot be stored; all stays as it was then.
    pub fn take_candidate(&mut self, state: &StateDir, chain: Vec<Vec<u8>>) -> Result<(), CandidateError> {
        let record = self.record.as_ref().ok_or(CandidateError::NotEnrolled)?;
        let candidate = DeviceRecord::check(&self.key, &record.device_id.to_string(), &record.name, chain)?;
        candidate.store_candidate(state)?;
        self.candidate = Some(candidate);
        Ok(())
    }

    /// A session has begun with what was shown: a candidate becomes the record. Says whether there was one.
    ///
    /// # Errors
    /// It cannot be stored; the candidate is tried again then.
    pub fn commit(&mut self, state: &StateDir) -> Result<bool, StateDirError> {
        let Some(candidate) = &self.candidate else { return Ok(false) };
        candidate.store(state)?;
        // Should this fail, the same certificate is committed once more.
        DeviceRecord::forget_candidate(state)?;
        self.record = self.candidate.take();
        Ok(true)
    }

    /// The server does not take the candidate: the certificate before it counts. Says whether there was a candidate.
    ///
    /// # Errors
    /// The candidate's file cannot be removed; it is tried once more after a restart.
    pub fn fall_back(&mut self, state: &StateDir) -> Result<bool, StateDirError> {
        let had_one = self.candidate.take().is_some();
        if had_one {
            DeviceRecord::forget_candidate(state)?;
        }
        Ok(had_one)
    }
}
