//! Tells watchers which devices may look different now. A hint: the row is the truth.

use kaliun_types::id::{DeviceId, OrganizationId};
use tokio::sync::broadcast;

/// Most hints that a slow watcher may be behind: about 6 s of a fleet of 10,000 that reports each 15 s. One that is further
/// behind reads its whole page again.
const BACKLOG: usize = 4096;

/// A device that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub organization: OrganizationId,
    /// Which.
    pub device: DeviceId,
}

/// The place where changes are told.
#[derive(Clone)]
pub struct Changes {
    sender: broadcast::Sender<Change>,
}

impl Changes {
    /// Makes one that nobody listens to yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "there is one in a server, made on purpose")]
    pub fn new() -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG) }
    }

    /// Tells that a device changed.
    pub fn tell(&self, organization: OrganizationId, device: DeviceId) {
        // An error says that nobody listens, which is fine.
        let _nobody = self.sender.send(Change { organization, device });
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Change> {
        self.sender.subscribe()
    }
}
