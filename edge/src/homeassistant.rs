//! How the Home Assistant of this box is: what a probe saw, what is concluded, and when that changed.

pub mod probe;

use kaliun_proto::telemetry::v1::{Light, LightState, Reason};
use kaliun_types::reason::ReasonCode;

/// Probes in a row that must fail before Home Assistant counts as offline: a restart takes one or two seconds of not
/// answering, which is no reason to wake anybody.
const FAILURES_BEFORE_OFFLINE: u32 = 2;

/// What one probe saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// No address is configured.
    NotConfigured,
    /// Nobody answers, or not as Home Assistant does.
    Unreachable {
        /// What happened, for a person.
        message: String,
    },
    /// It answers; without a token nothing more can be said.
    Unverified,
    /// It answers and says that it is not running yet.
    Starting,
    /// It says that it is running.
    Running {
        /// Its version; empty when it did not say.
        version: String,
    },
}

/// What is concluded from the probes so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeAssistantView {
    observation: Observation,
    since_ms: i64,
    version: String,
    failures: u32,
}

/// A change that is worth an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// `ha.online` or `ha.offline`.
    pub reason: ReasonCode,
    /// One sentence.
    pub message: String,
}

impl Default for HomeAssistantView {
    fn default() -> Self {
        Self { observation: Observation::NotConfigured, since_ms: 0, version: String::new(), failures: 0 }
    }
}

impl HomeAssistantView {
    /// Takes a probe's result in.
    pub fn observe(&mut self, observation: Observation, now_ms: i64) -> Option<Transition> {
        let is_failure = matches!(observation, Observation::Unreachable { .. });
        self.failures = if is_failure { self.failures.saturating_add(1) } else { 0 };
        let was_answering = self.answers();
        if is_failure && was_answering == Some(true) && self.failures < FAILURES_BEFORE_OFFLINE {
            return None;
        }
        if let Observation::Running { version } = &observation {
            self.version.clone_from(version);
        }
        let is_same_state = std::mem::discriminant(&self.observation) == std::mem::discriminant(&observation);
        if is_same_state {
            // Keeps the first message too: facts that differ in a word would be sent again each time.
            return None;
        }
        self.since_ms = if observation == Observation::NotConfigured { 0 } else { now_ms };
        self.observation = observation;
        match (was_answering, self.answers()) {
            (Some(false), Some(true)) => Some(Transition {
                reason: ReasonCode::HomeAssistantOnline,
                message: "Home Assistant answers again.".to_owned(),
            }),
            (Some(true) | None, Some(false)) => {
                Some(Transition { reason: ReasonCode::HomeAssistantUnreachable, message: self.message() })
            }
            (_, _) => None,
        }
    }

    /// Whether it answers; `None` where none is set up.
    #[must_use]
    pub fn answers(&self) -> Option<bool> {
        match self.observation {
            Observation::NotConfigured => None,
            Observation::Unreachable { .. } => Some(false),
            Observation::Unverified | Observation::Starting | Observation::Running { .. } => Some(true),
        }
    }

    /// Its version, as last seen; empty when it never said.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The light that a person sees.
    #[must_use]
    pub fn light(&self) -> Light {
        let (state, reason) = match self.observation {
            Observation::NotConfigured => (LightState::NotConfigured, Some(ReasonCode::HomeAssistantNotConfigured)),
            Observation::Unreachable { .. } => (LightState::Off, Some(ReasonCode::HomeAssistantUnreachable)),
            Observation::Unverified => (LightState::Warning, Some(ReasonCode::HomeAssistantUnverified)),
            Observation::Starting => (LightState::Warning, Some(ReasonCode::HomeAssistantStarting)),
            Observation::Running { .. } => (LightState::On, None),
        };
        let since_ms = self.since_ms;
        let reason = reason.map(|code| Reason { code: code.code().to_owned(), message: self.message(), since_ms });
        Light { state: state.into(), reason, since_ms }
    }

    fn message(&self) -> String {
        match &self.observation {
            Observation::NotConfigured => "No address of Home Assistant is set on this box.".to_owned(),
            Observation::Unreachable { message } => message.clone(),
            Observation::Unverified => "It answers, but without a token its state cannot be checked.".to_owned(),
            Observation::Starting => "It answers, but has not started yet.".to_owned(),
            Observation::Running { .. } => "It is running.".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable() -> Observation {
        Observation::Unreachable { message: "No answer.".to_owned() }
    }

    fn running() -> Observation {
        Observation::Running { version: "2026.11.0".to_owned() }
    }

    fn check(probes: &[Observation], events: &[ReasonCode], state: LightState) {
        let mut view = HomeAssistantView::default();
        let seen: Vec<ReasonCode> = (1..)
            .zip(probes)
            .filter_map(|(now, probe)| view.observe(probe.clone(), now))
            .map(|transition| transition.reason)
            .collect();
        assert_eq!((seen.as_slice(), view.light().state()), (events, state), "{probes:?}");
    }

    #[test]
    fn one_failed_probe_is_no_outage() {
        let offline = ReasonCode::HomeAssistantUnreachable;
        let online = ReasonCode::HomeAssistantOnline;
        check(&[Observation::NotConfigured], &[], LightState::NotConfigured);
        check(&[running()], &[], LightState::On);
        check(&[Observation::Unverified], &[], LightState::Warning);
        check(&[running(), unreachable()], &[], LightState::On);
        check(&[running(), unreachable(), running(), unreachable()], &[], LightState::On);
        check(&[running(), unreachable(), unreachable(), unreachable()], &[offline], LightState::Off);
        check(&[unreachable()], &[offline], LightState::Off);
        check(&[unreachable(), Observation::Starting, running()], &[offline, online], LightState::On);
    }

    #[test]
    fn a_state_keeps_its_beginning() {
        let mut view = HomeAssistantView::default();
        view.observe(running(), 10);
        view.observe(running(), 20);
        assert_eq!(view.light().since_ms, 10);
        assert_eq!(view.version(), "2026.11.0");
        view.observe(unreachable(), 30);
        view.observe(unreachable(), 40);
        assert_eq!(view.light().since_ms, 40);
        assert_eq!(view.version(), "2026.11.0");
        assert_eq!(view.answers(), Some(false));
    }
}
