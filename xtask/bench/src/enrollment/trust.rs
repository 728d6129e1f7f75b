//! How a device that knows nothing but a hash learns whom to trust: the bundle comes over a connection that is not trusted,
//! and counts because its hash is right.

use crate::connection;
use crate::tasks::Tasks;
use anyhow::{Context as _, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use kaliun_proto::enrollment::v1::enrollment_service_client::EnrollmentServiceClient;
use kaliun_proto::enrollment::v1::{GetTrustBundleRequest, TrustBundle};
use prost::Message as _;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Gets the authorities of trust bundle version 1.
pub(super) async fn learn(server: SocketAddr, hash: [u8; 32], tasks: &Tasks) -> anyhow::Result<Vec<Vec<u8>>> {
    let stream = connection::secure(Ipv4Addr::LOCALHOST, server, anybody()?).await?;
    let sender = connection::http2(stream, tasks).await?;
    let service = tower::service_fn(move |request| {
        let mut sender = sender.clone();
        async move { sender.send_request(request).await }
    });
    let mut client = EnrollmentServiceClient::with_origin(service, http::Uri::from_static("https://127.0.0.1"));
    let answer = client.get_trust_bundle(GetTrustBundleRequest { from_version: 0 }).await?.into_inner();
    let first = answer.bundles.first().context("the control plane has no trust bundle")?;
    ensure!(digest(&SHA256, &first.bundle).as_ref() == hash, "the trust bundle is not the one the join token names");
    Ok(TrustBundle::decode(first.bundle.as_slice())?.certificate_authorities)
}

/// TLS of somebody who does not care who the server is.
pub(crate) fn anybody() -> anyhow::Result<Arc<ClientConfig>> {
    let provider = crate::certificates::provider();
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer(provider)))
        .with_no_client_auth();
    Ok(crate::certificates::finish(config))
}

/// Takes any server whose key signed the handshake.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
