//! Two boxes under one identity, and keys that come under two names.

use crate::posture::findings;
use crate::support::{Fixture, Session, TOKEN, TestBox, enroll, learn_roots, refusal, samples, with_token};
use anyhow::{Context, Result, ensure};
use kaliun_control_plane::server::Server;
use kaliun_proto::enrollment::v1::enroll_response::Step as Answer;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::get_device_request::By;
use kaliun_proto::fleet::v1::lifecycle_service_client::LifecycleServiceClient;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use tonic::{Code, Status};

const ONE: &str = "11111111-1111-4111-8111-111111111111";
const OTHER: &str = "22222222-2222-4222-8222-222222222222";

async fn device(fixture: &Fixture, id: &str) -> Result<fleet::Device> {
    let request = fleet::GetDeviceRequest { by: Some(By::Id(id.to_owned())) };
    fixture.devices().await?.get_device(with_token(request)).await?.into_inner().device.context("a device")
}

/// The messages of a device's events of a kind.
async fn events(fixture: &Fixture, device: &str, code: &str) -> Result<Vec<String>> {
    let statement = "SELECT message FROM event WHERE device_id::text = $1 AND code = $2 ORDER BY id";
    let rows = fixture.admin().await?.query(statement, &[&device, &code]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Lets two copies of a box come in turns at two replicas, until the server is sure. Answers the last session.
async fn take_turns(fixture: &Fixture, replica: &Server, known: &TestBox) -> Result<Session> {
    let elsewhere = TestBox { address: replica.addresses().device, ..known.copy()? };
    let mut last = known.open_after_boot(ONE).await?;
    for (copy, boot) in [(&elsewhere, OTHER), (known, ONE), (&elsewhere, OTHER)] {
        last = copy.open_after_boot(boot).await?;
        ensure!(device(fixture, &known.device_id).await?.parked_at_ms == 0, "once may be an accident");
    }
    drop(last);
    known.open_after_boot(ONE).await
}

async fn keep(fixture: &Fixture, id: &str, boot: &str) -> Result<fleet::Device, Status> {
    let channel = fixture.public().await.map_err(|error| Status::unknown(error.to_string()))?;
    let request =
        fleet::ReadoptDeviceRequest { id: id.to_owned(), keep_boot_id: boot.to_owned(), ..Default::default() };
    let answer = LifecycleServiceClient::new(channel).readopt_device(with_token(request)).await?;
    answer.into_inner().device.ok_or_else(|| Status::unknown("no device"))
}

async fn refused(known: &TestBox, boot: &str) -> Result<Status> {
    let error = known.open_after_boot(boot).await.err().context("it may connect")?;
    error.downcast::<Status>().context("a status")
}

#[tokio::test]
async fn copies_of_a_box_are_parked_until_somebody_chooses() -> Result<()> {
    let fixture = Fixture::start().await?;
    let replica = fixture.replica().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut session = take_turns(&fixture, &replica, &known).await?;

    let parked = device(&fixture, &known.device_id).await?;
    ensure!(parked.parked_at_ms > 0, "{parked:?}");
    assert_eq!(parked.link.context("a link")?.reason, "device.clone_suspected");
    let told = events(&fixture, &known.device_id, "device.clone_suspected").await?;
    ensure!(told.len() == 1 && told[0].contains(ONE) && told[0].contains(OTHER), "{told:?}");
    ensure!(told[0].contains("127.0.0.1"), "where they come from: {told:?}");
    // State goes on, for a box must not be stranded; what is stored waits.
    ensure!(session.welcome.stored.iter().all(|class| class.credit_bytes == 0), "{:?}", session.welcome);
    session.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
    ensure!(session.end().await?.message().starts_with("link.protocol_error"), "it sends what it may not");
    // It stays so, whoever comes and to whichever replica.
    let mut session = known.open_after_boot(ONE).await?;
    ensure!(session.welcome.stored.iter().all(|class| class.credit_bytes == 0), "{:?}", session.welcome);
    assert_eq!(events(&fixture, &known.device_id, "device.clone_suspected").await?.len(), 1, "told once");

    let status = keep(&fixture, &known.device_id, "33333333-3333-4333-8333-333333333333").await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let chosen = keep(&fixture, &known.device_id, OTHER).await?;
    assert_eq!(chosen.parked_at_ms, 0);
    ensure!(session.end().await?.message().starts_with("link.decided"), "whoever is there comes again");
    let status = refused(&known, ONE).await?;
    ensure!(
        status.code() == Code::PermissionDenied && status.message().starts_with("peer.boot_not_kept"),
        "{status:?}"
    );
    let mut session = known.open_after_boot(OTHER).await?;
    session.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
    session.acknowledged(1).await?;
    assert_eq!(events(&fixture, &known.device_id, "device.readopted").await?.len(), 1);
    replica.stop().await;
    fixture.stop().await
}

/// A copy of a disk that comes only after the box has its next certificate never takes turns with it, so its boots tell nothing.
#[tokio::test]
async fn a_copy_of_a_disk_is_noticed_by_its_old_certificate() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut known = TestBox::enroll(&fixture, "cellar").await?;
    let copy = known.copy()?;
    let mut session = known.open_after_boot(ONE).await?;
    known.chain = session.renew(&known.key).await?;
    // Either counts until the box has come with the new one.
    known.copy()?.open_after_boot(ONE).await?;
    let outdated = "device.certificate_outdated";
    ensure!(events(&fixture, &known.device_id, outdated).await?.is_empty(), "a renewal is nothing to tell");

    copy.open_after_boot(OTHER).await?;
    assert_eq!(events(&fixture, &known.device_id, outdated).await?.len(), 1);
    let finding = findings(&fixture, TOKEN, 0).await?.into_iter().find(|finding| finding.reason == outdated);
    let finding = finding.context("a finding")?;
    ensure!(finding.count == 1 && finding.source == "127.0.0.1", "{finding:?}");
    ensure!(
        finding.remedies.iter().any(|remedy| remedy.command.contains(&format!("--keep-boot {OTHER}"))),
        "{finding:?}"
    );
    // A disk that was set back would stay so: nothing is held back yet.
    copy.open_after_boot(OTHER).await?;
    ensure!(device(&fixture, &known.device_id).await?.parked_at_ms == 0, "one box may have done that");

    known.open_after_boot(ONE).await?;
    ensure!(device(&fixture, &known.device_id).await?.parked_at_ms > 0, "both are there");
    let told = events(&fixture, &known.device_id, "device.clone_suspected").await?;
    ensure!(told.len() == 1 && told[0].contains(ONE) && told[0].contains(OTHER), "{told:?}");

    keep(&fixture, &known.device_id, ONE).await?;
    known.open_after_boot(ONE).await?;
    let after = findings(&fixture, TOKEN, 0).await?;
    ensure!(after.iter().all(|finding| finding.reason != outdated), "somebody looked: {after:?}");
    fixture.stop().await
}

/// A hello with the certificate of before that was late on its way ends a session, and that is all.
#[tokio::test]
async fn a_late_hello_with_the_certificate_of_before_parks_nobody() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut known = TestBox::enroll(&fixture, "cellar").await?;
    let late = known.copy()?;
    let mut session = known.open_after_boot(ONE).await?;
    known.chain = session.renew(&known.key).await?;
    known.open_after_boot(ONE).await?;
    late.open_after_boot(ONE).await?;
    let session = known.open_after_boot(ONE).await?;
    ensure!(session.welcome.stored.iter().all(|class| class.credit_bytes > 0), "{:?}", session.welcome);
    let told = device(&fixture, &known.device_id).await?;
    ensure!(told.parked_at_ms == 0, "it is one box");
    // Nor does a disk that is put back from one backup and then from another.
    late.open_after_boot(OTHER).await?;
    known.open_after_boot("33333333-3333-4333-8333-333333333333").await?;
    ensure!(device(&fixture, &known.device_id).await?.parked_at_ms == 0, "it is one box");
    let finding = findings(&fixture, TOKEN, 0).await?;
    ensure!(finding.iter().any(|finding| finding.reason == "device.certificate_outdated"), "{finding:?}");
    fixture.stop().await
}

/// A box that starts again while its old connection is half open, again and again, is one box.
#[tokio::test]
async fn a_box_that_starts_again_behind_a_half_open_connection_is_no_clone() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut half_open = Vec::new();
    for number in 0..8 {
        let boot = format!("{number:08}-1111-4111-8111-111111111111");
        half_open.push(known.open_after_boot(&boot).await?);
        half_open.push(known.open_after_boot(&boot).await?);
    }
    let known = device(&fixture, &known.device_id).await?;
    ensure!(known.parked_at_ms == 0 && known.link.context("a link")?.reason == "link.connected", "it is one box");
    fixture.stop().await
}

#[tokio::test]
async fn a_key_under_two_names_is_noticed_on_the_one_it_belongs_to() -> Result<()> {
    let fixture = Fixture::start().await?;
    let old = TestBox::enroll(&fixture, "cellar").await?;
    let mut devices = fixture.devices().await?;
    devices.delete_device(with_token(fleet::DeleteDeviceRequest { id: old.device_id.clone() })).await?;
    let token = fixture.join_token().await?;
    let roots = learn_roots(&fixture).await?;
    let Answer::Issued(issued) = enroll(&fixture, &roots, &old.key, &token, "cellar", async |_| {}).await? else {
        anyhow::bail!("not issued")
    };
    ensure!(issued.device_id != old.device_id, "it is another device");
    // Somebody has a copy of its folder from before.
    let status = old.refusal().await?;
    ensure!(status.message().starts_with("peer.device_deleted"), "{status:?}");
    old.refusal().await?;
    assert_eq!(events(&fixture, &issued.device_id, "device.key_reused").await?.len(), 1, "once in a day");
    let counted = "SELECT key_reused_count FROM device_identity WHERE device_id::text = $1";
    let count: i64 = fixture.admin().await?.query_one(counted, &[&issued.device_id]).await?.get(0);
    assert_eq!(count, 2);
    fixture.stop().await
}

#[tokio::test]
async fn a_name_under_another_key_does_not_count() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    // A certificate of ours for this device that it never asked for.
    let key = KeyPair::generate()?;
    let mut parameters = rcgen::CertificateParams::default();
    let uri = kaliun_types::id::device_uri(known.device_id.parse()?);
    parameters.subject_alt_names = vec![rcgen::SanType::URI(uri.try_into()?)];
    parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = parameters.signed_by(&key, &fixture.own_issuer().await?)?;
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let channel = crate::support::device_channel(known.address, &known.roots, Some((chain, &key))).await?;
    let status = refusal(channel).await?;
    ensure!(status.code() == Code::PermissionDenied && status.message().starts_with("peer.key_mismatch"), "{status:?}");
    assert_eq!(events(&fixture, &known.device_id, "device.key_reused").await?.len(), 1);
    known.open().await.context("the device itself goes on")?;
    fixture.stop().await
}
