//! A fleet whose database comes back from a backup while it runs: every box returns by itself or by one command, as the device that it was.

use crate::inside::{Inside, online, reached, with_token};
use anyhow::{Context as _, ensure};
use kaliun_cluster::testing::TestDatabase;
use kaliun_control_plane::ended_devices;
use kaliun_control_plane::restored::restored;
use kaliun_e2e::wait::{PATIENCE, until};
use kaliun_edge::agent_state::{AgentState, EnrollmentState, LinkState};
use kaliun_edge_sim::fleet::SimulatedBox;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::device_service_client::DeviceServiceClient;
use kaliun_proto::fleet::v1::lifecycle_service_client::LifecycleServiceClient;
use kaliun_proto::fleet::v1::posture_service_client::PostureServiceClient;
use tokio_postgres::NoTls;

/// Boxes before the backup, and those that come after it.
const BEFORE: usize = 8;
const AFTER: usize = 3;

/// Runs statements beside the database, when nobody is connected to it any more.
async fn beside(database: &TestDatabase, statements: &[String]) -> anyhow::Result<()> {
    let name = database.name().to_owned();
    let mut config = database.admin_config();
    let (client, connection) = config.dbname("postgres").connect(NoTls).await?;
    let work = async {
        let alone = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
        until("nobody is connected", PATIENCE, || async {
            Ok((client.query_one(alone, &[&name]).await?.get::<_, i64>(0) == 0).then_some(()))
        })
        .await?;
        for statement in statements {
            client.batch_execute(statement).await?;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        done = work => done,
        ended = connection => anyhow::bail!("the database went away: {ended:?}"),
    }
}

fn id_of(state: &AgentState) -> anyhow::Result<String> {
    let EnrollmentState::Enrolled { device_id, .. } = &state.enrollment else { anyhow::bail!("{state:?}") };
    Ok(device_id.clone())
}

fn is_waiting(state: &AgentState) -> bool {
    matches!(&state.link, LinkState::Offline { reason, .. } if reason == "peer.unknown_after_restore")
}

async fn ids(boxes: &[SimulatedBox]) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for simulated in boxes {
        ids.push(id_of(&online(simulated).await?)?);
    }
    Ok(ids)
}

async fn findings(inside: &Inside) -> anyhow::Result<Vec<fleet::Finding>> {
    let mut postures = PostureServiceClient::new(inside.public().await?);
    let list = postures.list_findings(with_token(fleet::ListFindingsRequest::default())).await?;
    Ok(list.into_inner().findings)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_comes_back_to_an_old_database_and_nobody_is_stranded() -> anyhow::Result<()> {
    let inside = Inside::start().await?;
    let old: Vec<SimulatedBox> = (1..=BEFORE).map(|number| inside.start_box(number)).collect::<anyhow::Result<_>>()?;
    let old_ids = ids(&old).await?;
    let (inside, ()) = inside
        .restart_after(async |database, _config| {
            let name = database.name();
            beside(database, &[format!("CREATE DATABASE {name}_backup TEMPLATE {name}")]).await
        })
        .await?;

    // The fleet goes on: all come back, new ones are enrolled, one is stolen.
    let new: Vec<SimulatedBox> =
        (BEFORE + 1..=BEFORE + AFTER).map(|number| inside.start_box(number)).collect::<anyhow::Result<_>>()?;
    let new_ids = ids(&new).await?;
    assert_eq!(ids(&old).await?, old_ids);
    let (stolen, rest) = old.split_last().context("some boxes")?;
    let stolen_id = old_ids.last().context("some boxes")?.clone();
    let mut devices = DeviceServiceClient::new(inside.public().await?);
    devices.revoke_device(with_token(fleet::RevokeDeviceRequest { id: stolen_id.clone() })).await?;
    reached(stolen, "refused", |state| matches!(state.link, LinkState::Stopped { .. })).await?;
    let journal = inside.state_dir().join(ended_devices::FILE);
    until("the journal knows the stolen box", PATIENCE, || async {
        Ok(ended_devices::read(&journal)?.into_iter().find(|ended| ended.device.to_string() == stolen_id))
    })
    .await?;

    let (inside, said) = inside
        .restart_after(async |database, config| {
            let name = database.name();
            let back = [format!("DROP DATABASE {name}"), format!("ALTER DATABASE {name}_backup RENAME TO {name}")];
            beside(database, &back).await?;
            Ok(restored(config, &[]).await?.done)
        })
        .await?;
    assert_eq!((said.incarnation, said.ended, said.tombstones), (2, 1, 0));

    // Those that it knows come by themselves, as what they were.
    for (simulated, id) in rest.iter().zip(&old_ids) {
        let state = online(simulated).await?;
        assert_eq!(&id_of(&state)?, id);
    }
    // Those that it does not know stay who they are, say why they wait, and stand in the posture with the command that mends it.
    for simulated in &new {
        let state = reached(simulated, "held", is_waiting).await?;
        let LinkState::Offline { message, .. } = &state.link else { anyhow::bail!("{state:?}") };
        ensure!(message.contains("fleetctl device readopt"), "{message}");
    }
    let mut waiting: Vec<String> = findings(&inside).await?.into_iter().map(|finding| finding.device_id).collect();
    waiting.sort();
    let mut expected = new_ids.clone();
    expected.sort();
    assert_eq!(waiting, expected);
    let mut lifecycles = LifecycleServiceClient::new(inside.public().await?);
    for id in &new_ids {
        let request = fleet::ReadoptDeviceRequest { id: id.clone(), ..fleet::ReadoptDeviceRequest::default() };
        lifecycles.readopt_device(with_token(request)).await?;
    }
    // They ask once a minute at least.
    for (simulated, id) in new.iter().zip(&new_ids) {
        let back = simulated.wait_for(|state| state.online_epoch().is_some());
        let state = tokio::time::timeout(2 * PATIENCE, back).await.context("it comes back within a minute")?;
        assert_eq!(&id_of(&state)?, id, "nobody is another device than before");
    }
    ensure!(findings(&inside).await?.is_empty(), "nothing is wrong any more");
    assert_eq!(
        inside.count("SELECT count(*) FROM device WHERE deleted_at IS NULL").await?,
        i64::try_from(BEFORE + AFTER)?
    );
    // The stolen one is refused as before, which the backup did not know.
    assert_eq!(inside.count("SELECT count(*) FROM device WHERE revoked_at IS NOT NULL").await?, 1);
    for simulated in old.into_iter().chain(new) {
        simulated.stop().await?;
    }
    inside.stop().await;
    Ok(())
}
