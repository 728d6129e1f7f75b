//! The outcome of a claim.

use serde::Serialize;

/// What became of an approved claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Approved {
    pub(crate) device: super::event::DeviceReference,
    pub(crate) key_fingerprint: Option<String>,
}
