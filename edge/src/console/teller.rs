//! Which of the agent's states are worth a text on the screen: pure.

use super::text;
use crate::agent_state::{AgentState, EnrollmentState, LinkState};
use kaliun_types::reason::ReasonCode;

/// Follows the agent's state and says what to show.
#[derive(Debug)]
pub(super) struct Teller {
    /// Whether somebody stands before the screen. Secrets are for them alone.
    is_seen: bool,
    /// The last text about the enrolment.
    shown: Option<String>,
    /// The problem that stands on the screen.
    problem: Option<Problem>,
    /// When the link is tried again that failed for what the next try may mend.
    next_try_at_ms: Option<i64>,
    /// Whether a try since then has failed for such a thing, too.
    is_lasting: bool,
}

/// What somebody has to do something about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    reason: String,
    /// What the box does by itself.
    goes_on: &'static str,
}

impl Teller {
    pub(super) fn new(is_seen: bool) -> Self {
        Self { is_seen, shown: None, problem: None, next_try_at_ms: None, is_lasting: false }
    }

    /// Takes a state in, and gives what to show for it.
    pub(super) fn hear(&mut self, state: &AgentState) -> Option<String> {
        let of_enrollment = self.hear_enrollment(&state.enrollment);
        let of_link = match &state.enrollment {
            EnrollmentState::Asking | EnrollmentState::Enrolled { .. } => self.hear_link(state),
            // Their own texts say what to do.
            EnrollmentState::Pending { .. }
            | EnrollmentState::Decommissioned { .. }
            | EnrollmentState::Failed { .. } => None,
        };
        let text = [of_enrollment, of_link].into_iter().flatten().collect::<String>();
        (!text.is_empty()).then_some(text)
    }

    fn hear_enrollment(&mut self, enrollment: &EnrollmentState) -> Option<String> {
        let text = if self.is_seen { text::screen(enrollment) } else { text::without_secrets(enrollment) };
        if text.is_none() || text == self.shown {
            return None;
        }
        self.shown.clone_from(&text);
        // A problem that is still there is shown below it once more.
        self.problem = None;
        text
    }

    fn hear_link(&mut self, state: &AgentState) -> Option<String> {
        let (problem, message) = match &state.link {
            LinkState::Starting => return None,
            LinkState::Online { .. } => {
                (self.next_try_at_ms, self.is_lasting) = (None, false);
                return self.problem.take().map(|_over| text::connected_again(&state.enrollment));
            }
            LinkState::Stopped { reason, message, next_try_at_ms, .. } => {
                let goes_on = next_try_at_ms.map_or(text::NEVER_AGAIN, |_in_an_hour| text::LOOKS_AGAIN);
                (Problem { reason: reason.clone(), goes_on }, message)
            }
            LinkState::Offline { reason, message, next_try_at_ms, .. } => {
                if !self.asks_for_somebody(reason, *next_try_at_ms) {
                    return None;
                }
                (Problem { reason: reason.clone(), goes_on: text::TRIES_AGAIN }, message)
            }
        };
        if self.problem.as_ref() == Some(&problem) {
            return None;
        }
        let text = text::problem(&problem.reason, message, problem.goes_on);
        self.problem = Some(problem);
        Some(text)
    }

    /// Whether somebody has to act though the box tries again. What the next try may mend, as newer trust bundles do, is shown when it did
    /// not.
    fn asks_for_somebody(&mut self, reason: &str, next_try_at_ms: i64) -> bool {
        let reason = ReasonCode::from_code(reason);
        let is_said_by_the_server = matches!(
            reason,
            Some(ReasonCode::PeerUnknownAfterRestore | ReasonCode::PeerRecoveryExpired | ReasonCode::PeerNotYetValid)
        );
        let may_be_mended = matches!(
            reason,
            Some(
                ReasonCode::PeerServerUntrusted
                    | ReasonCode::PeerServerNotValidNow
                    | ReasonCode::IdentityKeyFailed
                    | ReasonCode::PeerInvalid
                    | ReasonCode::PeerUnknownIssuer
                    | ReasonCode::PeerKeyMismatch
                    | ReasonCode::LinkProtocolError
            )
        );
        if may_be_mended {
            let before = self.next_try_at_ms.replace(next_try_at_ms);
            self.is_lasting |= before.is_some_and(|before| before != next_try_at_ms);
        }
        is_said_by_the_server || (self.is_lasting && may_be_mended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enrolled() -> EnrollmentState {
        EnrollmentState::Enrolled {
            device_id: "018f3c1e-7d2a-7c3b-9f10-2b6f0c9a5d11".to_owned(),
            name: "cellar".to_owned(),
            certificate_begins_at_ms: 0,
            certificate_expires_at_ms: 0,
        }
    }

    fn with(link: LinkState) -> AgentState {
        AgentState { enrollment: enrolled(), link, ..AgentState::default() }
    }

    fn stopped(reason: ReasonCode) -> AgentState {
        let (reason, message) = (reason.code().to_owned(), "The server's\u{1b}[2J sentence.".to_owned());
        with(LinkState::Stopped { reason, message, since_ms: 0, next_try_at_ms: Some(3_600_000) })
    }

    fn offline(reason: ReasonCode, next_try_at_ms: i64) -> AgentState {
        let (reason, message) = (reason.code().to_owned(), "The server's\u{1b}[2J sentence.".to_owned());
        with(LinkState::Offline { reason, message, since_ms: 0, next_try_at_ms })
    }

    fn online() -> AgentState {
        with(LinkState::Online { epoch: 1, since_ms: 0 })
    }

    /// A problem is shown once, with all that helps, and its end, too.
    fn check(reason: ReasonCode, states: &[AgentState], goes_on: &str) {
        for is_seen in [true, false] {
            let mut teller = Teller::new(is_seen);
            assert!(teller.hear(&online()).unwrap().contains("Enrolled as cellar"));
            let (last, before) = states.split_last().unwrap();
            for state in before {
                assert_eq!(teller.hear(state), None, "{reason}: the next try may mend it");
            }
            let text = teller.hear(last).unwrap();
            let said = format!("The server's[2J sentence. ({reason})");
            for part in ["not connected", &said, reason.next_step(), goes_on] {
                assert!(text.contains(part), "{reason}: {part} is missing in {text}");
            }
            assert_eq!(teller.hear(last), None, "{reason}");
            // Neither a try on the way nor the next certificate changes what stands there.
            assert_eq!(teller.hear(&offline(ReasonCode::LinkLost, 9)), None, "{reason}");
            assert_eq!(teller.hear(last), None, "{reason}");
            let over = teller.hear(&online()).unwrap();
            assert!(over.contains("Enrolled as cellar") && over.contains("connected again"), "{reason}: {over}");
            assert_eq!(teller.hear(&online()), None, "{reason}");
        }
    }

    #[test]
    fn each_refusal_is_on_the_screen_until_it_is_over() {
        for reason in [
            ReasonCode::PeerDeviceRevoked,
            ReasonCode::PeerDeviceDeleted,
            ReasonCode::PeerDeviceDecommissioned,
            ReasonCode::PeerRecoveryExpired,
            ReasonCode::PeerBootNotKept,
            ReasonCode::EnrollmentKeyInUse,
            ReasonCode::LinkUnsupportedProtocol,
        ] {
            check(reason, &[stopped(reason)], "looks again within an hour");
        }
        let mut wiping = stopped(ReasonCode::PeerIdentityWipe);
        if let LinkState::Stopped { next_try_at_ms, .. } = &mut wiping.link {
            *next_try_at_ms = None;
        }
        check(ReasonCode::PeerIdentityWipe, &[wiping], "asks nobody any more");
        for reason in
            [ReasonCode::PeerUnknownAfterRestore, ReasonCode::PeerRecoveryExpired, ReasonCode::PeerNotYetValid]
        {
            check(reason, &[offline(reason, 1)], "tries again by itself");
        }
        for reason in [
            ReasonCode::PeerServerUntrusted,
            ReasonCode::PeerServerNotValidNow,
            ReasonCode::IdentityKeyFailed,
            ReasonCode::PeerInvalid,
            ReasonCode::PeerUnknownIssuer,
            ReasonCode::PeerKeyMismatch,
            ReasonCode::LinkProtocolError,
        ] {
            check(reason, &[offline(reason, 1), offline(reason, 1), offline(reason, 2)], "tries again by itself");
        }
    }

    #[test]
    fn what_mends_itself_is_not_shown() {
        let mut teller = Teller::new(true);
        assert!(teller.hear(&online()).is_some());
        for reason in [ReasonCode::LinkLost, ReasonCode::LinkTimeout, ReasonCode::LinkServerStopped] {
            for next_try_at_ms in 1..4 {
                assert_eq!(teller.hear(&offline(reason, next_try_at_ms)), None, "{reason}");
            }
        }
        // One rotation and another, each mended by newer bundles.
        for next_try_at_ms in 1..4 {
            assert_eq!(teller.hear(&offline(ReasonCode::PeerServerUntrusted, next_try_at_ms)), None);
            assert_eq!(teller.hear(&online()), None);
        }
    }

    #[test]
    fn a_problem_is_shown_again_below_a_newer_text() {
        let mut teller = Teller::new(true);
        let mut state = stopped(ReasonCode::PeerDeviceRevoked);
        let text = teller.hear(&state).unwrap();
        assert!(text.contains("Enrolled as cellar") && text.contains("peer.device_revoked"), "{text}");
        let (reason, message) = ("enrollment.denied".to_owned(), "No.".to_owned());
        state.enrollment = EnrollmentState::Failed { reason, message, tries_again: false };
        assert!(teller.hear(&state).unwrap().contains("not enrolled"));
        state.enrollment = enrolled();
        let text = teller.hear(&state).unwrap();
        assert!(text.contains("Enrolled as cellar") && text.contains("peer.device_revoked"), "{text}");
        // A certificate that took the place of another is nothing to show.
        if let EnrollmentState::Enrolled { certificate_expires_at_ms, .. } = &mut state.enrollment {
            *certificate_expires_at_ms = 7;
        }
        assert_eq!(teller.hear(&state), None);
        // A box that is out of service says that alone.
        state.enrollment = EnrollmentState::Decommissioned { name: "cellar".to_owned(), at_ms: 0, is_wiped: false };
        let text = teller.hear(&state).unwrap();
        assert!(text.contains("taken out of service") && !text.contains("peer.device_revoked"), "{text}");
    }
}
