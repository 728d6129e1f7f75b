//! The certificates themselves: `openssl verify` takes each for what it is and for nothing else, and a linter's rules find no fault.

mod lint;
mod openssl;

use crate::recovery::recovered;
use crate::support::{Fixture, PATIENCE, Session, TestBox, bundles, learn_roots, secure_stream, with_token};
use anyhow::{Context, Result, ensure};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::RotationPhase;
use kaliun_proto::fleet::v1::authority_service_client::AuthorityServiceClient;
use kaliun_proto::link::v1::CertificateRequest;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use kaliun_proto::link::v1::server_message::Message as ServerWord;
use lint::{Kind, Linted};
use openssl::{OpenSsl, Purpose};
use rcgen::{CertificateParams, PublicKeyData};
use rustls::pki_types::CertificateDer;
use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Makes the next authority the only one, whether or not boxes came along.
async fn rotate(fixture: &Fixture) -> Result<()> {
    let mut authorities = AuthorityServiceClient::new(fixture.public().await?);
    authorities.start_rotation(with_token(fleet::StartRotationRequest::default())).await?;
    for from in [RotationPhase::Trust, RotationPhase::Issue, RotationPhase::Drain] {
        let request = fleet::AdvanceRotationRequest { from: from.into(), force: true };
        authorities.advance_rotation(with_token(request)).await?;
    }
    // The replica follows in a moment: it tells the third bundle when it does.
    let began = Instant::now();
    while bundles(fixture).await?.len() < 3 {
        ensure!(began.elapsed() < PATIENCE, "the server does not follow");
    }
    Ok(())
}

/// The next certificate of a box, over its link.
async fn renewed(session: &mut Session, known: &TestBox) -> Result<Vec<CertificateDer<'static>>> {
    let certificate_request = CertificateParams::default().serialize_request(&known.key)?.der().to_vec();
    session.send(DeviceWord::CertificateRequest(CertificateRequest { certificate_request })).await?;
    loop {
        if let ServerWord::Certificate(certificate) = session.next().await? {
            return Ok(certificate.certificate_chain.into_iter().map(CertificateDer::from).collect());
        }
    }
}

/// What the device listener shows now.
async fn server_chain(fixture: &Fixture, roots: &[CertificateDer<'static>]) -> Result<Vec<CertificateDer<'static>>> {
    let stream = secure_stream(fixture.device_address(), roots, None).await?;
    let chain = stream.get_ref().1.peer_certificates().context("the server shows a certificate")?;
    Ok(chain.iter().map(|certificate| certificate.clone().into_owned()).collect())
}

/// A chain as it should be: somebody's certificate, then the one authority that made it.
fn leaf_and_authority(chain: &[CertificateDer<'static>]) -> Result<(CertificateDer<'static>, CertificateDer<'static>)> {
    let [leaf, authority] = chain else { anyhow::bail!("{} certificates in a chain", chain.len()) };
    Ok((leaf.clone(), authority.clone()))
}

/// The key in a certificate.
fn key_of(certificate: &CertificateDer<'_>) -> Result<Vec<u8>> {
    Ok(x509_parser::parse_x509_certificate(certificate)?.1.public_key().raw.to_vec())
}

/// Bits in which two serial numbers of one length differ.
fn distance(one: &[u8], other: &[u8]) -> u32 {
    one.iter().zip(other).map(|(one, other)| (one ^ other).count_ones()).sum()
}

/// Judged by its life: good until shortly before its end, and neither after that nor before its beginning.
fn lives(
    openssl: &OpenSsl,
    leaf: &CertificateDer<'_>,
    root: &CertificateDer<'_>,
    purpose: Purpose<'_>,
    days: u64,
) -> Result<()> {
    let now = SystemTime::now();
    openssl.takes_at(leaf, root, purpose, now + DAY * u32::try_from(days - 1)?)?;
    openssl.refuses_at(leaf, root, purpose, now + DAY * u32::try_from(days + 1)?)?;
    openssl.refuses_at(leaf, root, purpose, now - DAY)
}

/// Two boxes of one authority, one with a renewed certificate and one with a recovered one too, and the server: then the same of the
/// authority that comes after it.
#[tokio::test]
async fn certificates_are_what_openssl_and_a_linter_want_also_after_a_rotation() -> Result<()> {
    let fixture = Fixture::start().await?;
    let openssl = OpenSsl::in_folder(fixture.folder())?;
    let mut serials = BTreeSet::new();
    let mut keys = BTreeSet::new();
    let mut authorities = Vec::new();
    for generation in 1..=2 {
        let roots = learn_roots(&fixture).await?;
        let [root] = roots.as_slice() else { anyhow::bail!("{} authorities", roots.len()) };
        authorities.push(root.clone());
        Linted::read(root, root)?.check(&Kind::Authority { number: generation }, &mut serials)?;
        openssl.takes(root, root, Purpose::Any)?;

        openssl.refuses(root, root, Purpose::Server("localhost"))?;
        ensure!(keys.insert(key_of(root)?), "an authority has a key of its own");
        openssl.takes_at(root, root, Purpose::Any, SystemTime::now() + DAY * 3_649)?;
        openssl.refuses_at(root, root, Purpose::Any, SystemTime::now() + DAY * 3_651)?;

        let known = TestBox::enroll(&fixture, "cellar").await?;
        let mut other = TestBox::enroll(&fixture, "attic").await?;
        let mut session = known.open().await?;
        let next = renewed(&mut session, &known).await?;
        let first = other.chain.clone();
        recovered(&fixture, &mut other).await?;
        for (chain, of) in [(&known.chain, &known), (&next, &known), (&first, &other), (&other.chain, &other)] {
            let (leaf, authority) = leaf_and_authority(chain)?;
            ensure!(authority == *root, "the chain ends with the authority");
            Linted::read(&leaf, root)?.check(&Kind::Device { id: &of.device_id }, &mut serials)?;
            ensure!(key_of(&leaf)? == of.key.subject_public_key_info(), "for the key that the box made");
            openssl.takes(&leaf, root, Purpose::Client)?;
            openssl.refuses(&leaf, root, Purpose::Server("localhost"))?;
            lives(&openssl, &leaf, root, Purpose::Client, 30)?;
        }

        let (leaf, authority) = leaf_and_authority(&server_chain(&fixture, &roots).await?)?;
        ensure!(authority == *root, "the server's chain ends with the authority");
        let kind = Kind::Server { name: "localhost", now: SystemTime::now() };
        Linted::read(&leaf, root)?.check(&kind, &mut serials)?;
        openssl.takes(&leaf, root, Purpose::Server("localhost"))?;
        openssl.refuses(&leaf, root, Purpose::Server("another.example"))?;
        openssl.refuses(&leaf, root, Purpose::Client)?;
        lives(&openssl, &leaf, root, Purpose::Server("localhost"), 90)?;
        ensure!(keys.insert(key_of(&leaf)?), "the server makes a key with each certificate");

        for stranger in authorities.iter().filter(|one| *one != root) {
            openssl.refuses(&leaf, stranger, Purpose::Server("localhost"))?;
            openssl.refuses(&next[0], stranger, Purpose::Client)?;
        }
        if generation == 1 {
            rotate(&fixture).await?;
        }
    }
    ensure!(authorities[0] != authorities[1], "another authority");
    // Each generation: the authority, four certificates of boxes and the server's.
    assert_eq!(serials.len(), 12);
    // Of 126 random bits about 63 differ; less than 32 happen once in 50 million pairs.
    for (place, one) in serials.iter().enumerate() {
        for other in serials.iter().skip(place + 1) {
            ensure!(distance(one, other) >= 32, "{one:02x?} and {other:02x?} are no random numbers");
        }
    }
    fixture.stop().await
}

/// The listener's certificate begins with its authority however old that is, is made anew once a day, and ends 90 days after that.
#[tokio::test]
async fn the_server_s_certificate_ends_soon_though_its_authority_is_old() -> Result<()> {
    let fixture = Fixture::start().await?;
    let roots = learn_roots(&fixture).await?;
    let [root] = roots.as_slice() else { anyhow::bail!("{} authorities", roots.len()) };
    let first = server_chain(&fixture, &roots).await?;
    fixture.advance(DAY * 365);
    let began = Instant::now();
    let chain = loop {
        ensure!(began.elapsed() < PATIENCE, "the certificate is not made anew");
        match server_chain(&fixture, &roots).await {
            Ok(chain) if chain != first => break chain,
            // The same, or too many questions in a second.
            Ok(_) | Err(_) => {}
        }
    };
    let (leaf, _authority) = leaf_and_authority(&chain)?;
    let kind = Kind::Server { name: "localhost", now: SystemTime::now() + DAY * 365 };
    Linted::read(&leaf, root)?.check(&kind, &mut BTreeSet::new())?;
    fixture.stop().await
}
