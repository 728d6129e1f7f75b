//! What an agent makes known of itself: to its status file, to the screen, and to tests. No secrets.

use crate::shown::Shown;
use crate::spool::Position;
use serde::Serialize;

/// Everything worth knowing about a running agent.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct AgentState {
    /// Whether the box has its certificate.
    pub enrollment: EnrollmentState,
    /// How the link is.
    pub link: LinkState,
    /// The newest reading.
    pub last_sample: Option<LastSample>,
    /// The samples' spool.
    pub samples: SpoolState,
    /// The events' spool.
    pub events: SpoolState,
}

/// Whether the box has its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum EnrollmentState {
    /// It has none yet and asks.
    #[default]
    Asking,
    /// Somebody has to say yes.
    Pending {
        /// Eight characters to enter; empty when an operator has to approve.
        claim_code: Shown,
        /// The page to open; empty without a code.
        claim_url: Shown,
        /// When the code ends. Milliseconds since the Unix epoch.
        expires_at_ms: i64,
        /// The key's fingerprint, to compare.
        fingerprint: String,
        /// Check characters for whoever entered the code; empty until somebody has. For the screen alone: whoever reads files from
        /// afar does not stand before it.
        #[serde(skip)]
        check: Shown,
    },
    /// It has one.
    Enrolled {
        /// The device's id.
        device_id: String,
        /// The name it was given.
        name: String,
        /// When the certificate's validity began. Milliseconds since the Unix epoch.
        certificate_begins_at_ms: i64,
        /// When the certificate runs out. Milliseconds since the Unix epoch.
        certificate_expires_at_ms: i64,
    },
    /// It was taken out of service for good.
    Decommissioned {
        /// The name it had.
        name: String,
        /// When it heard of it. Milliseconds since the Unix epoch.
        at_ms: i64,
        /// Whether it has deleted its identity; where not, it only has no right to connect any more.
        is_wiped: bool,
    },
    /// The control plane said no, or does not answer.
    Failed {
        /// A reason code.
        reason: String,
        /// One sentence.
        message: String,
        /// Whether the box tries again by itself.
        tries_again: bool,
    },
}

/// How the link is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LinkState {
    /// The agent did not try yet.
    #[default]
    Starting,
    /// There is a session.
    Online {
        /// Its epoch.
        epoch: u64,
        /// Since when. Milliseconds since the Unix epoch.
        since_ms: i64,
    },
    /// There is none; the box tries again.
    Offline {
        /// A reason code.
        reason: String,
        /// One sentence.
        message: String,
        /// Since when. Milliseconds since the Unix epoch.
        since_ms: i64,
        /// When it tries next. Milliseconds since the Unix epoch.
        next_try_at_ms: i64,
    },
    /// Somebody has to act.
    Stopped {
        /// A reason code.
        reason: String,
        /// One sentence.
        message: String,
        /// Since when. Milliseconds since the Unix epoch.
        since_ms: i64,
        /// When it looks whether somebody has. Milliseconds since the Unix epoch; `None` for a box that never does.
        next_try_at_ms: Option<i64>,
    },
}

/// The newest reading.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct LastSample {
    /// When it was taken. Milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// ok, degraded or critical.
    pub verdict: &'static str,
    /// Codes of what led to it, gravest first.
    pub reasons: Vec<String>,
    /// Values by the metrics' names.
    pub values: Vec<(&'static str, f64)>,
}

/// Where a spool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SpoolState {
    /// Highest sequence given so far, as far as it is kept or acknowledged.
    pub last_sequence: u64,
    /// Everything up to here is stored by the control plane.
    pub acknowledged: u64,
    /// Items that wait.
    pub pending: u64,
    /// Items dropped since the spool began.
    pub dropped: u64,
}

impl AgentState {
    /// Whether the box has its certificate.
    #[must_use]
    pub fn is_enrolled(&self) -> bool {
        matches!(self.enrollment, EnrollmentState::Enrolled { .. })
    }

    /// The session's epoch while there is one.
    #[must_use]
    pub fn online_epoch(&self) -> Option<u64> {
        if let LinkState::Online { epoch, .. } = self.link { Some(epoch) } else { None }
    }
}

impl From<Position> for SpoolState {
    fn from(position: Position) -> Self {
        Self {
            last_sequence: position.kept.map_or(position.acknowledged, |(_, last)| last),
            acknowledged: position.acknowledged,
            pending: position.pending(),
            dropped: position.dropped,
        }
    }
}
