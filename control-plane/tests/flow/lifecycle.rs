//! The end of a device's service, and the box that takes its place.

use crate::recovery::{refused, refused_when_relayed};
use crate::support::{Fixture, TestBox, with_token};
use anyhow::{Context, Result, ensure};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::lifecycle_service_client::LifecycleServiceClient;
use tonic::Code;
use tonic::transport::Channel;
use uuid::Uuid;

async fn lifecycles(fixture: &Fixture) -> Result<LifecycleServiceClient<Channel>> {
    Ok(LifecycleServiceClient::new(fixture.public().await?))
}

async fn decommission(fixture: &Fixture, known: &TestBox, wipe_identity: bool) -> Result<fleet::Device> {
    let request = fleet::DecommissionDeviceRequest { id: known.device_id.clone(), wipe_identity };
    let answer = lifecycles(fixture).await?.decommission_device(with_token(request)).await?;
    answer.into_inner().device.context("a device")
}

/// The codes of a device's events, oldest first, without those of its link.
async fn codes(fixture: &Fixture, device: &str) -> Result<Vec<String>> {
    let rows = fixture
        .admin()
        .await?
        .query("SELECT code FROM event WHERE device_id::text = $1 AND code LIKE 'device.%' ORDER BY id", &[&device])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// What the audit says was done to a device, oldest first.
async fn actions(fixture: &Fixture, device: &str) -> Result<Vec<String>> {
    let target = format!("device/{device}");
    let rows = fixture
        .admin()
        .await?
        .query("SELECT action FROM audit WHERE target = $1 AND action <> 'device.enroll' ORDER BY id", &[&target])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[tokio::test]
async fn a_box_is_told_over_its_link_wherever_it_is() -> Result<()> {
    let fixture = Fixture::start().await?;
    let replica = fixture.replica().await?;
    let known = TestBox { address: replica.addresses().device, ..TestBox::enroll(&fixture, "cellar").await? };
    let mut session = known.open().await?;
    let device = decommission(&fixture, &known, true).await?;
    ensure!(device.decommissioned_at_ms > 0 && device.revoked_at_ms == device.decommissioned_at_ms, "{device:?}");
    let status = session.end().await?;
    ensure!(status.message().starts_with("peer.identity_wipe"), "{status:?}");
    assert_eq!(codes(&fixture, &known.device_id).await?, ["device.enrolled", "device.decommissioned"]);
    assert_eq!(actions(&fixture, &known.device_id).await?, ["device.decommission"]);
    // Asked again, nothing more happens.
    assert_eq!(decommission(&fixture, &known, true).await?.version, device.version);
    assert_eq!(actions(&fixture, &known.device_id).await?.len(), 1);
    replica.stop().await;
    fixture.stop().await
}

#[tokio::test]
async fn a_box_that_was_away_is_told_when_it_comes_on_a_proved_key_only() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    decommission(&fixture, &known, false).await?;
    let status = known.refusal().await?;
    assert_eq!(status.code(), Code::PermissionDenied);
    ensure!(status.message().starts_with("peer.device_decommissioned"), "{status:?}");

    // It may still be told to delete its identity, and then by whichever door it comes.
    decommission(&fixture, &known, true).await?;
    ensure!(known.refusal().await?.message().starts_with("peer.identity_wipe"), "over the link");
    assert_eq!(refused(&fixture, &known, &known.key).await?, "peer.identity_wipe");
    // Who does not prove the key here and now is told nothing of it.
    assert_eq!(refused_when_relayed(&fixture, &known).await?, "enrollment.proof_invalid");
    // Taking it off the list does not take the order back.
    let mut devices = fixture.devices().await?;
    devices.delete_device(with_token(fleet::DeleteDeviceRequest { id: known.device_id.clone() })).await?;
    ensure!(known.refusal().await?.message().starts_with("peer.identity_wipe"), "as a tombstone");
    fixture.stop().await
}

/// A home of the first organization.
async fn home(fixture: &Fixture, name: &str) -> Result<Uuid> {
    let statement = "INSERT INTO installation (id, organization_id, name)
                     SELECT gen_random_uuid(), id, $1 FROM organization WHERE runs_platform RETURNING id";
    Ok(fixture.admin().await?.query_one(statement, &[&name]).await?.get(0))
}

async fn move_in(fixture: &Fixture, known: &TestBox, home: Uuid) -> Result<()> {
    let statement = "UPDATE device SET installation_id = $2 WHERE id::text = $1";
    assert_eq!(fixture.admin().await?.execute(statement, &[&known.device_id, &home]).await?, 1);
    Ok(())
}

async fn replace(fixture: &Fixture, old: &str, new: &str) -> Result<fleet::ReplaceDeviceResponse, tonic::Status> {
    replace_and(fixture, old, new, false).await
}

async fn replace_and(
    fixture: &Fixture,
    old: &str,
    new: &str,
    wipe_identity: bool,
) -> Result<fleet::ReplaceDeviceResponse, tonic::Status> {
    let request = fleet::ReplaceDeviceRequest { id: old.to_owned(), with_id: new.to_owned(), wipe_identity };
    let mut client = lifecycles(fixture).await.map_err(|error| tonic::Status::unknown(error.to_string()))?;
    client.replace_device(with_token(request)).await.map(tonic::Response::into_inner)
}

async fn not_replaced(fixture: &Fixture, old: &str, new: &str, code: Code, words: &str) -> Result<()> {
    let status = replace(fixture, old, new).await.err().context("it was replaced")?;
    ensure!(status.code() == code && status.message().contains(words), "{status:?}");
    Ok(())
}

#[tokio::test]
async fn a_new_box_takes_an_old_one_s_home() -> Result<()> {
    let fixture = Fixture::start().await?;
    let graz = home(&fixture, "Graz").await?;
    let old = TestBox::enroll(&fixture, "cellar").await?;
    let new = TestBox::enroll(&fixture, "attic").await?;
    move_in(&fixture, &old, graz).await?;
    let mut leaves = old.open().await?;
    let mut stays = new.open().await?;

    let moved = replace(&fixture, &old.device_id, &new.device_id).await?;
    let (was, is) = (moved.old.context("the old one")?, moved.new.context("the new one")?);
    assert_eq!((was.installation_id.as_str(), is.installation_id.as_str()), ("", graz.to_string().as_str()));
    ensure!(was.decommissioned_at_ms > 0 && is.decommissioned_at_ms == 0 && is.revoked_at_ms == 0, "{was:?} {is:?}");
    let status = leaves.end().await?;
    ensure!(status.message().starts_with("peer.device_decommissioned"), "{status:?}");
    ensure!(old.refusal().await?.message().starts_with("peer.device_decommissioned"), "when it comes again, too");
    stays.send(kaliun_proto::link::v1::device_message::Message::SampleBatch(crate::support::samples(1, 1))).await?;
    stays.acknowledged(1).await?;

    let of_old = codes(&fixture, &old.device_id).await?;
    assert_eq!(of_old, ["device.enrolled", "device.decommissioned", "device.replaced"]);
    assert_eq!(codes(&fixture, &new.device_id).await?, ["device.enrolled", "device.replaced"]);
    assert_eq!(actions(&fixture, &old.device_id).await?, ["device.decommission", "device.replace"]);
    assert_eq!(actions(&fixture, &new.device_id).await?, ["device.replace"]);
    // An answer that was lost is given again, and nothing happens twice.
    replace(&fixture, &old.device_id, &new.device_id).await?;
    assert_eq!(actions(&fixture, &new.device_id).await?.len(), 1);
    // The old box may still be told to delete its identity, and then does.
    for _ in 0..2 {
        replace_and(&fixture, &old.device_id, &new.device_id, true).await?;
        ensure!(old.refusal().await?.message().starts_with("peer.identity_wipe"), "it is told");
    }
    let of_old = actions(&fixture, &old.device_id).await?;
    assert_eq!(of_old, ["device.decommission", "device.replace", "device.decommission"]);
    assert_eq!(actions(&fixture, &new.device_id).await?.len(), 1);
    fixture.stop().await
}

#[tokio::test]
async fn boxes_that_do_not_fit_are_not_replaced_and_say_why() -> Result<()> {
    let fixture = Fixture::start().await?;
    let [old, new, busy] = [
        TestBox::enroll(&fixture, "cellar").await?,
        TestBox::enroll(&fixture, "attic").await?,
        TestBox::enroll(&fixture, "barn").await?,
    ];
    let (old_id, new_id) = (old.device_id.as_str(), new.device_id.as_str());
    not_replaced(&fixture, old_id, new_id, Code::FailedPrecondition, "serves no home").await?;
    move_in(&fixture, &old, home(&fixture, "Graz").await?).await?;
    move_in(&fixture, &busy, home(&fixture, "Linz").await?).await?;
    not_replaced(&fixture, old_id, old_id, Code::FailedPrecondition, "its own place").await?;
    not_replaced(&fixture, old_id, &busy.device_id, Code::FailedPrecondition, "serves another home").await?;
    not_replaced(&fixture, old_id, &Uuid::now_v7().to_string(), Code::NotFound, "no such device").await?;
    let mut devices = fixture.devices().await?;
    devices.revoke_device(with_token(fleet::RevokeDeviceRequest { id: new_id.to_owned() })).await?;
    not_replaced(&fixture, old_id, new_id, Code::FailedPrecondition, "was revoked").await?;
    // Nothing of all that left a trace on the one that serves.
    assert_eq!(actions(&fixture, old_id).await?, Vec::<String>::new());
    old.open().await?;
    fixture.stop().await
}
