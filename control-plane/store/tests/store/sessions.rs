//! Sessions and what they write: epochs fence, sequences are stored once.

use crate::support::{Fixture, actor};
use anyhow::{Context, Result};
use kaliun_domain::device::SessionStart;
use kaliun_store::{
    EventItem, EventWrite, FactsWrite, SampleItem, SampleWrite, SessionEnd, SessionOpen, SessionOpened, Stored,
};
use kaliun_types::id::{BootId, DeviceId, ReplicaId, SessionEpoch};
use kaliun_types::reason::ReasonCode;
use std::time::{Duration, SystemTime};

/// A hello of a device, which proves its own key.
async fn hello(fixture: &Fixture, device: DeviceId) -> Result<SessionOpen> {
    let row = fixture.admin.query_opt("SELECT key_hash FROM device WHERE id = $1", &[&device]).await?;
    let key_hash = row.map_or(Ok([0; 32]), |row| row.get::<_, &[u8]>(0).try_into())?;
    Ok(SessionOpen {
        device,
        key_hash,
        source: "192.0.2.1".to_owned(),
        boot_id: BootId::from_uuid(uuid::Uuid::nil()),
        agent_version: "1".to_owned(),
        trust_version: 0,
        shown_authority: 1,
        certificate_serial: Vec::new(),
        certificate_expires_at: SystemTime::UNIX_EPOCH,
        certificate_organization: None,
        known_epoch: 0,
        known_incarnation: 0,
    })
}

async fn open(fixture: &Fixture, device: DeviceId) -> Result<SessionOpened> {
    let request = hello(fixture, device).await?;
    let mut opened = fixture.store.system.sessions_open(ReplicaId::new(), &[request]).await?;
    opened.pop().context("one answer")
}

async fn start(fixture: &Fixture, device: DeviceId) -> Result<SessionStart> {
    match open(fixture, device).await? {
        SessionOpened::Started(_, start) => Ok(start),
        SessionOpened::Refused(reason) => anyhow::bail!("refused: {reason}"),
    }
}

fn samples(device: DeviceId, epoch: SessionEpoch, spool: u8, first: i64, count: i64) -> SampleWrite {
    let items = (0..count)
        .map(|n| SampleItem {
            sampled_at: SystemTime::UNIX_EPOCH + Duration::from_secs((first + n).unsigned_abs()),
            values: format!("{spool}/{}", first + n).into_bytes(),
            verdict: 1,
            health: b"health".to_vec(),
        })
        .collect();
    SampleWrite { device, epoch, spool_id: vec![spool; 16], first_sequence: first, items }
}

async fn stored_sequences(fixture: &Fixture) -> Result<Vec<i64>> {
    let rows = fixture.admin.query("SELECT sequence FROM sample_head ORDER BY spool_id, sequence", &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[tokio::test]
async fn each_session_has_a_higher_epoch_and_fences_the_one_before() -> Result<()> {
    let fixture = Fixture::new().await?;
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    let old = start(&fixture, device).await?;
    let new = start(&fixture, device).await?;
    assert!(new.epoch > old.epoch);
    let system = &fixture.store.system;
    let organization = fixture.first.organization();
    assert_eq!(system.samples_store(&[samples(device, old.epoch, 1, 1, 3)]).await?, [Stored::Fenced]);
    assert_eq!(system.samples_store(&[samples(device, new.epoch, 1, 1, 3)]).await?, [Stored::Yes(organization)]);
    let facts = |epoch| FactsWrite { device, epoch, facts: b"f".to_vec(), facts_hash: b"h".to_vec() };
    assert_eq!(system.facts_store(&[facts(old.epoch)]).await?, [Stored::Fenced]);
    assert_eq!(system.facts_store(&[facts(new.epoch)]).await?, [Stored::Yes(organization)]);
    assert_eq!(system.sessions_fenced(&[(device, old.epoch)]).await?, [(device, None)], "a newer one is there");
    assert!(system.sessions_fenced(&[(device, new.epoch)]).await?.is_empty());
    // The old session's end says nothing about the new one.
    let end = SessionEnd { device, epoch: old.epoch, reason: ReasonCode::LinkLost };
    assert!(system.sessions_close(&[end]).await?.is_empty());
    let seen = fixture.store.app.device_get(&fixture.first, device).await?.context("device")?;
    assert!(seen.link.online);
    assert_eq!(stored_sequences(&fixture).await?, [1, 2, 3]);
    Ok(())
}

#[tokio::test]
async fn a_batch_that_is_sent_again_is_stored_once() -> Result<()> {
    let fixture = Fixture::new().await?;
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    let system = &fixture.store.system;
    let yes = Stored::Yes(fixture.first.organization());
    let epoch = start(&fixture, device).await?.epoch;
    assert_eq!(system.samples_store(&[samples(device, epoch, 1, 1, 5)]).await?, [yes]);
    assert_eq!(system.samples_store(&[samples(device, epoch, 1, 1, 5)]).await?, [Stored::Before]);
    assert_eq!(system.samples_store(&[samples(device, epoch, 1, 3, 5)]).await?, [Stored::Before]);
    // A gap is what the box dropped.
    assert_eq!(system.samples_store(&[samples(device, epoch, 1, 9, 2)]).await?, [yes]);
    let next = start(&fixture, device).await?;
    assert_eq!(next.samples.map(|mark| mark.sequence), Some(10));
    // A new life of the spool begins again.
    assert_eq!(system.samples_store(&[samples(device, next.epoch, 2, 1, 1)]).await?, [yes]);
    assert_eq!(stored_sequences(&fixture).await?, [1, 2, 3, 4, 5, 9, 10, 1]);
    Ok(())
}

#[tokio::test]
async fn two_sessions_that_race_store_each_sample_once() -> Result<()> {
    let fixture = Fixture::new().await?;
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    for round in 0..20_i64 {
        let first = round * 4 + 1;
        let old = start(&fixture, device).await?.epoch;
        let old_write = [samples(device, old, 1, first, 4)];
        // The old session's batch is under way while the box opens a new one and sends from where that says.
        let (_, resent) = tokio::join!(fixture.store.system.samples_store(&old_write), async {
            let new = start(&fixture, device).await?;
            let stored = new.samples.map_or(0, |mark| mark.sequence);
            let left = first + 4 - (stored + 1);
            if left > 0 {
                fixture.store.system.samples_store(&[samples(device, new.epoch, 1, stored + 1, left)]).await?;
            }
            anyhow::Ok(())
        });
        resent?;
    }
    assert_eq!(stored_sequences(&fixture).await?, (1..=80).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn a_deleted_or_unknown_device_may_not_begin() -> Result<()> {
    let fixture = Fixture::new().await?;
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    let epoch = start(&fixture, device).await?.epoch;
    fixture.store.app.device_delete(&fixture.first, &actor(), device).await?;
    assert!(matches!(open(&fixture, device).await?, SessionOpened::Refused(ReasonCode::PeerDeviceDeleted)));
    assert!(matches!(
        open(&fixture, DeviceId::new()).await?,
        SessionOpened::Refused(ReasonCode::PeerUnknownAfterRestore)
    ));
    let deleted = [(device, Some(ReasonCode::PeerDeviceDeleted))];
    assert_eq!(fixture.store.system.sessions_fenced(&[(device, epoch)]).await?, deleted);
    Ok(())
}

#[tokio::test]
async fn events_are_stored_once_and_in_the_right_organization() -> Result<()> {
    let fixture = Fixture::new().await?;
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    let epoch = start(&fixture, device).await?.epoch;
    let item = EventItem { happened_at: SystemTime::now(), code: "agent.started".to_owned(), message: "m".to_owned() };
    let write = EventWrite { device, epoch, spool_id: vec![3; 16], first_sequence: 1, items: vec![item.clone(), item] };
    let system = &fixture.store.system;
    assert_eq!(system.events_store(std::slice::from_ref(&write)).await?, [Stored::Yes(fixture.first.organization())]);
    assert_eq!(system.events_store(&[write]).await?, [Stored::Before]);
    let listed = fixture.store.app.event_list_page(&fixture.first, Some(device), None, 100).await?;
    assert_eq!(listed.iter().filter(|event| event.code == "agent.started").count(), 2);
    assert!(fixture.store.app.event_list_page(&fixture.second, None, None, 100).await?.is_empty());
    assert!(fixture.store.app.event_list_page(&fixture.second, Some(device), None, 100).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn sessions_of_a_dead_process_end() -> Result<()> {
    let fixture = Fixture::new().await?;
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    let system = &fixture.store.system;
    let replica = ReplicaId::new();
    system.replica_insert(replica, "one").await?;
    let request = hello(&fixture, device).await?;
    system.sessions_open(replica, &[request]).await?;
    assert!(system.sessions_reap(Duration::from_secs(60), 100).await?.is_empty(), "it lives");
    // The same name starts again: the older process is gone.
    system.replica_insert(ReplicaId::new(), "one").await?;
    let ended = system.sessions_reap(Duration::from_secs(60), 100).await?;
    assert_eq!(ended, [(fixture.first.organization(), device)]);
    assert!(!system.replica_heartbeat(replica).await?);
    let seen = fixture.store.app.device_get(&fixture.first, device).await?.context("device")?;
    assert_eq!((seen.link.online, seen.link.reason.as_str()), (false, "link.server_lost"));
    Ok(())
}

#[tokio::test]
async fn stored_samples_are_read_back_by_their_own_organization_only() -> Result<()> {
    let fixture = Fixture::new().await?;
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    let epoch = start(&fixture, device).await?.epoch;
    let now = SystemTime::now();
    let mut write = samples(device, epoch, 1, 1, 1);
    write.items[0].sampled_at = now;
    fixture.store.system.samples_store(&[write]).await?;
    let (from, to) = (now - Duration::from_secs(10), now + Duration::from_secs(10));
    let own = fixture.store.app.sample_list(&fixture.first, device, from, to, 10).await?;
    assert_eq!(own.len(), 1);
    assert!(fixture.store.app.sample_list(&fixture.second, device, from, to, 10).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn old_partitions_are_dropped_and_new_ones_made() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let now = SystemTime::now();
    let long_ago = now - Duration::from_secs(5 * 24 * 3600);
    system.sample_partitions_prepare(long_ago, 0).await?;
    assert_eq!(system.sample_partitions_drop(now - Duration::from_secs(49 * 3600)).await?, 1);
    assert_eq!(system.sample_partitions_drop(now - Duration::from_secs(49 * 3600)).await?, 0);
    Ok(())
}

/// Its right to connect ends between the look at its hello and the answer.
#[tokio::test]
async fn a_device_that_is_revoked_while_it_connects_is_not_online() -> Result<()> {
    let mut fixture = Fixture::new().await?;
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    let request = hello(&fixture, device).await?;
    // Boots are noted after the session has begun, and noting them waits.
    let revoking = fixture.admin.transaction().await?;
    revoking.batch_execute("LOCK TABLE device_identity IN SHARE MODE").await?;
    let system = fixture.store.system.clone();
    let opens = [request];
    let revoke_meanwhile = async move {
        let waits = "SELECT count(*) FROM pg_locks WHERE relation = 'device_identity'::regclass AND NOT granted";
        let began = std::time::Instant::now();
        while revoking.query_one(waits, &[]).await?.get::<_, i64>(0) == 0 {
            anyhow::ensure!(began.elapsed() < Duration::from_secs(30), "nobody waits");
        }
        revoking.execute("UPDATE device SET revoked_at = now() WHERE id = $1", &[&device]).await?;
        Ok(revoking.commit().await?)
    };
    let (opened, revoked) = tokio::join!(system.sessions_open(ReplicaId::new(), &opens), revoke_meanwhile);
    revoked?;
    let opened = opened?;
    assert!(matches!(opened.as_slice(), [SessionOpened::Refused(ReasonCode::PeerDeviceRevoked)]), "{opened:?}");
    let status = "SELECT online, link_reason, replica_id IS NULL FROM device_status WHERE device_id = $1";
    let row = fixture.admin.query_one(status, &[&device]).await?;
    assert_eq!((row.get(0), row.get(1), row.get(2)), (false, Some("peer.device_revoked"), true));
    let last = "SELECT code, message FROM event WHERE device_id = $1 ORDER BY id DESC LIMIT 1";
    let row = fixture.admin.query_one(last, &[&device]).await?;
    assert_eq!((row.get(0), row.get(1)), ("peer.device_revoked", "The device was revoked."));
    Ok(())
}

/// Whoever reads the events of a device learns why its link ended.
#[tokio::test]
async fn each_end_of_a_session_says_what_it_was() -> Result<()> {
    let fixture = Fixture::new().await?;
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    let mut said = std::collections::BTreeSet::new();
    // Those that a session ends with (link.lost is a connection that broke).
    let reasons = [
        ReasonCode::LinkClosed,
        ReasonCode::LinkLost,
        ReasonCode::LinkTimeout,
        ReasonCode::LinkSuperseded,
        ReasonCode::LinkServerStopped,
        ReasonCode::LinkProtocolError,
        ReasonCode::LinkSlow,
        ReasonCode::LinkFenced,
        ReasonCode::LinkDecided,
        ReasonCode::PeerExpired,
        ReasonCode::PeerUnknownIssuer,
        ReasonCode::PeerDeviceDeleted,
        ReasonCode::PeerDeviceRevoked,
        ReasonCode::PeerDeviceDecommissioned,
        ReasonCode::PeerIdentityWipe,
    ];
    for reason in reasons {
        let epoch = start(&fixture, device).await?.epoch;
        fixture.store.system.sessions_close(&[SessionEnd { device, epoch, reason }]).await?;
        let last = "SELECT message FROM event WHERE device_id = $1 AND code = $2 ORDER BY id DESC LIMIT 1";
        let row = fixture.admin.query_one(last, &[&device, &reason.code()]).await?;
        assert!(said.insert(row.get::<_, String>(0)), "{reason} says what another one says");
    }
    Ok(())
}

/// Written by a newer version, or by nobody.
#[tokio::test]
async fn boots_that_cannot_be_read_keep_nobody_out() -> Result<()> {
    let fixture = Fixture::new().await?;
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    let neighbour = fixture.enroll(&fixture.first, 11, "attic").await?.device;
    start(&fixture, device).await?;
    let change = r#"UPDATE device_identity SET boots = '[{"boot": 7}]' WHERE device_id = $1"#;
    assert_eq!(fixture.admin.execute(change, &[&device]).await?, 1);
    let opens = [hello(&fixture, device).await?, hello(&fixture, neighbour).await?];
    let opened = fixture.store.system.sessions_open(ReplicaId::new(), &opens).await?;
    assert!(matches!(opened.as_slice(), [SessionOpened::Started(..), SessionOpened::Started(..)]), "{opened:?}");
    Ok(())
}
