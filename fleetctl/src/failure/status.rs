//! The one place where a gRPC status becomes a failure with an exit code.

use super::{Failure, Kind};
use std::error::Error as _;
use tonic::{Code, Status};

/// Name of the response metadata that lets an operator find a request in the server's log.
const REQUEST_ID: &str = "x-request-id";

/// Says what a refused or failed call means. `doing` completes "cannot …".
pub(crate) fn from_status(doing: &str, status: &Status) -> Failure {
    // One that never left this machine says by itself what to do.
    if let Some(own) = status.source().and_then(|source| source.downcast_ref::<Failure>()) {
        return own.clone();
    }
    let (kind, hint) = meaning(status.code());
    let said = if status.message().is_empty() { status.code().description() } else { status.message() };
    let mut message = format!("cannot {doing}: {}", said.trim_end_matches('.'));
    if kind == Kind::General
        && let Some(id) = status.metadata().get(REQUEST_ID).and_then(|id| id.to_str().ok())
    {
        message.push_str(&format!(" (request {id})"));
    }
    Failure::new(kind, message, hint)
}

fn meaning(code: Code) -> (Kind, &'static str) {
    match code {
        Code::Ok => (Kind::General, "the server's answer does not fit; update fleetctl"),
        Code::InvalidArgument | Code::OutOfRange => (Kind::Usage, "correct the value that is named"),
        Code::NotFound => (Kind::NotFound, "see what there is with `fleetctl get devices`"),
        Code::Unauthenticated => (Kind::Denied, "sign in with `fleetctl login`, or set FLEETCTL_TOKEN"),
        Code::PermissionDenied => (Kind::Denied, "see your role with `fleetctl whoami`; ask an admin for a higher one"),
        Code::AlreadyExists => (Kind::Conflict, "choose another name"),
        Code::Aborted => (Kind::Conflict, "somebody changed it meanwhile; look at it again and repeat the command"),
        Code::FailedPrecondition => {
            (Kind::State, "its state does not allow this now; look at it with `fleetctl describe`")
        }
        Code::DeadlineExceeded => (Kind::Timeout, "try again, or allow more time with --timeout"),
        Code::Unavailable => (Kind::General, "see whether the control plane runs; try again in a moment"),
        Code::ResourceExhausted => (Kind::General, "wait a moment and try again"),
        Code::Unimplemented => {
            (Kind::General, "fleetctl and the control plane differ in version; compare with `fleetctl version`")
        }
        Code::Cancelled => (Kind::General, "try again"),
        Code::Unknown | Code::Internal | Code::DataLoss => {
            (Kind::General, "look for this request in the control plane's log")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: Code, expected: u8) {
        let failure = from_status("do it", &Status::new(code, "No."));
        assert_eq!(failure.kind.exit_code(), expected, "{code:?}");
        assert_eq!(failure.message, "cannot do it: No");
        assert!(!failure.hint.is_empty(), "{code:?}");
    }

    #[test]
    fn each_status_has_its_exit_code() {
        check(Code::Cancelled, 1);
        check(Code::Unknown, 1);
        check(Code::InvalidArgument, 2);
        check(Code::DeadlineExceeded, 6);
        check(Code::NotFound, 3);
        check(Code::AlreadyExists, 5);
        check(Code::PermissionDenied, 4);
        check(Code::ResourceExhausted, 1);
        check(Code::FailedPrecondition, 5);
        check(Code::Aborted, 5);
        check(Code::OutOfRange, 2);
        check(Code::Unimplemented, 1);
        check(Code::Internal, 1);
        check(Code::Unavailable, 1);
        check(Code::DataLoss, 1);
        check(Code::Unauthenticated, 4);
    }

    #[test]
    fn a_request_that_failed_inside_can_be_found_again() {
        let mut status = Status::internal("something broke");
        status.metadata_mut().insert(REQUEST_ID, "r-7".parse().unwrap());
        assert_eq!(from_status("list", &status).message, "cannot list: something broke (request r-7)");
    }
}
