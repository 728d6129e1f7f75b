//! The next certificate over the link, and trust that grows.

use crate::support::{Fixture, PATIENCE, TestBox, certificate_request, samples};
use anyhow::{Context, Result, ensure};
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use kaliun_proto::link::v1::server_message::Message as ServerWord;
use kaliun_proto::link::v1::{CertificateRequest, Heartbeat, TrustHeld};
use rcgen::KeyPair;
use std::time::Instant;

#[tokio::test]
async fn a_box_gets_its_next_certificate_and_keeps_the_old_one() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut known = TestBox::enroll(&fixture, "cellar").await?;
    let mut session = known.open().await?;
    let next = session.renew(&known.key).await?;
    ensure!(
        next.len() == 2 && next[0] != known.chain[0] && next[1] == known.chain[1],
        "another one of the same authority"
    );
    // Until it has used the new one, the box may come with either.
    known.open().await?;
    known.chain = next;
    known.open().await?;

    let admin = fixture.admin().await?;
    let noted = "SELECT (SELECT array_agg(cause::int ORDER BY id) FROM device_certificate WHERE device_id::text = $1),
                        (SELECT count(*) FROM event WHERE code = 'certificate.renewed' AND device_id::text = $1),
                        (SELECT certificate_expires_at FROM device WHERE id::text = $1)
                            = (SELECT max(expires_at) FROM device_certificate WHERE device_id::text = $1)";
    let row = admin.query_one(noted, &[&known.device_id]).await?;
    assert_eq!(row.get::<_, Vec<i32>>(0), [1, 3]);
    assert_eq!((row.get::<_, i64>(1), row.get::<_, bool>(2)), (1, true));
    fixture.stop().await
}

/// A box that wants one certificate after another fills a table and keeps a core busy.
#[tokio::test]
async fn a_box_gets_so_many_certificates_and_no_more() -> Result<()> {
    const AT_ONCE: i64 = 10;
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut session = known.open().await?;
    for _ in 0..AT_ONCE {
        session.renew(&known.key).await?;
    }
    session.send(certificate_request(&known.key)?).await?;
    // What is said after it is heeded after it.
    session.send(DeviceWord::TrustHeld(TrustHeld { version: 1 })).await?;
    let admin = fixture.admin().await?;
    let began = Instant::now();
    let held = "SELECT trust_version = 1 FROM device_status WHERE device_id::text = $1";
    while !admin.query_one(held, &[&known.device_id]).await?.get::<_, bool>(0) {
        ensure!(began.elapsed() < PATIENCE, "what it holds was not noted");
    }
    let count: i64 = admin.query_one("SELECT count(*) FROM device_certificate", &[]).await?.get(0);
    assert_eq!(count, 1 + AT_ONCE, "the one it enrolled with, and the others");
    fixture.stop().await
}

/// Many boxes whose certificates are due at once find no room for all that they ask, and would ask again only after ten minutes.
#[tokio::test]
async fn a_box_whose_request_found_no_room_is_reminded() -> Result<()> {
    const ROOM: usize = 2;
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut session = known.open().await?;
    let mut admin = fixture.admin().await?;
    let busy = admin.transaction().await?;
    busy.query_one("SELECT 1 FROM device WHERE id::text = $1 FOR UPDATE", &[&known.device_id]).await?;
    for _ in 0..=ROOM {
        session.send(certificate_request(&known.key)?).await?;
    }
    // What was said before it was heeded before it.
    session.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
    session.acknowledged(1).await?;
    busy.rollback().await?;
    let mut certificates = 0;
    loop {
        let word = session.next().await?;
        if matches!(word, ServerWord::RenewCertificate(_)) {
            break;
        }
        if matches!(word, ServerWord::Heartbeat(_)) {
            session.send(DeviceWord::Heartbeat(Heartbeat { now_ms: 0 })).await?;
        }
        certificates += usize::from(matches!(word, ServerWord::Certificate(_)));
    }
    session.renew(&known.key).await?;
    ensure!(certificates == ROOM, "{certificates}");
    fixture.stop().await
}

/// A session is for the key that the device enrolled with; a certificate for another one would be a second identity.
#[tokio::test]
async fn no_certificate_is_made_for_another_key() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let other = KeyPair::generate()?;
    for word in [
        certificate_request(&other)?,
        DeviceWord::CertificateRequest(CertificateRequest { certificate_request: b"garbage".to_vec() }),
        DeviceWord::CertificateRequest(CertificateRequest { certificate_request: vec![0; 8 * 1024] }),
    ] {
        let mut session = known.open().await?;
        session.send(word).await?;
        let status = session.end().await?;
        ensure!(status.message().starts_with("link.protocol_error"), "{status:?}");
    }
    let admin = fixture.admin().await?;
    let count: i64 = admin.query_one("SELECT count(*) FROM device_certificate", &[]).await?.get(0);
    assert_eq!(count, 1, "the first one only");
    fixture.stop().await
}

#[tokio::test]
async fn a_box_says_which_bundle_it_holds() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let admin = fixture.admin().await?;
    // Its hello says none, so it is told the first.
    let mut session = known.open().await?;
    let told = loop {
        if let ServerWord::TrustBundles(told) = session.next().await? {
            break told.bundles;
        }
    };
    assert_eq!(told.len(), 1);
    session.send(DeviceWord::TrustHeld(TrustHeld { version: 1 })).await?;
    let began = Instant::now();
    loop {
        let held = "SELECT trust_version FROM device_status WHERE device_id::text = $1";
        let held: i64 = admin.query_one(held, &[&known.device_id]).await?.get(0);
        if held == 1 {
            break;
        }
        ensure!(began.elapsed() < PATIENCE, "it is not noted");
    }
    drop(session);
    fixture.stop().await.context("it stops")
}
