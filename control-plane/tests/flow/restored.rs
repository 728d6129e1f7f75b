//! A database that comes back from a backup, and the boxes that come back to it: nobody is stranded, and what the database has forgotten is
//! told where it can be known.

use crate::floods::{OTHER, other_organization};
use crate::posture::{findings, platform_findings};
use crate::support::{
    Fixture, PATIENCE, Session, TOKEN, TestBox, device_channel, hello, open_with, samples, with_token, with_token_of,
};
use anyhow::{Context, Result, ensure};
use kaliun_control_plane::ended_devices;
use kaliun_control_plane::restored::{RestoredError, restored};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::lifecycle_service_client::LifecycleServiceClient;
use kaliun_proto::link::v1::Hello;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use rustls::pki_types::CertificateDer;
use std::time::{Duration, Instant, SystemTime};
use tonic::{Code, Status};

async fn revoke(fixture: &Fixture, known: &TestBox) -> Result<()> {
    let request = fleet::RevokeDeviceRequest { id: known.device_id.clone() };
    fixture.devices().await?.revoke_device(with_token(request)).await?;
    Ok(())
}

/// Opens a link as a box that remembers its last session.
async fn come_back(known: &TestBox, last: &Session) -> Result<Session> {
    let session_epoch = last.welcome.session_epoch;
    let incarnation = last.welcome.incarnation;
    open_with(known.channel().await?, Hello { session_epoch, incarnation, ..hello() }).await
}

async fn take_back(
    fixture: &Fixture,
    token: &str,
    known: &TestBox,
    name: &str,
) -> Result<Result<fleet::Device, Status>> {
    let request = fleet::ReadoptDeviceRequest {
        id: known.device_id.clone(),
        name: name.to_owned(),
        ..fleet::ReadoptDeviceRequest::default()
    };
    let mut client = LifecycleServiceClient::new(fixture.public().await?);
    match client.readopt_device(with_token_of(token, request)).await {
        Ok(answer) => Ok(Ok(answer.into_inner().device.context("a device")?)),
        Err(status) => Ok(Err(status)),
    }
}

/// Waits until devices stand in the journal beside the database.
async fn journalled(fixture: &Fixture, devices: &[&TestBox]) -> Result<()> {
    let path = fixture.folder().join(ended_devices::FILE);
    let began = Instant::now();
    loop {
        let ended = ended_devices::read(&path)?;
        let stands = |known: &&TestBox| ended.iter().any(|one| one.device.to_string() == known.device_id);
        if devices.iter().all(stands) {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "{ended:?}");
        tokio::task::yield_now().await;
    }
}

/// A certificate of ours, as the box would have got it by a renewal some days after the backup.
async fn renewed(fixture: &Fixture, known: &TestBox) -> Result<Vec<CertificateDer<'static>>> {
    let mut parameters = rcgen::CertificateParams::default();
    let uri = kaliun_types::id::device_uri(known.device_id.parse()?);
    parameters.subject_alt_names = vec![rcgen::SanType::URI(uri.try_into()?)];
    parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    parameters.not_before = (SystemTime::now() - Duration::from_secs(3600)).into();
    parameters.not_after = (SystemTime::now() + Duration::from_secs(50 * 24 * 3600)).into();
    let certificate = parameters.signed_by(&known.key, &fixture.own_issuer().await?)?;
    Ok(vec![CertificateDer::from(certificate.der().to_vec())])
}

fn reasons(findings: &[fleet::Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.reason.as_str()).collect()
}

#[tokio::test]
async fn boxes_come_back_to_a_database_that_has_forgotten_them() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut known = TestBox::enroll(&fixture, "known").await?;
    let mut stolen = TestBox::enroll(&fixture, "stolen").await?;
    let first = known.open().await?;
    other_organization(&fixture.admin().await?).await?;
    let (fixture, ()) = fixture.restart_after(async |stopped| stopped.back_up().await).await?;

    // The fleet goes on: sessions, samples, a renewal, a new box, a stolen one, and one that was both.
    for each in [&mut known, &mut stolen] {
        each.address = fixture.device_address();
    }
    let mut last = come_back(&known, &first).await?;
    for _ in 0..3 {
        last = come_back(&known, &last).await?;
    }
    last.send(DeviceWord::SampleBatch(samples(1, 3))).await?;
    last.acknowledged(3).await?;
    known.chain = renewed(&fixture, &known).await?;
    let mut new = TestBox::enroll(&fixture, "new").await?;
    new.open().await?;
    let mut brief = TestBox::enroll(&fixture, "brief").await?;
    revoke(&fixture, &stolen).await?;
    revoke(&fixture, &brief).await?;
    journalled(&fixture, &[&stolen, &brief]).await?;
    ensure!(platform_findings(&fixture).await?.is_empty(), "nothing is wrong yet");

    let (fixture, ()) = fixture.restart_after(async |stopped| stopped.restore().await).await?;
    for each in [&mut known, &mut stolen, &mut new, &mut brief] {
        each.address = fixture.device_address();
    }
    // Who is known comes in with what it has, and in a session that is higher than all it remembers.
    let mut session = come_back(&known, &last).await?;
    assert_eq!(session.welcome.session_epoch, last.welcome.session_epoch + 1);
    session.send(DeviceWord::SampleBatch(samples(4, 1))).await?;
    session.acknowledged(4).await?;
    // Nobody has said that the database is an old one; the boxes tell it.
    let older = platform_findings(&fixture).await?;
    assert_eq!(reasons(&older), ["device.ahead_of_database"]);
    assert_eq!(older[0].remedies[0].command, "control-plane restored");
    assert_eq!(older[0].count, 1);
    let by = fleet::get_device_request::By::Id(known.device_id.clone());
    let request = with_token(fleet::GetDeviceRequest { by: Some(by) });
    let device = fixture.devices().await?.get_device(request).await?.into_inner().device.context("a device")?;
    let days = (device.certificate_expires_at_ms - kaliun_control_plane::clock::to_ms(SystemTime::now())) / 86_400_000;
    ensure!((49..=50).contains(&days), "its new certificate is known: {days} days");
    // What the database has forgotten it cannot know: the stolen box comes in until somebody says so.
    stolen.open().await?;
    // Who is not known waits, and does not go through enrolment again.
    for unknown in [&new, &brief] {
        let status = unknown.refusal().await?;
        ensure!(status.message().starts_with("peer.unknown_after_restore"), "{status:?}");
        assert_eq!(status.code(), Code::PermissionDenied);
    }
    let waiting = findings(&fixture, TOKEN, 0).await?;
    assert_eq!(reasons(&waiting), ["peer.unknown_after_restore", "peer.unknown_after_restore"]);
    let command = format!("fleetctl device readopt device/{}", new.device_id);
    ensure!(waiting.iter().any(|finding| finding.remedies[0].command == command), "{waiting:?}");
    ensure!(findings(&fixture, OTHER, 0).await?.is_empty(), "their certificates say whose they are");

    // While a server runs nobody can say it.
    let running = restored(fixture.config(), &[]).await;
    ensure!(matches!(running, Err(RestoredError::Running)), "{running:?}");
    let (fixture, (said, again)) = fixture
        .restart_after(async |stopped| {
            Ok((restored(&stopped.config, &[]).await?.done, restored(&stopped.config, &[]).await?.done))
        })
        .await?;
    assert_eq!((said.incarnation, said.ended, said.tombstones, said.skipped), (2, 1, 1, 0));
    assert_eq!((again.incarnation, again.ended, again.tombstones), (3, 0, 0), "it knows them now");
    for each in [&mut known, &mut stolen, &mut new, &mut brief] {
        each.address = fixture.device_address();
    }
    for ended in [&stolen, &brief] {
        let status = ended.refusal().await?;
        let is_refused =
            ["peer.device_revoked", "peer.device_deleted"].iter().any(|reason| status.message().starts_with(reason));
        ensure!(is_refused, "{status:?}");
    }
    let session = come_back(&known, &session).await?;
    assert_eq!(session.welcome.incarnation, 3);
    ensure!(platform_findings(&fixture).await?.is_empty(), "it was said");

    // Taken back by whose it is, it comes in as what it was.
    let refused = take_back(&fixture, OTHER, &new, "").await?;
    assert_eq!(refused.unwrap_err().code(), Code::NotFound);
    let refused = take_back(&fixture, TOKEN, &brief, "").await?;
    assert_eq!(refused.unwrap_err().code(), Code::NotFound, "it was revoked");
    let taken = take_back(&fixture, TOKEN, &new, "new").await?.map_err(anyhow::Error::from)?;
    assert_eq!((taken.id.as_str(), taken.name.as_str()), (new.device_id.as_str(), "new"));
    let mut session = new.open().await?;
    session.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
    session.acknowledged(1).await?;
    let left = findings(&fixture, TOKEN, 0).await?;
    ensure!(left.iter().all(|finding| finding.reason != "peer.unknown_after_restore"), "{left:?}");
    fixture.stop().await
}

/// A certificate of an older version does not say whose the box is. Where there is but one organization there is no question.
#[tokio::test]
async fn a_box_that_cannot_say_whose_it_is_comes_back_where_there_is_no_choice() -> Result<()> {
    let fixture = Fixture::start().await?;
    let key = rcgen::KeyPair::generate()?;
    let roots = crate::support::learn_roots(&fixture).await?;
    let device_id = kaliun_types::id::DeviceId::new().to_string();
    let mut old = TestBox { key, roots, chain: Vec::new(), device_id, address: fixture.device_address() };
    old.chain = renewed(&fixture, &old).await?;
    let channel = device_channel(old.address, &old.roots, Some((old.chain.clone(), &old.key))).await?;
    let status = crate::support::refusal(channel).await?;
    ensure!(status.message().starts_with("peer.unknown_after_restore"), "{status:?}");
    ensure!(findings(&fixture, TOKEN, 0).await?.is_empty(), "it is nobody's");
    let waiting = platform_findings(&fixture).await?;
    assert_eq!(waiting[0].remedies[0].command, format!("fleetctl device readopt device/{}", old.device_id));

    other_organization(&fixture.admin().await?).await?;
    for token in [TOKEN, OTHER] {
        let refused = take_back(&fixture, token, &old, "").await?;
        assert_eq!(refused.unwrap_err().code(), Code::NotFound, "nobody knows whose it is");
    }
    let waiting = platform_findings(&fixture).await?;
    ensure!(waiting[0].remedies[0].is_on_box, "{waiting:?}");
    let forget = "DELETE FROM api_token WHERE created_by = 'test'; DELETE FROM organization WHERE name = 'Other'";
    fixture.admin().await?.batch_execute(forget).await?;
    let taken = take_back(&fixture, TOKEN, &old, "").await?.map_err(anyhow::Error::from)?;
    assert_eq!(taken.name, "returned");
    old.open().await?;
    fixture.stop().await
}
