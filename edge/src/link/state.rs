//! What to do after a session ended or did not come about: pure decisions, no clock and no network.

use crate::refusal::Refusal;
use kaliun_types::reason::ReasonCode;
use std::time::Duration;
use tonic::Code;

/// Wait before the second try. Each further try waits twice as long.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// Longest wait between two tries: a home whose internet came back is seen within a minute.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// Shortest wait after something that will not mend itself in seconds.
const BACKOFF_GRAVE: Duration = Duration::from_secs(30);
/// A session that lived this long was a good one: the next failure begins with the first wait again.
pub const STABLE_AFTER: Duration = Duration::from_secs(30);
/// A link that stopped looks again after this time, for whoever has to act may sit at the other end.
pub const STOPPED_LOOKS_AGAIN_AFTER: Duration = Duration::from_secs(3600);
/// Share of a server's hint that is added at random, so that those who got the same one do not come together.
const HINT_JITTER: f64 = 0.1;

/// How a try or a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No connection came about.
    Unreachable {
        /// What went wrong, for a person.
        message: String,
    },
    /// The server is not one that the trust bundle vouches for.
    UntrustedServer {
        /// What went wrong, for a person.
        message: String,
    },
    /// The server's certificate is not valid at the time that the box goes by.
    ServerNotValidNow {
        /// What went wrong, for a person.
        message: String,
    },
    /// The box's own certificate or trust cannot be used.
    UnusableIdentity {
        /// What went wrong, for a person.
        message: String,
    },
    /// The box's own key did not sign.
    KeyFailed {
        /// Why, for a person.
        message: String,
    },
    /// The call ended with a status.
    Ended(Refusal),
    /// The server ended the stream without a word.
    Closed,
    /// Nothing was heard for the agreed time.
    Idle,
    /// The server asked the box to go and come back.
    Drained {
        /// Come back after this long.
        reconnect_after: Duration,
    },
    /// The box ended the session to begin one with its next certificate.
    Renewed,
    /// The server does not take the box's next certificate; the one before it counts again.
    NotRenewed {
        /// What was wrong with it.
        message: String,
    },
    /// The server sent what the protocol does not allow.
    BrokenProtocol {
        /// What it was.
        message: &'static str,
    },
    /// The box's own disk failed.
    Disk {
        /// What went wrong.
        message: String,
    },
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Try again after this long.
    Retry {
        /// How long.
        after: Duration,
        /// Why the link is down.
        reason: ReasonCode,
    },
    /// Ask for newer trust bundles, then try again after this long.
    RefreshTrust {
        /// How long.
        after: Duration,
        /// Why the link is down.
        reason: ReasonCode,
    },
    /// The certificate is of no use any more: prove the key and get a new one.
    Recover {
        /// After this long.
        after: Duration,
        /// Why.
        reason: ReasonCode,
    },
    /// The server does not know this box: enrol again with the same key.
    Reenroll {
        /// After this long.
        after: Duration,
        /// Why.
        reason: ReasonCode,
    },
    /// The box is out of service and shall delete what it is known by.
    Wipe {
        /// Why.
        reason: ReasonCode,
    },
    /// Somebody has to act; see [`STOPPED_LOOKS_AGAIN_AFTER`].
    Stop {
        /// Why.
        reason: ReasonCode,
    },
}

/// Decides. `attempts` counts failures since the last good session, this one included; `jitter` is random, 0 to 1.
#[must_use]
pub fn decide(failure: &Failure, attempts: u32, jitter: f64) -> Decision {
    let soon = backoff(attempts, jitter);
    let later = soon.max(BACKOFF_GRAVE.mul_f64(1.0 + jitter));
    match failure {
        Failure::Unreachable { .. } | Failure::Disk { .. } => {
            Decision::Retry { after: soon, reason: ReasonCode::LinkLost }
        }
        Failure::Closed => Decision::Retry { after: soon, reason: ReasonCode::LinkClosed },
        Failure::NotRenewed { .. } => Decision::Retry { after: soon, reason: ReasonCode::PeerInvalid },
        Failure::Renewed => Decision::Retry { after: Duration::ZERO, reason: ReasonCode::CertificateRenewed },
        Failure::Idle => Decision::Retry { after: soon, reason: ReasonCode::LinkTimeout },
        Failure::BrokenProtocol { .. } => Decision::Retry { after: later, reason: ReasonCode::LinkProtocolError },
        Failure::UntrustedServer { .. } => {
            Decision::RefreshTrust { after: soon, reason: ReasonCode::PeerServerUntrusted }
        }
        // A newer bundle may help, too: it moves on what a dead clock goes by, and takes back a time that was nonsense.
        Failure::ServerNotValidNow { .. } => {
            Decision::RefreshTrust { after: soon, reason: ReasonCode::PeerServerNotValidNow }
        }
        Failure::KeyFailed { .. } => Decision::Retry { after: soon, reason: ReasonCode::IdentityKeyFailed },
        Failure::UnusableIdentity { .. } => Decision::Recover { after: soon, reason: ReasonCode::PeerInvalid },
        Failure::Drained { reconnect_after } => {
            Decision::Retry { after: hinted(*reconnect_after, jitter), reason: ReasonCode::LinkServerStopped }
        }
        Failure::Ended(refusal) => {
            let hint = refusal.retry_after.map_or(Duration::ZERO, |hint| hinted(hint, jitter));
            decide_refusal(refusal, soon.max(hint), later.max(hint))
        }
    }
}

fn decide_refusal(refusal: &Refusal, soon: Duration, later: Duration) -> Decision {
    let Some(reason) = refusal.reason else {
        let reason = if refusal.is_spoken { ReasonCode::LinkClosed } else { ReasonCode::LinkLost };
        // A server that does not know the call will not learn it within seconds, nor one that refuses without a reason.
        let is_grave = matches!(refusal.code, Code::Unimplemented | Code::Unauthenticated | Code::PermissionDenied);
        return Decision::Retry { after: if is_grave { later } else { soon }, reason };
    };
    // It came on a link, and a link only comes about with a server that the box has verified.
    if reason == ReasonCode::PeerIdentityWipe {
        return Decision::Wipe { reason };
    }
    if matches!(
        reason,
        ReasonCode::PeerDeviceDeleted
            | ReasonCode::PeerDeviceRevoked
            | ReasonCode::PeerDeviceDecommissioned
            | ReasonCode::PeerBootNotKept
            | ReasonCode::LinkUnsupportedProtocol
    ) {
        return Decision::Stop { reason };
    }
    if matches!(
        reason,
        ReasonCode::PeerNoCertificate
            | ReasonCode::PeerUnknownIssuer
            | ReasonCode::PeerExpired
            | ReasonCode::PeerInvalid
            | ReasonCode::PeerKeyMismatch
    ) {
        return Decision::Recover { after: soon, reason };
    }
    // Given while the server's clock was ahead: it may be months until it counts. Not at once, for a clock that is behind for a moment
    // will be set right.
    if reason == ReasonCode::PeerNotYetValid {
        return Decision::Recover { after: later, reason };
    }
    if reason == ReasonCode::PeerDeviceUnknown {
        return Decision::Reenroll { after: soon, reason };
    }
    // Another process lives under this identity, or this agent and the server do not understand each other.
    let is_grave = matches!(
        reason,
        ReasonCode::LinkSuperseded
            | ReasonCode::LinkProtocolError
            // Somebody has to take the box back; it keeps who it is meanwhile.
            | ReasonCode::PeerUnknownAfterRestore
    );
    Decision::Retry { after: if is_grave { later } else { soon }, reason }
}

/// Waits that double, each with half of it at random.
#[must_use]
pub fn backoff(attempts: u32, jitter: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let full = BACKOFF_FIRST.saturating_mul(1 << doublings).min(BACKOFF_MAX);
    full.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

/// At least the hint, and a little more at random.
fn hinted(hint: Duration, jitter: f64) -> Duration {
    hint.mul_f64(1.0 + HINT_JITTER * jitter.clamp(0.0, 1.0))
}

impl Failure {
    /// Whether the server did not take what the box showed of itself.
    #[must_use]
    pub fn is_about_certificate(&self) -> bool {
        let reason = match self {
            Self::UnusableIdentity { .. } => return true,
            Self::Ended(refusal) => refusal.reason,
            Self::Unreachable { .. }
            | Self::UntrustedServer { .. }
            | Self::KeyFailed { .. }
            | Self::ServerNotValidNow { .. }
            | Self::Closed
            | Self::Idle
            | Self::Drained { .. }
            | Self::Renewed
            | Self::NotRenewed { .. }
            | Self::BrokenProtocol { .. }
            | Self::Disk { .. } => None,
        };
        matches!(
            reason,
            Some(
                ReasonCode::PeerNoCertificate
                    | ReasonCode::PeerUnknownIssuer
                    | ReasonCode::PeerExpired
                    | ReasonCode::PeerNotYetValid
                    | ReasonCode::PeerInvalid
            )
        )
    }

    /// One sentence for a person.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Unreachable { message }
            | Self::UntrustedServer { message }
            | Self::ServerNotValidNow { message }
            | Self::UnusableIdentity { message }
            | Self::KeyFailed { message }
            | Self::NotRenewed { message }
            | Self::Disk { message } => message.clone(),
            Self::Ended(refusal) => refusal.message.clone(),
            Self::Closed => "The control plane ended the connection.".to_owned(),
            Self::Renewed => "The box has its next certificate and connects again with it.".to_owned(),
            Self::Idle => "Nothing was heard from the control plane for the agreed time.".to_owned(),
            Self::Drained { reconnect_after } => {
                format!("The control plane asked to reconnect after {:.1} s.", reconnect_after.as_secs_f64())
            }
            Self::BrokenProtocol { message } => format!("The control plane broke the protocol: {message}."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn refused(code: Code, reason: Option<ReasonCode>, retry_after: Option<Duration>) -> Failure {
        Failure::Ended(Refusal { code, reason, is_spoken: reason.is_some(), message: String::new(), retry_after })
    }

    fn check(failure: Failure, attempts: u32, expected: Decision) {
        assert_eq!(decide(&failure, attempts, 1.0), expected, "{failure:?}");
    }

    #[test]
    fn what_the_network_does_is_tried_again() {
        let retry = |after, reason| Decision::Retry { after, reason };
        let unreachable = Failure::Unreachable { message: String::new() };
        check(unreachable.clone(), 1, retry(SECOND, ReasonCode::LinkLost));
        check(unreachable.clone(), 3, retry(4 * SECOND, ReasonCode::LinkLost));
        check(unreachable, 40, retry(60 * SECOND, ReasonCode::LinkLost));
        let key_failed = Failure::KeyFailed { message: String::new() };
        check(key_failed.clone(), 2, retry(2 * SECOND, ReasonCode::IdentityKeyFailed));
        assert!(!key_failed.is_about_certificate(), "the certificate before it has the same key");
        check(Failure::Closed, 1, retry(SECOND, ReasonCode::LinkClosed));
        check(Failure::Idle, 2, retry(2 * SECOND, ReasonCode::LinkTimeout));
        check(Failure::BrokenProtocol { message: "" }, 1, retry(60 * SECOND, ReasonCode::LinkProtocolError));
        check(refused(Code::Unavailable, None, None), 1, retry(SECOND, ReasonCode::LinkLost));
        check(refused(Code::Unimplemented, None, None), 1, retry(60 * SECOND, ReasonCode::LinkLost));
    }

    #[test]
    fn the_servers_hint_is_honoured() {
        let drained = Failure::Drained { reconnect_after: 10 * SECOND };
        check(drained, 1, Decision::Retry { after: 11 * SECOND, reason: ReasonCode::LinkServerStopped });
        let busy = refused(Code::Unavailable, Some(ReasonCode::LinkServerStopped), Some(100 * SECOND));
        check(busy, 1, Decision::Retry { after: 110 * SECOND, reason: ReasonCode::LinkServerStopped });
        let hint_below_backoff = refused(Code::Unavailable, Some(ReasonCode::LinkSlow), Some(SECOND));
        check(hint_below_backoff, 6, Decision::Retry { after: 32 * SECOND, reason: ReasonCode::LinkSlow });
    }

    #[test]
    fn each_reason_leads_somewhere() {
        for reason in [
            ReasonCode::PeerNoCertificate,
            ReasonCode::PeerUnknownIssuer,
            ReasonCode::PeerExpired,
            ReasonCode::PeerInvalid,
            ReasonCode::PeerKeyMismatch,
        ] {
            check(refused(Code::Unauthenticated, Some(reason), None), 1, Decision::Recover { after: SECOND, reason });
        }
        let reason = ReasonCode::PeerNotYetValid;
        let recover = Decision::Recover { after: 60 * SECOND, reason };
        check(refused(Code::Unauthenticated, Some(reason), None), 1, recover);
        let reason = ReasonCode::PeerDeviceUnknown;
        check(refused(Code::PermissionDenied, Some(reason), None), 1, Decision::Reenroll { after: SECOND, reason });
        let reason = ReasonCode::PeerIdentityWipe;
        check(refused(Code::PermissionDenied, Some(reason), None), 1, Decision::Wipe { reason });
        for reason in [
            ReasonCode::PeerDeviceDeleted,
            ReasonCode::PeerDeviceRevoked,
            ReasonCode::PeerDeviceDecommissioned,
            ReasonCode::PeerBootNotKept,
            ReasonCode::LinkUnsupportedProtocol,
        ] {
            check(refused(Code::PermissionDenied, Some(reason), None), 1, Decision::Stop { reason });
        }
        for (reason, after) in [
            (ReasonCode::LinkSuperseded, 60),
            (ReasonCode::LinkProtocolError, 60),
            (ReasonCode::PeerUnknownAfterRestore, 60),
            (ReasonCode::LinkFenced, 1),
            (ReasonCode::LinkSlow, 1),
            (ReasonCode::LinkTimeout, 1),
        ] {
            let after = after * SECOND;
            check(refused(Code::Aborted, Some(reason), None), 1, Decision::Retry { after, reason });
        }
    }

    #[test]
    fn an_unknown_server_leads_to_newer_trust() {
        let failure = Failure::UntrustedServer { message: String::new() };
        check(failure, 1, Decision::RefreshTrust { after: SECOND, reason: ReasonCode::PeerServerUntrusted });
        let failure = Failure::ServerNotValidNow { message: String::new() };
        check(failure, 1, Decision::RefreshTrust { after: SECOND, reason: ReasonCode::PeerServerNotValidNow });
    }

    proptest! {
        #[test]
        fn waits_are_bounded_and_never_shorter_than_the_hint(attempts in 0_u32..100, jitter in 0.0_f64..1.0, hint in 0_u64..600_000) {
            let wait = backoff(attempts, jitter);
            prop_assert!(wait >= BACKOFF_FIRST / 2 && wait <= BACKOFF_MAX);
            let hint = Duration::from_millis(hint);
            let failure = Failure::Drained { reconnect_after: hint };
            let Decision::Retry { after, .. } = decide(&failure, attempts, jitter) else { panic!("a drain is retried") };
            prop_assert!(after >= hint && after <= hint.mul_f64(1.0 + HINT_JITTER) + Duration::from_millis(1));
        }
    }
}
