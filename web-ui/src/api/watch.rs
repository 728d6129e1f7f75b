//! The live stream.

use super::client::{failure, for_streams};
use crate::model::failure::Failure;
use kaliun_proto::fleet::v1::watch_service_client::WatchServiceClient;
use kaliun_proto::fleet::v1::{WatchRequest, WatchResponse};
use tonic::Streaming;

/// Opens the stream. Dropping it ends it.
pub(crate) async fn open(request: WatchRequest) -> Result<Streaming<WatchResponse>, Failure> {
    let answer = WatchServiceClient::new(for_streams()).watch(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| failure(&status))
}

/// The next message; nothing when the server ended the stream.
pub(crate) async fn next(stream: &mut Streaming<WatchResponse>) -> Result<Option<WatchResponse>, Failure> {
    stream.message().await.map_err(|status| failure(&status))
}
