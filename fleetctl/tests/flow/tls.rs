//! A server behind TLS, with a certificate of its own authority.

use crate::double::{Double, World};
use crate::things::silent;
use crate::workbench::Workbench;
use futures_util::stream;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// tonic's own connections know the caller's address; here nobody asks for it.
struct Encrypted(TlsStream<TcpStream>);

impl Connected for Encrypted {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Encrypted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A double behind TLS, and the PEM file of its authority.
async fn encrypted_double() -> (Double, PathBuf) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca_params = CertificateParams::new(Vec::new()).unwrap();
    ca_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = ca_params.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, &Issuer::new(ca_params, ca_key))
        .unwrap();

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let incoming = stream::unfold((listener, acceptor), |(listener, acceptor)| async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not trust us hangs up; the next one may.
            if let Ok(stream) = acceptor.accept(stream).await {
                return Some((Ok(Encrypted(stream)), (listener, acceptor)));
            }
        }
    });
    let double = Double::serve(
        World { devices: vec![silent(1, "a")], ..World::default() },
        format!("https://localhost:{port}"),
        Box::pin(incoming),
    );
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fleetctl-ca-{port}.pem"));
    std::fs::write(&file, ca.pem()).unwrap();
    (double, file)
}

#[tokio::test]
async fn another_authority_is_trusted_when_it_is_named() {
    let (double, ca) = encrypted_double().await;
    let mut workbench = Workbench::at(&double);
    let ended = workbench.run("get devices -o name").await;
    assert_eq!(ended.code, 1, "{}", ended.error);
    assert!(
        ended.error.contains("hint: give its certificate authority with --ca FILE or FLEETCTL_CA"),
        "{}",
        ended.error
    );
    assert!(double.calls().is_empty(), "the token was not sent to a server that is not trusted");

    assert_eq!(workbench.output(&format!("get devices -o name --ca {}", ca.display())).await, "device/a\n");
    workbench.environment.ca_file = Some(ca);
    assert_eq!(workbench.output("get devices -o name").await, "device/a\n");
}

#[tokio::test]
async fn a_useless_authority_file_is_told() {
    let (double, _ca) = encrypted_double().await;
    let workbench = Workbench::at(&double);
    let ended = workbench.run("get devices --ca /dev/null").await;
    assert_eq!(ended.code, 1);
    assert!(ended.error.contains("cannot use the certificate authorities in /dev/null"), "{}", ended.error);
    assert_eq!(workbench.run("get devices --ca /no/such/file").await.code, 1);
}
