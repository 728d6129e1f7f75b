//! Calls over a connection of a device, without a channel's reconnecting and balancing around it.

use anyhow::Context as _;
use futures_util::Stream;
use http::uri::PathAndQuery;
use hyper::client::conn::http2::SendRequest;
use prost::Message;
use tonic::Streaming;
use tonic::client::Grpc;
use tonic_prost::ProstCodec;

/// Begins a bidirectional stream and waits for the server's headers.
pub(crate) async fn stream<Sent, Received>(
    sender: SendRequest<tonic::body::Body>,
    path: &'static str,
    messages: impl Stream<Item = Sent> + Send + 'static,
) -> anyhow::Result<Streaming<Received>>
where
    Sent: Message + Send + Sync + 'static,
    Received: Message + Default + Send + Sync + 'static,
{
    let service = tower::service_fn(move |request| {
        let mut sender = sender.clone();
        async move { sender.send_request(request).await }
    });
    let mut grpc = Grpc::with_origin(service, http::Uri::from_static("https://127.0.0.1"));
    grpc.ready().await.context("the connection broke")?;
    let codec: ProstCodec<Sent, Received> = ProstCodec::default();
    let response = grpc
        .streaming(tonic::Request::new(messages), PathAndQuery::from_static(path), codec)
        .await
        .with_context(|| format!("{path} was refused"))?;
    Ok(response.into_inner())
}

/// The stream's next message.
pub(crate) async fn next<Received>(stream: &mut Streaming<Received>) -> anyhow::Result<Received> {
    stream.message().await.context("the stream broke")?.context("the stream ended")
}
