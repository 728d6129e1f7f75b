//! Who is refused, and with which reason.

use crate::support::{
    Fixture, Session, TestBox, device_channel, enroll, hello, learn_roots, refusal, samples, with_token, word,
};
use anyhow::{Context, Result};
use kaliun_proto::enrollment::v1::enroll_response::Step as Answer;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use kaliun_proto::link::v1::{DeviceMessage, Heartbeat, Hello};
use kaliun_types::reason::ReasonCode;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::CertificateDer;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

fn check(status: &Status, reason: ReasonCode) {
    let code = status.message().split(':').next().unwrap_or_default();
    assert_eq!(code, reason.code(), "{status:?}");
}

/// A certificate for a device from an authority made here.
fn certificate(
    device_id: &str,
    issuer: &Issuer<'_, KeyPair>,
    key: &KeyPair,
    from: SystemTime,
    until: SystemTime,
) -> Result<CertificateDer<'static>> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(format!("urn:kaliun:device:{device_id}").try_into()?)];
    params.not_before = from.into();
    params.not_after = until.into();
    Ok(params.signed_by(key, issuer)?.der().clone())
}

#[tokio::test]
async fn strangers_are_refused_each_with_its_own_reason() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let now = SystemTime::now();
    let day = Duration::from_secs(24 * 3600);

    let nobody = device_channel(known.address, &known.roots, None).await?;
    check(&refusal(nobody).await?, ReasonCode::PeerNoCertificate);

    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let other = Issuer::new(params, KeyPair::generate()?);
    let forged = certificate(&known.device_id, &other, &known.key, now - day, now + day)?;
    let stranger = device_channel(known.address, &known.roots, Some((vec![forged], &known.key))).await?;
    check(&refusal(stranger).await?, ReasonCode::PeerUnknownIssuer);

    let own = fixture.own_issuer().await?;
    let expired = certificate(&known.device_id, &own, &known.key, now - 2 * day, now - day)?;
    let late = device_channel(known.address, &known.roots, Some((vec![expired], &known.key))).await?;
    check(&refusal(late).await?, ReasonCode::PeerExpired);

    let future = certificate(&known.device_id, &own, &known.key, now + day, now + 2 * day)?;
    let early = device_channel(known.address, &known.roots, Some((vec![future], &known.key))).await?;
    check(&refusal(early).await?, ReasonCode::PeerNotYetValid);

    let unknown = "018f3c1e-7d2a-7c3b-9f10-000000000000";
    let unknown = certificate(unknown, &own, &known.key, now - day, now + day)?;
    let lost = device_channel(known.address, &known.roots, Some((vec![unknown], &known.key))).await?;
    check(&refusal(lost).await?, ReasonCode::PeerUnknownAfterRestore);

    let nameless = certificate("not-a-uuid", &own, &known.key, now - day, now + day)?;
    let nameless = device_channel(known.address, &known.roots, Some((vec![nameless], &known.key))).await?;
    check(&refusal(nameless).await?, ReasonCode::PeerInvalid);

    let id = known.device_id.clone();
    fixture.devices().await?.delete_device(with_token(fleet::DeleteDeviceRequest { id })).await?;
    check(&known.refusal().await?, ReasonCode::PeerDeviceDeleted);
    fixture.stop().await
}

#[tokio::test]
async fn deleting_a_device_ends_its_session_with_the_reason() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut session = known.open().await?;
    let id = known.device_id.clone();
    fixture.devices().await?.delete_device(with_token(fleet::DeleteDeviceRequest { id })).await?;
    check(&session.end().await?, ReasonCode::PeerDeviceDeleted);
    fixture.stop().await
}

#[tokio::test]
async fn a_bad_message_ends_its_own_session_and_nothing_else() -> Result<()> {
    let fixture = Fixture::start().await?;
    let (bad, good) = (TestBox::enroll(&fixture, "bad").await?, TestBox::enroll(&fixture, "good").await?);
    let mut neighbour = good.open().await?;
    let breaches = [
        ("a second hello", DeviceWord::Hello(Box::new(hello()))),
        ("sequence zero", DeviceWord::SampleBatch(samples(0, 1))),
        ("an empty batch", DeviceWord::SampleBatch(samples(1, 0))),
        ("an oversized batch", DeviceWord::SampleBatch(samples(1, 129))),
    ];
    for (what, message) in breaches {
        let mut session = bad.open().await?;
        session.send(message).await?;
        let status = session.end().await.context(what)?;
        check(&status, ReasonCode::LinkProtocolError);
    }
    let mut session = bad.open().await?;
    session.send(DeviceWord::SampleBatch(samples(5, 2))).await?;
    session.send(DeviceWord::SampleBatch(samples(5, 2))).await?;
    check(&session.end().await.context("a batch out of order")?, ReasonCode::LinkProtocolError);

    neighbour.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
    neighbour.acknowledged(1).await?;
    fixture.stop().await
}

#[tokio::test]
async fn a_first_message_that_is_no_hello_is_refused() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    for first in [
        word(DeviceWord::Heartbeat(Heartbeat { now_ms: 0 })),
        word(DeviceWord::Hello(Box::new(Hello { boot_id: "x".to_owned(), ..hello() }))),
        // A zero would fail the statement that begins many sessions at once.
        word(DeviceWord::Hello(Box::new(Hello { agent_version: "1\0".to_owned(), ..hello() }))),
        DeviceMessage { message: None },
    ] {
        let (say, outbound) = mpsc::channel(1);
        say.send(first).await?;
        let mut client = kaliun_proto::link::v1::link_service_client::LinkServiceClient::new(known.channel().await?);
        let status = client.open_link(ReceiverStream::new(outbound)).await.map(|_| ()).unwrap_err();
        check(&status, ReasonCode::LinkProtocolError);
    }
    let (say, outbound) = mpsc::channel(1);
    say.send(word(DeviceWord::Hello(Box::new(Hello { protocol: 0, ..hello() })))).await?;
    let mut client = kaliun_proto::link::v1::link_service_client::LinkServiceClient::new(known.channel().await?);
    let status = client.open_link(ReceiverStream::new(outbound)).await.map(|_| ()).unwrap_err();
    check(&status, ReasonCode::LinkUnsupportedProtocol);
    fixture.stop().await
}

#[tokio::test]
async fn enrolment_refuses_what_is_not_proved() -> Result<()> {
    let fixture = Fixture::start().await?;
    let roots = learn_roots(&fixture).await?;
    let key = KeyPair::generate()?;
    let token = fixture.join_token().await?;
    let wrong = token.replacen("kjt1.", "kjt1.A", 1);
    for (join_token, reason) in
        [("no token at all", ReasonCode::EnrollmentTokenInvalid), (wrong.as_str(), ReasonCode::EnrollmentTokenInvalid)]
    {
        match enroll(&fixture, &roots, &key, join_token, "cellar", async |_| {}).await? {
            Answer::Refused(refused) => assert_eq!(refused.reason, reason.code(), "{join_token}"),
            other @ (Answer::Challenge(_) | Answer::Pending(_) | Answer::Issued(_)) => {
                anyhow::bail!("{join_token}: {other:?}")
            }
        }
    }
    // Another key signs the proof.
    let thief = KeyPair::generate()?;
    let stolen = crate::support::enroll_with_foreign_proof(&fixture, &roots, &key, &thief, &token).await?;
    assert_eq!(stolen, ReasonCode::EnrollmentProofInvalid.code());
    fixture.stop().await
}

#[tokio::test]
async fn a_newer_session_ends_the_older_one() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut older = known.open().await?;
    let mut newer: Session = known.open().await?;
    let ended = older.end().await?;
    check(&ended, ReasonCode::LinkSuperseded);
    assert_eq!(ended.code(), Code::Aborted, "the box must not fight over it");
    assert!(newer.welcome.session_epoch > older.welcome.session_epoch);
    newer.send(DeviceWord::SampleBatch(samples(1, 3))).await?;
    newer.acknowledged(3).await?;
    fixture.stop().await
}
