//! Errors on their way out. The one place where they become gRPC statuses.

use kaliun_store::StoreError;
use kaliun_types::reason::ReasonCode;
use std::time::Duration;
use tonic::{Code, Status};

/// A refusal that a device reads: the reason code, and a sentence.
#[expect(clippy::wildcard_enum_match_arm, reason = "whatever is not the box's fault is worth another try")]
pub(crate) fn refusal(reason: ReasonCode) -> Status {
    let code = match reason {
        ReasonCode::PeerNoCertificate
        | ReasonCode::PeerUnknownIssuer
        | ReasonCode::PeerExpired
        | ReasonCode::PeerNotYetValid
        | ReasonCode::PeerInvalid => Code::Unauthenticated,
        ReasonCode::PeerDeviceDeleted
        | ReasonCode::PeerDeviceRevoked
        | ReasonCode::PeerDeviceDecommissioned
        | ReasonCode::PeerIdentityWipe
        | ReasonCode::PeerBootNotKept
        | ReasonCode::PeerKeyMismatch
        | ReasonCode::PeerUnknownAfterRestore
        | ReasonCode::PeerDeviceUnknown => Code::PermissionDenied,
        ReasonCode::LinkProtocolError => Code::InvalidArgument,
        ReasonCode::LinkUnsupportedProtocol => Code::FailedPrecondition,
        ReasonCode::LinkSuperseded | ReasonCode::LinkFenced => Code::Aborted,
        _ => Code::Unavailable,
    };
    Status::new(code, format!("{}: {}", reason.code(), reason.next_step()))
}

/// Why a box cannot be taken in, for the person who wants to: the reason code, and what to do.
pub(crate) fn not_taken_in(reason: ReasonCode) -> Status {
    Status::failed_precondition(format!("{}: {}", reason.code(), reason.next_step()))
}

/// A refusal with the earliest time for the next try.
pub(crate) fn refusal_retry_after(reason: ReasonCode, after: Duration) -> Status {
    with_hint(refusal(reason), after)
}

/// Says when to come back, for whoever reads it.
fn with_hint(mut status: Status, after: Duration) -> Status {
    if let Ok(value) = after.as_millis().to_string().parse() {
        status.metadata_mut().insert("retry-after-ms", value);
    }
    status
}

/// The id of a request, as the check before the handler made it.
pub(crate) fn request_id_of<T>(request: &tonic::Request<T>) -> String {
    request.extensions().get::<RequestId>().map(|RequestId(id)| id.clone()).unwrap_or_default()
}

/// The id of a request, in its extensions.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// A field that does not fit.
pub(crate) fn invalid(field: &str, problem: impl std::fmt::Display) -> Status {
    Status::invalid_argument(format!("{field}: {problem}"))
}

/// Nothing of this kind in the caller's organization.
pub(crate) fn not_found(what: &str) -> Status {
    Status::not_found(format!("no such {what}"))
}

/// A source asks too often.
pub(crate) fn too_often(wait: Duration) -> Status {
    let seconds = wait.as_secs().saturating_add(1);
    with_hint(Status::resource_exhausted(format!("too many tries; wait {seconds} s and try again")), wait)
}

/// The server has no room for this now.
pub(crate) fn busy(retry_after: Duration) -> Status {
    with_hint(Status::unavailable("the server is busy; try again in a moment"), retry_after)
}

/// The store failed. The cause is logged here, once, and stays in the process.
pub(crate) fn store(error: StoreError) -> Status {
    match &error {
        StoreError::AlreadyExists { what } => return Status::already_exists(format!("{what} is already there")),
        StoreError::Stale { what } => {
            return Status::aborted(format!(
                "{what} was changed by somebody else; read it again and repeat the change"
            ));
        }
        StoreError::TooMany { what, most } => {
            return Status::failed_precondition(format!("{what}: at most {most}; remove some first"));
        }
        StoreError::Pool { .. }
        | StoreError::Silent { .. }
        | StoreError::Database { .. }
        | StoreError::Inconsistent { .. } => {}
    }
    if error.is_transient() {
        tracing::warn!(error = &error as &dyn std::error::Error, "store is not available");
        Status::unavailable("the database is busy or restarting; try again in a moment")
    } else {
        tracing::error!(error = &error as &dyn std::error::Error, "store failed");
        Status::internal("something is wrong on the server; the operator finds the cause in its log by the request id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_takes_a_box_in_is_not_told_that_the_server_is_down_or_a_right_is_missing() {
        let reasons = [ReasonCode::EnrollmentKeyInUse, ReasonCode::PeerDeviceRevoked, ReasonCode::PeerRecoveryExpired];
        for reason in reasons {
            let status = not_taken_in(reason);
            assert_eq!(status.code(), Code::FailedPrecondition, "{reason}");
            assert_eq!(status.message(), format!("{reason}: {}", reason.next_step()));
        }
    }
}
