//! The peers' own authority and server certificate, and the TLS settings of both sides.

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files of a peer server.
#[derive(Debug, Clone)]
pub(crate) struct PeerFiles {
    /// The certificate and its key, PEM.
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// The authority of the devices' certificates, PEM: the control plane's own.
    pub(crate) client_authority: PathBuf,
}

/// Makes an authority and a certificate for loopback, and writes them beside the devices' authority. Answers with the files
/// and the authority that the devices shall trust.
pub(crate) fn make(
    folder: &Path,
    device_authorities: &[CertificateDer<'_>],
) -> anyhow::Result<(PeerFiles, CertificateDer<'static>)> {
    let authority_key = KeyPair::generate().context("no key could be made")?;
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let key = KeyPair::generate().context("no key could be made")?;
    let mut server = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = server.signed_by(&key, &issuer)?;

    let files = PeerFiles {
        certificate: folder.join("peer-cert.pem"),
        key: folder.join("peer-key.pem"),
        client_authority: folder.join("device-authority.pem"),
    };
    std::fs::write(&files.certificate, certificate.pem())?;
    std::fs::write(&files.key, key.serialize_pem())?;
    let authorities: String = device_authorities.iter().map(|der| pem(der)).collect();
    std::fs::write(&files.client_authority, authorities)?;
    Ok((files, authority_certificate.der().clone()))
}

fn pem(certificate: &[u8]) -> String {
    let body = data_encoding::BASE64.encode(certificate);
    let lines: Vec<&str> = (0..body.len()).step_by(64).filter_map(|at| body.get(at..body.len().min(at + 64))).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// The provider of both sides: the hybrid post-quantum key exchange first.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768, aws_lc_rs::kx_group::X25519];
    Arc::new(provider)
}

/// Makes the devices' TLS settings; the verifier is shared, as it would be too much for each device to have its own.
#[derive(Debug)]
pub(crate) struct ClientTls {
    provider: Arc<CryptoProvider>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl ClientTls {
    /// Trusts some authorities.
    pub(crate) fn new(authorities: &[CertificateDer<'static>]) -> anyhow::Result<Self> {
        let provider = provider();
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority.clone()).context("an authority's certificate is none")?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
        Ok(Self { provider, verifier })
    }

    /// For a peer without a certificate.
    pub(crate) fn stranger(&self) -> anyhow::Result<Arc<ClientConfig>> {
        Ok(finish(self.builder()?.with_no_client_auth()))
    }

    /// For a device.
    pub(crate) fn device(&self, identity: &crate::identity::Identity) -> anyhow::Result<Arc<ClientConfig>> {
        let config = self.builder()?.with_client_auth_cert(identity.chain()?, identity.private_key()?)?;
        Ok(finish(config))
    }

    fn builder(&self) -> anyhow::Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>> {
        Ok(ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_webpki_verifier(Arc::clone(&self.verifier)))
    }
}

/// HTTP/2 and no resumption: every handshake is a full one.
pub(crate) fn finish(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}
