//! The order to delete the identity, from its coming to its being durable.

use super::Uplink;
use crate::agent_state::LinkState;
use crate::decommission::Decommissioned;
use crate::journal::Journal;
use crate::link::transport::with_sources;
use crate::state_dir::StateDirError;
use kaliun_types::reason::ReasonCode;

impl Uplink<'_> {
    /// Says at once that the box is out of service: until the order is on the disk may take a while.
    pub(super) fn publish_wiping(&self, message: String) {
        let reason = ReasonCode::PeerIdentityWipe.code().to_owned();
        self.published.link(LinkState::Stopped { reason, message, since_ms: self.now_ms(), next_try_at_ms: None });
    }

    /// Makes the order durable. On a full disk what the box recorded makes room: it is to be deleted all the same.
    pub(super) fn begin_wiping(&self) -> Result<Decommissioned, StateDirError> {
        Decommissioned::begin(self.state, self.name()).or_else(|error| {
            tracing::error!(error = %with_sources(&error), "the order to delete the identity cannot be stored; what was recorded goes first");
            Journal::forget(self.state)?;
            Decommissioned::begin(self.state, self.name())
        })
    }
}
