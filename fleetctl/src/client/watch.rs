//! The stream of changes.

use super::{ANSWER_MAX_BYTES, Client};
use crate::failure::{Failure, from_status};
use kaliun_proto::fleet::v1::watch_service_client::WatchServiceClient;
use kaliun_proto::fleet::v1::{Subscription, WatchRequest, WatchResponse};
use std::time::Duration;
use tokio::time::Instant;
use tonic::{Code, Request, Status, Streaming};

/// The server speaks at least every 15 seconds; after three such silences the stream is taken for dead.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(45);

/// Completes "cannot …" for everything about the stream.
const DOING: &str = "follow the changes";

/// Why a stream ended.
#[derive(Debug)]
pub(crate) enum Break {
    /// It may work again by itself: worth another attempt.
    Passing(Failure),
    /// It would end the same way again.
    Final(Failure),
    /// The token that opened it has run out, which is nothing unusual: another one opens it again.
    RunOut,
}

/// An open stream of changes.
pub(crate) struct Changes {
    stream: Streaming<WatchResponse>,
    heard_at: Instant,
    /// Whether another token may open the stream again when this one's has run out.
    renewable: bool,
}

impl Client {
    /// Opens the stream.
    pub(crate) async fn watch(&self, subscriptions: Vec<Subscription>) -> Result<Changes, Break> {
        let mut client = WatchServiceClient::new(self.channel()).max_decoding_message_size(ANSWER_MAX_BYTES);
        // The stream has no end, so the time limit is for its beginning and is not told to the server.
        let opened = client.watch(Request::new(WatchRequest { subscriptions }));
        match tokio::time::timeout(self.channel.patience(), opened).await {
            Ok(Ok(response)) => Ok(Changes {
                stream: response.into_inner(),
                heard_at: Instant::now(),
                renewable: self.channel.is_renewable(),
            }),
            Ok(Err(status)) => Err(break_by(status.code(), self.failure(DOING, &status))),
            Err(_) => Err(broken(DOING, &Status::deadline_exceeded(format!("no answer within {:?}", self.timeout)))),
        }
    }
}

impl Changes {
    /// Waits for the next message. The wait may be given up and begun again without loss.
    pub(crate) async fn next(&mut self) -> Result<WatchResponse, Break> {
        match tokio::time::timeout_at(self.heard_at + SILENCE_MAX, self.stream.message()).await {
            Ok(Ok(Some(message))) => {
                self.heard_at = Instant::now();
                Ok(message)
            }
            Ok(Ok(None)) => Err(broken(DOING, &Status::unavailable("the server ended the stream"))),
            // To open it again renews the session; when that is over it says so, and for good.
            Ok(Err(status)) if status.code() == Code::Unauthenticated && self.renewable => Err(Break::RunOut),
            Ok(Err(status)) => Err(broken(DOING, &status)),
            Err(_) => Err(broken(DOING, &Status::deadline_exceeded("the server has fallen silent"))),
        }
    }
}

/// Why a stream ended. `doing` completes "cannot …".
pub(super) fn broken(doing: &str, status: &Status) -> Break {
    break_by(status.code(), from_status(doing, status))
}

/// As [`broken`], where the failure is known already.
pub(super) fn break_by(code: Code, failure: Failure) -> Break {
    match code {
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => Break::Passing(failure),
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => Break::Final(failure),
    }
}
