//! The one way by which the agent makes its state known.

use crate::agent_state::{AgentState, EnrollmentState, LastSample, LinkState};
use crate::decommission::Decommissioned;
use crate::journal::{Class, Journal};
use crate::sample::CertificateLife;
use kaliun_proto::telemetry::v1::{HealthVerdict, Metric, Sample};
use kaliun_types::reason::ReasonCode;
use tokio::sync::watch;

/// The sending side of the agent's state.
#[derive(Debug)]
pub(crate) struct Published {
    state: watch::Sender<AgentState>,
}

impl Published {
    /// Publishes over a channel.
    #[must_use]
    pub(crate) fn new(state: watch::Sender<AgentState>) -> Self {
        Self { state }
    }

    /// Whether the box has its certificate.
    pub(crate) fn enrollment(&self, enrollment: EnrollmentState) {
        self.state.send_modify(|state| state.enrollment = enrollment);
    }

    /// The box is out of service and has deleted its identity.
    pub(crate) fn wiped(&self, marker: &Decommissioned) {
        let Decommissioned { name, at_ms } = marker.clone();
        let reason = ReasonCode::PeerIdentityWipe;
        self.enrollment(EnrollmentState::Decommissioned { name, at_ms, is_wiped: true });
        let (reason, message) = (reason.code().to_owned(), reason.next_step().to_owned());
        self.link(LinkState::Stopped { reason, message, since_ms: at_ms, next_try_at_ms: None });
    }

    /// The life of the certificate that the box has; none before it has one.
    pub(crate) fn certificate(&self) -> Option<CertificateLife> {
        match self.state.borrow().enrollment {
            EnrollmentState::Enrolled { certificate_begins_at_ms, certificate_expires_at_ms, .. } => {
                Some(CertificateLife {
                    begins_at_ms: certificate_begins_at_ms,
                    expires_at_ms: certificate_expires_at_ms,
                })
            }
            EnrollmentState::Asking
            | EnrollmentState::Pending { .. }
            | EnrollmentState::Failed { .. }
            | EnrollmentState::Decommissioned { .. } => None,
        }
    }

    /// How the link is. A state of the same kind and reason keeps its beginning.
    pub(crate) fn link(&self, link: LinkState) {
        self.state.send_modify(|state| state.link = keep_beginning(&state.link, link));
    }

    /// The newest reading.
    pub(crate) fn sample(&self, sample: &Sample) {
        let last = last_sample(sample);
        self.state.send_modify(|state| state.last_sample = Some(last));
    }

    /// Where a spool stands.
    pub(crate) fn spool(&self, journal: &Journal, class: Class) {
        let position = journal.position(class).into();
        self.state.send_modify(|state| match class {
            Class::Events => state.events = position,
            Class::Samples => state.samples = position,
        });
    }
}

fn keep_beginning(before: &LinkState, mut now: LinkState) -> LinkState {
    if let (LinkState::Offline { since_ms: beginning, .. }, LinkState::Offline { since_ms, .. }) = (before, &mut now) {
        *since_ms = *beginning;
    }
    if let (LinkState::Stopped { since_ms: beginning, .. }, LinkState::Stopped { since_ms, .. }) = (before, &mut now) {
        *since_ms = *beginning;
    }
    now
}

fn last_sample(sample: &Sample) -> LastSample {
    let health = sample.health.as_ref();
    let verdict = match health.map(kaliun_proto::telemetry::v1::Health::verdict) {
        Some(HealthVerdict::Ok) => "ok",
        Some(HealthVerdict::Degraded) => "degraded",
        Some(HealthVerdict::Critical) => "critical",
        Some(HealthVerdict::Stale) => "stale",
        Some(HealthVerdict::Unknown | HealthVerdict::Unspecified) | None => "unknown",
    };
    let reasons = health.map(|health| health.reasons.iter().map(|reason| reason.code.clone()).collect());
    let values = sample.values.as_ref().map(|values| {
        let named = |(metric, value): (Metric, &f64)| (metric.as_str_name(), *value);
        values.metrics().zip(&values.values).map(named).collect()
    });
    LastSample {
        at_ms: sample.sampled_at_ms,
        verdict,
        reasons: reasons.unwrap_or_default(),
        values: values.unwrap_or_default(),
    }
}
