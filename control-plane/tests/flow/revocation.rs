//! A stolen box: its link is cut wherever it is, and nothing that its key proves counts any more.

use crate::support::{Fixture, PATIENCE, TestBox, enroll, with_token};
use anyhow::{Context, Result, ensure};
use kaliun_control_plane::server::Server;
use kaliun_proto::enrollment::v1::enroll_response::Step as Answer;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::device_service_client::DeviceServiceClient;
use tonic::{Code, Status};

async fn at(replica: &Server, known: TestBox) -> TestBox {
    TestBox { address: replica.addresses().device, ..known }
}

async fn refused(known: &TestBox) -> Result<Status> {
    let error = known.open().await.err().context("it may still connect")?;
    error.downcast::<Status>().context("a status")
}

#[tokio::test]
async fn revoking_at_one_replica_cuts_the_link_at_another() -> Result<()> {
    let fixture = Fixture::start().await?;
    let replica = fixture.replica().await?;
    let known = at(&replica, TestBox::enroll(&fixture, "cellar").await?).await;
    let neighbour = at(&replica, TestBox::enroll(&fixture, "attic").await?).await;
    let mut hints = fixture.hints().await?;
    let mut session = known.open().await?;
    let mut others = neighbour.open().await?;
    let mut devices = fixture.devices().await?;
    let request = fleet::RevokeDeviceRequest { id: known.device_id.clone() };
    let revoked = devices.revoke_device(with_token(request)).await?.into_inner().device.context("a device")?;
    ensure!(revoked.revoked_at_ms > 0, "{revoked:?}");

    // The others are told, and need not look.
    let hint = tokio::time::timeout(PATIENCE, hints.next()).await??;
    assert_eq!(hint, format!("close {} peer.device_revoked", known.device_id));
    let status = session.end().await?;
    ensure!(status.message().starts_with("peer.device_revoked"), "{status:?}");
    for address in [fixture.device_address(), known.address] {
        let status = refused(&TestBox { address, ..known.copy()? }).await?;
        ensure!(
            status.code() == Code::PermissionDenied && status.message().starts_with("peer.device_revoked"),
            "{status:?}"
        );
    }
    // Nor does the key get in by another door.
    let token = fixture.join_token().await?;
    let answer = enroll(&fixture, &known.roots, &known.key, &token, "cellar", async |_| {}).await?;
    let Answer::Refused(answer) = answer else { anyhow::bail!("{answer:?}") };
    assert_eq!(answer.reason, "peer.device_revoked");

    others.send(kaliun_proto::link::v1::device_message::Message::SampleBatch(crate::support::samples(1, 1))).await?;
    others.acknowledged(1).await?;
    let listed = devices.list_devices(with_token(fleet::ListDevicesRequest::default())).await?.into_inner();
    assert_eq!(listed.devices.len(), 2, "it stays on the list");
    replica.stop().await;
    fixture.stop().await
}

/// A wake-up is a hint. Lost ones are found by looking.
#[tokio::test]
async fn a_replica_that_hears_nothing_finds_out_by_looking() -> Result<()> {
    // Nobody is given up for being silent here.
    let fixture = Fixture::start_with(|config| config.heartbeat_interval_ms = 60_000).await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut session = known.open().await?;
    // As if another replica had revoked it and could tell nobody.
    let changed = "UPDATE device SET revoked_at = now() WHERE id::text = $1";
    assert_eq!(fixture.admin().await?.execute(changed, &[&known.device_id]).await?, 1);
    let status = session.end().await?;
    ensure!(status.message().starts_with("peer.device_revoked"), "{status:?}");
    let status = refused(&known).await?;
    ensure!(status.message().starts_with("peer.device_revoked"), "{status:?}");
    fixture.stop().await
}

/// The connection that brings wake-ups is made anew when it breaks.
#[tokio::test]
async fn wakeups_come_again_after_their_connection_broke() -> Result<()> {
    let fixture = Fixture::start().await?;
    let replica = fixture.replica().await?;
    let admin = fixture.admin().await?;
    let listening = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND state = 'idle' AND pid <> ALL($1)";
    let began = std::time::Instant::now();
    let others_than = async |known: &[i32]| -> Result<Vec<i32>> {
        loop {
            let rows = admin.query(listening, &[&known]).await?;
            if rows.len() == 2 {
                return Ok(rows.iter().map(|row| row.get(0)).collect());
            }
            ensure!(began.elapsed() < PATIENCE, "{} of two replicas listen", rows.len());
        }
    };
    let before = others_than(&[]).await?;
    admin.execute("SELECT pg_terminate_backend(pid) FROM unnest($1::integer[]) AS pid", &[&before]).await?;
    others_than(&before).await?;
    let known = at(&replica, TestBox::enroll(&fixture, "cellar").await?).await;
    let mut session = known.open().await?;
    let mut devices = DeviceServiceClient::new(fixture.public().await?);
    devices.delete_device(with_token(fleet::DeleteDeviceRequest { id: known.device_id.clone() })).await?;
    let status = session.end().await?;
    ensure!(status.message().starts_with("peer.device_deleted"), "{status:?}");
    replica.stop().await;
    fixture.stop().await
}

/// Whoever may speak to the database may give a hint; what a box obeys stands in its device's row.
#[tokio::test]
async fn a_hint_alone_tells_no_box_to_delete_its_identity() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut session = known.open().await?;
    let say = async |reason: &str| -> Result<()> {
        let hint = format!("close {} {reason}", known.device_id);
        fixture.admin().await?.execute("SELECT pg_notify('kaliun_wakeups', $1)", &[&hint]).await?;
        Ok(())
    };
    say("peer.identity_wipe").await?;
    let status = session.end().await?;
    ensure!(status.message().starts_with("link.decided"), "{status:?}");
    let mut session = known.open().await.context("nothing was done to it")?;
    // And whatever the hint says, the row says why.
    let revoke = "UPDATE device SET revoked_at = now() WHERE id::text = $1";
    fixture.admin().await?.execute(revoke, &[&known.device_id]).await?;
    say("peer.identity_wipe").await?;
    let status = session.end().await?;
    ensure!(status.message().starts_with("peer.device_revoked"), "{status:?}");
    fixture.stop().await
}

/// Somebody who revokes a stolen box and closes the lid at once has revoked it.
#[tokio::test]
async fn a_revocation_whose_caller_hangs_up_is_made_and_told() -> Result<()> {
    let fixture = Fixture::start_with(|config| config.heartbeat_interval_ms = 60_000).await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut session = known.open().await?;
    let mut admin = fixture.admin().await?;
    let holding = admin.transaction().await?;
    holding.execute("SELECT FROM device WHERE id::text = $1 FOR UPDATE", &[&known.device_id]).await?;
    let mut devices = fixture.devices().await?;
    let request = with_token(fleet::RevokeDeviceRequest { id: known.device_id.clone() });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    let until_it_waits = async {
        let began = std::time::Instant::now();
        while holding.query_one(waits, &[]).await?.get::<_, i64>(0) == 0 {
            ensure!(began.elapsed() < PATIENCE, "the revocation does not wait");
        }
        Ok(())
    };
    // Whoever asked is gone when it waits.
    tokio::select! {
        answer = devices.revoke_device(request) => anyhow::bail!("it did not wait: {answer:?}"),
        waits = until_it_waits => waits?,
    }
    drop(devices);
    // Another request of the same kind of caller comes and goes: the hang-up has arrived.
    fixture.devices().await?.list_devices(with_token(fleet::ListDevicesRequest::default())).await?;
    holding.rollback().await?;
    let status = session.end().await?;
    ensure!(status.message().starts_with("peer.device_revoked"), "{status:?}");
    ensure!(refused(&known).await?.message().starts_with("peer.device_revoked"), "and in the row");
    fixture.stop().await
}
