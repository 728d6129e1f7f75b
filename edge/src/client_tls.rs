//! The client's side of a TLS handshake.

use crate::tasks;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What a connection is secured with.
#[derive(Debug)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    may_block: bool,
}

impl ClientTls {
    /// `may_block` says whether the box signs with a key that may hold the thread.
    pub(crate) fn new(mut config: ClientConfig, may_block: bool) -> Self {
        config.alpn_protocols = vec![b"h2".to_vec()];
        // The server gives no tickets: it wants to see the certificate each time.
        config.resumption = rustls::client::Resumption::disabled();
        Self { config: Arc::new(config), may_block }
    }

    /// Shakes hands. The signature is made in the middle of it, and TLS does not wait for one: so with a key that may block the whole
    /// handshake has a thread of its own.
    pub(crate) async fn handshake(
        self,
        name: ServerName<'static>,
        socket: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let handshake = TlsConnector::from(self.config).connect(name, socket);
        if self.may_block { tasks::where_it_may_block(handshake).await? } else { handshake.await }
    }
}
