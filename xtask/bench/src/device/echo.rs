//! A client of the bare tonic server.

use crate::rpc;
use anyhow::Context as _;
use hyper::client::conn::http2::SendRequest;
use std::convert::Infallible;
use tokio::sync::mpsc;
use tokio::time::Interval;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

/// The method of the bare server.
pub(crate) const PATH: &str = "/bench.Echo/Both";

/// As large as a heartbeat of ours.
const PAYLOAD: [u8; 8] = [7; 8];

/// What goes both ways.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Echo {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) payload: Vec<u8>,
}

/// A stream to the bare server.
pub(crate) struct Session {
    outbound: mpsc::Sender<Echo>,
    inbound: Streaming<Echo>,
}

impl Session {
    /// Sends a first message and waits until it is back.
    pub(super) async fn begin(sender: SendRequest<tonic::body::Body>) -> anyhow::Result<Self> {
        let (outbound, messages) = mpsc::channel(4);
        outbound.send(Echo { payload: PAYLOAD.to_vec() }).await?;
        let mut inbound = rpc::stream(sender, PATH, ReceiverStream::new(messages)).await?;
        let _first: Echo = rpc::next(&mut inbound).await?;
        Ok(Self { outbound, inbound })
    }

    /// Sends messages and reads them back.
    pub(super) async fn hold(mut self, mut heartbeats: Interval) -> anyhow::Result<Infallible> {
        loop {
            tokio::select! {
                answer = rpc::next(&mut self.inbound) => {
                    answer?;
                }
                _ = heartbeats.tick() => {
                    self.outbound.send(Echo { payload: PAYLOAD.to_vec() }).await.context("the stream broke")?;
                }
            }
        }
    }
}
