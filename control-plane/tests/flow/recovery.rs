//! A box whose certificate is of no use any more, as after a year in a drawer: it proves its key and comes back alone.

use crate::support::{Fixture, TestBox, secure_stream, sign, with_token};
use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use hyper_util::rt::TokioIo;
use kaliun_proto::enrollment::v1::RecoverRequest;
use kaliun_proto::enrollment::v1::recover_request::{Begin, Proof, Step};
use kaliun_proto::enrollment::v1::recover_response::Step as Answer;
use kaliun_proto::enrollment::v1::recovery_service_client::RecoveryServiceClient;
use kaliun_proto::fleet::v1 as fleet;
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls::pki_types::CertificateDer;
use std::sync::Mutex;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Uri};

/// A stranger's connection, and what only its two ends know.
async fn stranger(fixture: &Fixture, known: &TestBox) -> Result<(Channel, [u8; 32])> {
    let stream = secure_stream(fixture.device_address(), &known.roots, None).await?;
    let exporter = stream.get_ref().1.export_keying_material([0; 32], b"EXPORTER-kaliun-recovery", None)?;
    let stream = Mutex::new(Some(stream));
    let connect = tower::service_fn(move |_uri: Uri| {
        let taken = stream.lock().ok().and_then(|mut stream| stream.take());
        async move { taken.map(TokioIo::new).ok_or_else(|| std::io::Error::other("used up")) }
    });
    Ok((Endpoint::from_static("http://localhost").connect_with_connector(connect).await?, exporter))
}

/// The reason why a proof gets no certificate that was made for another connection.
pub(crate) async fn refused_when_relayed(fixture: &Fixture, known: &TestBox) -> Result<String> {
    let (_elsewhere, foreign) = stranger(fixture, known).await?;
    let (channel, own) = stranger(fixture, known).await?;
    ensure!(foreign != own, "each connection has its own");
    match recover(channel, &known.key, &foreign).await? {
        Answer::Refused(refused) => Ok(refused.reason),
        other @ (Answer::Challenge(_) | Answer::Issued(_)) => bail!("{other:?}"),
    }
}

/// Goes through a recovery with a key; `exporter` is what the proof is bound to.
async fn recover(channel: Channel, key: &KeyPair, exporter: &[u8; 32]) -> Result<Answer> {
    let (say, requests) = mpsc::channel(2);
    let certificate_request = CertificateParams::default().serialize_request(key)?.der().to_vec();
    say.send(RecoverRequest { step: Some(Step::Begin(Begin { certificate_request })) }).await?;
    let mut answers = RecoveryServiceClient::new(channel).recover(ReceiverStream::new(requests)).await?.into_inner();
    let first = answers.message().await?.and_then(|answer| answer.step).context("an answer")?;
    let Answer::Challenge(challenge) = first else { return Ok(first) };
    let hash = digest(&SHA256, &key.subject_public_key_info());
    let message = [b"kaliun recovery v1\0", challenge.nonce.as_slice(), hash.as_ref(), exporter].concat();
    say.send(RecoverRequest { step: Some(Step::Proof(Proof { signature: sign(key, &message)? })) }).await?;
    answers.message().await?.and_then(|answer| answer.step).context("a last answer")
}

/// The reason why a key gets no certificate.
pub(crate) async fn refused(fixture: &Fixture, known: &TestBox, key: &KeyPair) -> Result<String> {
    let (channel, exporter) = stranger(fixture, known).await?;
    match recover(channel, key, &exporter).await? {
        Answer::Refused(refused) => Ok(refused.reason),
        other @ (Answer::Challenge(_) | Answer::Issued(_)) => bail!("{other:?}"),
    }
}

/// Gets a device its next certificate by a proof of its key.
pub(crate) async fn recovered(fixture: &Fixture, known: &mut TestBox) -> Result<()> {
    let (channel, exporter) = stranger(fixture, known).await?;
    let answer = recover(channel, &known.key, &exporter).await?;
    let Answer::Issued(issued) = answer else { bail!("{answer:?}") };
    ensure!(issued.device_id == known.device_id, "{} is {}", known.device_id, issued.device_id);
    known.chain = issued.certificate_chain.into_iter().map(CertificateDer::from).collect();
    Ok(())
}

/// Makes a device's certificate have run out so long ago, as far as the record says.
async fn expire(fixture: &Fixture, known: &TestBox, days: i32) -> Result<()> {
    let statement = "UPDATE device SET certificate_expires_at = now() - make_interval(days => $2) WHERE id::text = $1";
    ensure!(fixture.admin().await?.execute(statement, &[&known.device_id, &days]).await? == 1, "one device");
    Ok(())
}

#[tokio::test]
async fn a_box_comes_back_alone_within_its_allowance() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut known = TestBox::enroll(&fixture, "cellar").await?;
    expire(&fixture, &known, 334).await?;
    recovered(&fixture, &mut known).await?;
    known.open().await.context("the new certificate is good")?;
    let admin = fixture.admin().await?;
    let noted = "SELECT (SELECT count(*) FROM event WHERE code = 'device.recovered' AND device_id::text = $1),
                        (SELECT array_agg(cause::int ORDER BY id) FROM device_certificate WHERE device_id::text = $1)";
    let row = admin.query_one(noted, &[&known.device_id]).await?;
    assert_eq!((row.get::<_, i64>(0), row.get::<_, Vec<i32>>(1)), (1, vec![1, 4]), "every use leaves its trace");
    fixture.stop().await
}

#[tokio::test]
async fn beyond_its_allowance_somebody_has_to_let_it() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut known = TestBox::enroll(&fixture, "cellar").await?;
    expire(&fixture, &known, 366).await?;
    assert_eq!(refused(&fixture, &known, &known.key).await?, "peer.recovery_expired");
    let mut devices = fixture.devices().await?;
    let request = fleet::ExtendDeviceRequest { id: known.device_id.clone(), seconds: 3_600 };
    let extended = devices.extend_device(with_token(request)).await?.into_inner().device.context("a device")?;
    ensure!(extended.recoverable_until_ms > 0, "{extended:?}");
    recovered(&fixture, &mut known).await?;
    known.open().await?;
    fixture.stop().await
}

#[tokio::test]
async fn nobody_else_recovers_as_a_device() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    assert_eq!(refused(&fixture, &known, &KeyPair::generate()?).await?, "peer.device_unknown");

    // A proof made for another connection, as somebody in the middle would pass it on.
    assert_eq!(refused_when_relayed(&fixture, &known).await?, "enrollment.proof_invalid");

    let mut devices = fixture.devices().await?;
    devices.delete_device(with_token(fleet::DeleteDeviceRequest { id: known.device_id.clone() })).await?;
    assert_eq!(refused(&fixture, &known, &known.key).await?, "peer.device_deleted");
    let admin = fixture.admin().await?;
    let count: i64 = admin.query_one("SELECT count(*) FROM device_certificate", &[]).await?.get(0);
    assert_eq!(count, 1, "only the first one");
    fixture.stop().await
}
