//! The live stream.

use super::client::Answers;
use crate::model::failure::Failure;
use crate::model::method as methods;
use kaliun_proto::fleet::v1::{WatchRequest, WatchResponse};

/// Opens the stream. Dropping it ends it.
pub(crate) async fn open(request: WatchRequest) -> Result<Answers, Failure> {
    Answers::open(methods::WATCH, &request).await
}

/// The next message; nothing when the server ended the stream.
pub(crate) async fn next(stream: &mut Answers) -> Result<Option<WatchResponse>, Failure> {
    stream.next().await
}
