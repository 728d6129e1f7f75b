//! One connection of a device: TCP and TLS, and HTTP/2 over it where the server speaks that.

use crate::tasks::Tasks;
use anyhow::Context as _;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Flow-control window, bytes: the messages here are small.
const WINDOW_BYTES: u32 = 64 * 1024;

/// Connects from a loopback address and does a full handshake.
pub(crate) async fn secure(
    source: Ipv4Addr,
    server: SocketAddr,
    tls: Arc<ClientConfig>,
) -> anyhow::Result<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((source, 0))).context("no address to connect from")?;
    let stream = socket.connect(server).await.with_context(|| format!("cannot reach {server}"))?;
    stream.set_nodelay(true)?;
    let name = ServerName::IpAddress(server.ip().into());
    TlsConnector::from(tls).connect(name, stream).await.context("TLS failed")
}

/// Speaks HTTP/2 over it. The connection ends with the tasks.
pub(crate) async fn http2(
    stream: TlsStream<TcpStream>,
    tasks: &Tasks,
) -> anyhow::Result<SendRequest<tonic::body::Body>> {
    let (sender, connection) = http2::Builder::new(tasks.clone())
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .context("HTTP/2 failed")?;
    tasks.spawn(async move {
        // How it ended is seen by the stream on it.
        let _ended = connection.await;
    });
    Ok(sender)
}
