//! Whether and when an enrolment is tried again: pure.

use super::{EnrollmentError, TrustError};
use crate::connection::ServerProblem;
use crate::link::state::backoff;
use kaliun_types::reason::ReasonCode;
use std::time::Duration;
use tonic::Code;

/// Shortest wait after something that will not mend itself in seconds.
const GRAVE_WAIT: Duration = Duration::from_secs(30);

/// What to do after an enrolment that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollmentDecision {
    /// After how long to try again; `None` when somebody has to act first.
    pub retry_after: Option<Duration>,
    /// A reason code for people and programs.
    pub reason: String,
}

/// Decides. `attempts` counts failures in a row, this one included; `jitter` is random, 0 to 1.
#[must_use]
pub fn decide(error: &EnrollmentError, attempts: u32, jitter: f64) -> EnrollmentDecision {
    let soon = backoff(attempts, jitter);
    let later = soon.max(GRAVE_WAIT.mul_f64(1.0 + jitter));
    let (retry_after, reason) = match error {
        EnrollmentError::Dial(error) | EnrollmentError::Trust(TrustError::Dial(error)) => {
            match error.server_problem() {
                None => (Some(soon), ReasonCode::LinkLost),
                Some(ServerProblem::Untrusted) => (Some(later), ReasonCode::PeerServerUntrusted),
                Some(ServerProblem::NotValidNow { .. }) => (Some(later), ReasonCode::PeerServerNotValidNow),
            }
        }
        EnrollmentError::TimedOut | EnrollmentError::Trust(TrustError::TimedOut) => (Some(soon), ReasonCode::LinkLost),
        EnrollmentError::Protocol(_) | EnrollmentError::Certificate(_) => (Some(later), ReasonCode::LinkProtocolError),
        EnrollmentError::Tls(_) | EnrollmentError::Trust(TrustError::Tls(_)) => {
            (None, ReasonCode::EnrollmentRequestInvalid)
        }
        // Here it only signs.
        EnrollmentError::Identity(_) => (Some(soon), ReasonCode::IdentityKeyFailed),
        // Somebody else answers under the server's address, or the hash is not this server's. A stranger's word stops nobody.
        EnrollmentError::Trust(TrustError::Chain(_) | TrustError::Untold) => {
            (Some(later), ReasonCode::PeerServerUntrusted)
        }
        EnrollmentError::Refused { reason, retry_after, .. } => {
            return EnrollmentDecision { retry_after: retry_after.map(|hint| hint.max(soon)), reason: reason.clone() };
        }
        EnrollmentError::Call(refusal) => {
            let hint = refusal.retry_after.unwrap_or_default();
            let is_final = refusal.reason.is_some_and(is_final);
            let is_grave = matches!(
                refusal.code,
                Code::Unimplemented | Code::Unauthenticated | Code::PermissionDenied | Code::InvalidArgument
            );
            let wait = if is_grave { later } else { soon };
            ((!is_final).then_some(wait.max(hint)), refusal.reason.unwrap_or(ReasonCode::LinkLost))
        }
    };
    EnrollmentDecision { retry_after, reason: reason.code().to_owned() }
}

/// Reasons that trying again does not change. A server says them as Refused; as a status they mean the same.
fn is_final(reason: ReasonCode) -> bool {
    matches!(
        reason,
        ReasonCode::EnrollmentTokenInvalid
            | ReasonCode::EnrollmentTokenExpired
            | ReasonCode::EnrollmentTokenUsedUp
            | ReasonCode::EnrollmentTokenRevoked
            | ReasonCode::EnrollmentRequestInvalid
            | ReasonCode::EnrollmentDenied
            | ReasonCode::EnrollmentKeyInUse
    )
}

/// Whether the server will not take the join token, now or later.
pub(crate) fn is_about_token(error: &EnrollmentError) -> bool {
    let codes = [
        ReasonCode::EnrollmentTokenInvalid,
        ReasonCode::EnrollmentTokenExpired,
        ReasonCode::EnrollmentTokenUsedUp,
        ReasonCode::EnrollmentTokenRevoked,
    ];
    match error {
        EnrollmentError::Refused { reason, retry_after: None, .. } => codes.iter().any(|code| code.code() == reason),
        EnrollmentError::Call(refusal) => refusal.reason.is_some_and(|reason| codes.contains(&reason)),
        EnrollmentError::Refused { .. }
        | EnrollmentError::Dial(_)
        | EnrollmentError::Tls(_)
        | EnrollmentError::Trust(_)
        | EnrollmentError::Identity(_)
        | EnrollmentError::Certificate(_)
        | EnrollmentError::Protocol(_)
        | EnrollmentError::TimedOut => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialer::TlsSetupError;
    use crate::identity::{IdentityError, SigningError};
    use crate::refusal::Refusal;
    use crate::trust::UntrustedChain;

    const SECOND: Duration = Duration::from_secs(1);

    fn check(error: EnrollmentError, retry_after: Option<Duration>, reason: &str) {
        let decision = decide(&error, 1, 1.0);
        assert_eq!((decision.retry_after, decision.reason.as_str()), (retry_after, reason), "{error:?}");
    }

    fn chain(problem: UntrustedChain) -> EnrollmentError {
        EnrollmentError::Trust(TrustError::Chain(problem))
    }

    fn refused(retry_after: Option<Duration>) -> EnrollmentError {
        let reason = "enrollment.busy".to_owned();
        EnrollmentError::Refused { reason, message: String::new(), retry_after }
    }

    fn call(code: Code, reason: Option<ReasonCode>, retry_after: Option<Duration>) -> EnrollmentError {
        EnrollmentError::Call(Refusal {
            code,
            reason,
            is_spoken: reason.is_some(),
            message: String::new(),
            retry_after,
        })
    }

    #[test]
    fn a_token_that_is_refused_for_good_is_told_from_the_rest() {
        let refused = |reason: &str, retry_after| {
            is_about_token(&EnrollmentError::Refused { reason: reason.to_owned(), message: String::new(), retry_after })
        };
        for reason in ["invalid", "expired", "used_up", "revoked"] {
            let reason = format!("enrollment.token_{reason}");
            assert!(refused(&reason, None), "{reason}");
            assert!(!refused(&reason, Some(SECOND)), "{reason}: it will be taken later");
        }
        assert!(!refused("enrollment.key_in_use", None) && !refused("enrollment.denied", None));
        assert!(is_about_token(&call(Code::PermissionDenied, Some(ReasonCode::EnrollmentTokenRevoked), None)));
        assert!(
            !is_about_token(&call(Code::PermissionDenied, None, None)) && !is_about_token(&EnrollmentError::TimedOut)
        );
    }

    #[test]
    fn newer_bundles_are_asked_for_when_none_of_those_held_helps() {
        assert!(EnrollmentError::Tls(TlsSetupError::Authorities).asks_for_trust());
        assert!(!chain(UntrustedChain::OtherHash).asks_for_trust());
        assert!(!refused(None).asks_for_trust() && !EnrollmentError::TimedOut.asks_for_trust());
    }

    #[test]
    fn each_failure_is_tried_again_or_not() {
        check(refused(None), None, "enrollment.busy");
        check(refused(Some(5 * SECOND)), Some(5 * SECOND), "enrollment.busy");
        check(refused(Some(Duration::ZERO)), Some(SECOND), "enrollment.busy");
        let key_failed = IdentityError::from(SigningError::new("busy"));
        check(key_failed.into(), Some(SECOND), "identity.key_failed");
        check(chain(UntrustedChain::OtherHash), Some(60 * SECOND), "peer.server_untrusted");
        check(EnrollmentError::Trust(TrustError::Untold), Some(60 * SECOND), "peer.server_untrusted");
        check(EnrollmentError::Trust(TrustError::TimedOut), Some(SECOND), "link.lost");
        check(EnrollmentError::TimedOut, Some(SECOND), "link.lost");
        check(EnrollmentError::Protocol("x"), Some(60 * SECOND), "link.protocol_error");
        check(call(Code::Unavailable, None, None), Some(SECOND), "link.lost");
        check(call(Code::Unimplemented, None, None), Some(60 * SECOND), "link.lost");
        let busy = Some(ReasonCode::EnrollmentBusy);
        check(call(Code::ResourceExhausted, busy, Some(9 * SECOND)), Some(9 * SECOND), "enrollment.busy");
        let expired = Some(ReasonCode::EnrollmentTokenExpired);
        check(call(Code::PermissionDenied, expired, None), None, "enrollment.token_expired");
    }
}
