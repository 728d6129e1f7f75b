//! The doors to the database: who waits for whom.

use crate::support::{Fixture, hash};
use anyhow::{Result, ensure};
use kaliun_store::SessionOpen;
use kaliun_types::id::{DeviceId, ReplicaId};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// As many as the system door lets through at once.
const SYSTEM_CONNECTIONS: i64 = 8;
/// Longest wait for a state, on a machine that is busy compiling.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn people_are_let_in_while_ingest_waits_for_the_database() -> Result<()> {
    let fixture = Fixture::new().await?;
    fixture.admin.batch_execute("BEGIN; LOCK TABLE device_status IN EXCLUSIVE MODE").await?;
    let mut busy = JoinSet::new();
    for _ in 0..SYSTEM_CONNECTIONS * 2 {
        let system = fixture.store.system.clone();
        let open = SessionOpen {
            device: DeviceId::new(),
            key_hash: [0; 32],
            source: "192.0.2.1".to_owned(),
            boot_id: kaliun_types::id::BootId::from_uuid(uuid::Uuid::nil()),
            agent_version: "1".to_owned(),
            trust_version: 0,
            shown_authority: 1,
            certificate_serial: Vec::new(),
            certificate_expires_at: std::time::SystemTime::UNIX_EPOCH,
            certificate_organization: None,
            known_epoch: 0,
            known_incarnation: 0,
        };
        busy.spawn(async move { system.sessions_open(ReplicaId::new(), &[open]).await });
    }
    let began = Instant::now();
    loop {
        // Inside a transaction the first look is repeated until it is forgotten.
        fixture.admin.execute("SELECT pg_stat_clear_snapshot()", &[]).await?;
        let count = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        let waiting: i64 = fixture.admin.query_one(count, &[]).await?.get(0);
        if waiting == SYSTEM_CONNECTIONS {
            break;
        }
        ensure!(began.elapsed() < PATIENCE, "{waiting} wait");
    }
    assert!(fixture.store.gate.api_token_authenticate(&hash(1)).await?.is_some());
    fixture.admin.batch_execute("ROLLBACK").await?;
    busy.shutdown().await;
    Ok(())
}
