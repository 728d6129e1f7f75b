//! Claims, and what became of them.

use super::device::Facts;
use super::some_text;
use crate::output::time::Time;
use kaliun_proto::fleet::v1::Claim;
use serde::Serialize;

/// A box that waits under a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ClaimView {
    pub(crate) code: String,
    pub(crate) key_fingerprint: Option<String>,
    pub(crate) source_address: Option<String>,
    pub(crate) expires_at: Option<Time>,
    pub(crate) check_tries_left: u32,
    pub(crate) shows_check: bool,
    /// The box's own words.
    pub(crate) facts: Option<Facts>,
}

/// What became of an approved claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Approved {
    pub(crate) device: super::event::DeviceReference,
    pub(crate) key_fingerprint: Option<String>,
}

/// What became of a claim that was turned away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Denied {
    pub(crate) code: String,
    pub(crate) denied: bool,
}

impl ClaimView {
    pub(crate) fn new(code: String, claim: Claim) -> Self {
        Self {
            code,
            key_fingerprint: some_text(claim.key_fingerprint),
            source_address: some_text(claim.source_address),
            expires_at: Time::from_ms(claim.expires_at_ms),
            check_tries_left: claim.check_tries_left,
            shows_check: claim.shows_check,
            facts: claim.facts.map(Facts::from),
        }
    }
}
