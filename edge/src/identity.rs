//! Who this box is: a key made here that never leaves, and what the control plane said about it.

mod key;
mod record;

pub(crate) use key::sha256;
pub use key::{IdentityError, IdentityKey};
pub use record::{DeviceRecord, InvalidDeviceRecord};

use crate::state_dir::StateDir;

/// The key, and the record once the box is enrolled.
#[derive(Debug)]
pub struct Identity {
    /// The box's own key.
    pub key: IdentityKey,
    /// What enrolment gave; `None` before.
    pub record: Option<DeviceRecord>,
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
        Ok(Self { key, record })
    }
}
