//! The certificates themselves: `openssl verify` takes each for what it is and for nothing else, and a linter's rules find no fault.

mod lint;
mod openssl;

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
use rcgen::CertificateParams;
use rustls::pki_types::CertificateDer;
use std::collections::BTreeSet;
use std::time::Instant;

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

/// Two boxes of one authority, one with a renewed certificate too, and the server: then the same of the authority that comes after it.
#[tokio::test]
async fn certificates_are_what_openssl_and_a_linter_want_also_after_a_rotation() -> Result<()> {
    let fixture = Fixture::start().await?;
    let openssl = OpenSsl::in_folder(fixture.folder())?;
    let mut serials = BTreeSet::new();
    let mut authorities = Vec::new();
    for generation in 1..=2 {
        let roots = learn_roots(&fixture).await?;
        let [root] = roots.as_slice() else { anyhow::bail!("{} authorities", roots.len()) };
        authorities.push(root.clone());
        Linted::read(root, root)?.check(&Kind::Authority { number: generation }, &mut serials)?;
        openssl.takes(root, root, Purpose::Any)?;

        let known = TestBox::enroll(&fixture, "cellar").await?;
        let other = TestBox::enroll(&fixture, "attic").await?;
        let mut session = known.open().await?;
        let next = renewed(&mut session, &known).await?;
        for (chain, device_id) in
            [(&known.chain, &known.device_id), (&next, &known.device_id), (&other.chain, &other.device_id)]
        {
            let (leaf, authority) = leaf_and_authority(chain)?;
            ensure!(authority == *root, "the chain ends with the authority");
            Linted::read(&leaf, root)?.check(&Kind::Device { id: device_id }, &mut serials)?;
            openssl.takes(&leaf, root, Purpose::Client)?;
            openssl.refuses(&leaf, root, Purpose::Server("localhost"))?;
        }

        let (leaf, authority) = leaf_and_authority(&server_chain(&fixture, &roots).await?)?;
        ensure!(authority == *root, "the server's chain ends with the authority");
        Linted::read(&leaf, root)?.check(&Kind::Server { name: "localhost" }, &mut serials)?;
        openssl.takes(&leaf, root, Purpose::Server("localhost"))?;
        openssl.refuses(&leaf, root, Purpose::Server("another.example"))?;
        openssl.refuses(&leaf, root, Purpose::Client)?;

        for stranger in authorities.iter().filter(|one| *one != root) {
            openssl.refuses(&leaf, stranger, Purpose::Server("localhost"))?;
            openssl.refuses(&next[0], stranger, Purpose::Client)?;
        }
        if generation == 1 {
            rotate(&fixture).await?;
        }
    }
    ensure!(authorities[0] != authorities[1], "another authority");
    // Each generation: the authority, three certificates of boxes and the server's.
    assert_eq!(serials.len(), 10);
    fixture.stop().await
}
