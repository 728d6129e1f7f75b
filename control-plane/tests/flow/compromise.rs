//! Keys that were stolen, and what docs/howto/stolen-keys.md says to type then.

use crate::rotation::{learn, renew};
use crate::support::{Fixture, PATIENCE, TestBox, device_channel, refusal, with_token};
use anyhow::{Context, Result, ensure};
use kaliun_control_plane::authority::KeyFile;
use kaliun_proto::enrollment::v1::TrustBundle;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::RotationPhase;
use kaliun_proto::fleet::v1::authority_service_client::AuthorityServiceClient;
use prost::Message;
use rcgen::{CertificateParams, Issuer, KeyPair, SanType};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::Arc;
use std::time::Instant;
use tonic::transport::Channel;

/// Whoever has an authority's key, and a key of their own.
struct Thief {
    authority: Issuer<'static, KeyPair>,
    key: KeyPair,
}

impl Thief {
    fn certificate(&self, name: SanType) -> Result<CertificateDer<'static>> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        Ok(params.signed_by(&self.key, &self.authority)?.der().clone())
    }

    /// Poses as the server. Answers whether a box with these roots believes it.
    fn poses_as_server(&self, roots: &[CertificateDer<'static>]) -> Result<bool> {
        let leaf = self.certificate(SanType::DnsName("localhost".try_into()?))?;
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build()?;
        let name = ServerName::try_from("localhost")?;
        Ok(verifier.verify_server_cert(&leaf, &[], &name, &[], UnixTime::now()).is_ok())
    }

    /// Poses as a box. Answers the reason of the refusal.
    async fn poses_as_box(&self, known: &TestBox) -> Result<String> {
        let leaf = self.certificate(SanType::URI(format!("urn:kaliun:device:{}", known.device_id).try_into()?))?;
        let channel = device_channel(known.address, &known.roots, Some((vec![leaf], &self.key))).await?;
        let status = refusal(channel).await?;
        Ok(status.message().split(':').next().unwrap_or_default().to_owned())
    }
}

async fn advance(operator: &mut AuthorityServiceClient<Channel>, from: RotationPhase) -> Result<()> {
    let request = fleet::AdvanceRotationRequest { from: from.into(), force: true };
    operator.advance_rotation(with_token(request)).await?;
    Ok(())
}

#[tokio::test]
async fn the_stolen_key_of_an_authority_is_worth_nothing_after_a_rotation() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut known = TestBox::enroll(&fixture, "cellar").await?;
    let thief = Thief { authority: fixture.own_issuer().await?, key: KeyPair::generate()? };
    // What it is worth: a server that boxes believe, when the thief is between them and theirs. It makes no box.
    ensure!(thief.poses_as_server(&known.roots)?);
    assert_eq!(thief.poses_as_box(&known).await?, "peer.key_mismatch");

    // fleetctl ca rotate start; then fleetctl ca rotate advance --force, three times.
    let mut operator = AuthorityServiceClient::new(fixture.public().await?);
    operator.start_rotation(with_token(fleet::StartRotationRequest::default())).await?;
    let mut session = known.open().await?;
    known.roots = learn(&mut session).await?;
    advance(&mut operator, RotationPhase::Trust).await?;
    renew(&mut session, &mut known).await?;
    advance(&mut operator, RotationPhase::Issue).await?;
    advance(&mut operator, RotationPhase::Drain).await?;

    let began = Instant::now();
    while crate::support::bundles(&fixture).await?.len() < 3 {
        ensure!(began.elapsed() < PATIENCE, "the server does not follow");
    }
    let mut session = known.open().await?;
    known.roots = learn(&mut session).await?;
    assert_eq!(known.roots.len(), 1);
    ensure!(!thief.poses_as_server(&known.roots)?, "the box believes the thief");
    assert_eq!(thief.poses_as_box(&known).await?, "peer.unknown_issuer");
    fixture.stop().await
}

/// Only the newest bundle's key signs, and that is another one after each bundle: the stolen one is of no use once there is a newer bundle.
#[tokio::test]
async fn a_rotation_takes_the_stolen_key_of_bundles_out_of_use() -> Result<()> {
    let fixture = Fixture::start().await?;
    let keys = KeyFile::open(&fixture.config().authority_key_file)?.context("a key file")?;
    let admin = fixture.admin().await?;
    let row = admin.query_one("SELECT sealed_key FROM trust_bundle WHERE version = 1", &[]).await?;
    let stolen = keys.unseal("bundle key 1", row.get(0))?;
    let stolen = KeyPair::try_from(&rustls::pki_types::PrivatePkcs8KeyDer::from(stolen.as_slice()))?;
    let names = |signed: &kaliun_proto::enrollment::v1::SignedTrustBundle| -> Result<bool> {
        let bundle = TrustBundle::decode(signed.bundle.as_slice())?;
        Ok(bundle.bundle_key == rcgen::PublicKeyData::der_bytes(&stolen))
    };
    ensure!(names(&crate::support::bundles(&fixture).await?[0])?, "what comes next is signed with it");

    let mut operator = AuthorityServiceClient::new(fixture.public().await?);
    operator.start_rotation(with_token(fleet::StartRotationRequest::default())).await?;
    let began = Instant::now();
    let bundles = loop {
        let bundles = crate::support::bundles(&fixture).await?;
        if bundles.len() > 1 {
            break bundles;
        }
        ensure!(began.elapsed() < PATIENCE, "the server does not follow");
    };
    ensure!(!names(&bundles[1])?, "the thief signs the next one, too");
    let kept = admin.query_one("SELECT count(*) FROM trust_bundle WHERE version = 1 AND sealed_key IS NOT NULL", &[]);
    assert_eq!(kept.await?.get::<_, i64>(0), 0);
    fixture.stop().await
}
