//! The peer: a bare tonic server with one bidirectional method, behind the same TLS settings as our device listener, but with
//! the verifier that rustls brings. Written as tonic's own streaming example is: a task that reads, a channel, and the
//! channel's other end as the answer.

use crate::certificates;
use crate::device::{ECHO_PATH, Echo};
use crate::tasks::Tasks;
use anyhow::Context as _;
use futures_util::future::BoxFuture;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// Connections that wait to be served.
const ACCEPTED_MAX: usize = 128;
/// Messages that wait in a stream's channel.
const ECHOES_MAX: usize = 4;

/// Where to listen and with which certificate.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    certificate: PathBuf,
    #[arg(long)]
    key: PathBuf,
    #[arg(long)]
    client_authority: PathBuf,
}

/// Serves until the process is ended.
pub(crate) async fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(tls(arguments)?));
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(arguments.listen)?;
    let listener = socket.listen(4096)?;
    let tasks = Tasks::default();
    let (accepted, connections) = mpsc::channel(ACCEPTED_MAX);
    tasks.spawn(accept(listener, acceptor, accepted, tasks.clone()));
    let service = EchoService { tasks: tasks.clone() };
    Server::builder().add_service(service).serve_with_incoming(ReceiverStream::new(connections)).await?;
    Ok(())
}

/// The settings of our device listener.
fn tls(arguments: &Arguments) -> anyhow::Result<ServerConfig> {
    let provider = certificates::provider();
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_file_iter(&arguments.client_authority).context("no client authority")? {
        roots.add(authority?)?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    let chain = CertificateDer::pem_file_iter(&arguments.certificate)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&arguments.key)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    accepted: mpsc::Sender<io::Result<Secured>>,
    tasks: Tasks,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, accepted) = (acceptor.clone(), accepted.clone());
        tasks.spawn(async move {
            let _best_effort = stream.set_nodelay(true);
            if let Ok(stream) = acceptor.accept(stream).await {
                // Fails only when the server ends.
                let _ended = accepted.send(Ok(Secured(stream))).await;
            }
        });
    }
}

/// The service, as generated code has it.
#[derive(Clone)]
struct EchoService {
    tasks: Tasks,
}

impl NamedService for EchoService {
    const NAME: &'static str = "bench.Echo";
}

impl tower::Service<http::Request<tonic::body::Body>> for EchoService {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            if request.uri().path() != ECHO_PATH {
                return Ok(Status::unimplemented("there is no such method").into_http());
            }
            let codec: ProstCodec<Echo, Echo> = ProstCodec::default();
            Ok(Grpc::new(codec).streaming(service, request).await)
        })
    }
}

impl StreamingService<Echo> for EchoService {
    type Response = Echo;
    type ResponseStream = ReceiverStream<Result<Echo, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Echo>>) -> Self::Future {
        let mut inbound = request.into_inner();
        let (echoes, outbound) = mpsc::channel(ECHOES_MAX);
        self.tasks.spawn(async move {
            while let Ok(Some(echo)) = inbound.message().await {
                if echoes.send(Ok(echo)).await.is_err() {
                    return;
                }
            }
        });
        Box::pin(async move { Ok(Response::new(ReceiverStream::new(outbound))) })
    }
}

/// A TLS stream that tonic takes without its own TLS feature.
struct Secured(TlsStream<TcpStream>);

impl Connected for Secured {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
