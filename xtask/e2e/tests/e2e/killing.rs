//! kill -9 of anything loses nothing that was acknowledged, in every round of many. That all of it comes back by itself is
//! shown where `up` is the one that keeps it running.

use kaliun_e2e::database::{self, Stored, prove_whole};
use kaliun_e2e::fleet::{Fleet, Shape};
use kaliun_e2e::process::signal;
use kaliun_e2e::wait::{PATIENCE, until};
use std::collections::BTreeMap;

/// Boxes that report while something is killed.
const BOXES: u32 = 20;

/// One sample a second from each box is load enough that a kill always hits some batch on its way.
const SHAPE: Shape = Shape { simulated: BOXES, sample_interval_ms: 1_000 };

/// How often each thing is killed.
const ROUNDS: usize = 3;

/// Waits until every box has stored at least `more` samples beyond what it had before.
async fn wait_for_more(
    fleet: &Fleet,
    before: &BTreeMap<String, Stored>,
    more: i64,
) -> anyhow::Result<BTreeMap<String, Stored>> {
    until("every box stores further samples", PATIENCE, || async {
        let now = database::samples(&fleet.control_plane_state()).await?;
        let all = now.len() == boxes(fleet);
        let beyond =
            |stored: &Stored| stored.range.1 - before.get(&stored.device).map_or(0, |before| before.range.1) >= more;
        let behind = now.values().filter(|stored| !beyond(stored)).count();
        anyhow::ensure!(all && behind == 0, "{} boxes have stored samples, {behind} of them are behind", now.len());
        Ok(Some(now))
    })
    .await
}

/// How many boxes report.
fn boxes(fleet: &Fleet) -> usize {
    SHAPE.simulated as usize + usize::from(fleet.edge.is_some())
}

#[tokio::test]
async fn the_control_plane_is_killed() -> anyhow::Result<()> {
    let mut fleet = Fleet::start(SHAPE).await?;
    let mut before = wait_for_more(&fleet, &BTreeMap::new(), 2).await?;
    for _ in 0..ROUNDS {
        fleet.control_plane.kill_hard()?;
        fleet.control_plane.start_again()?;
        fleet.ready().await?;
        let now = wait_for_more(&fleet, &before, 3).await?;
        prove_whole(&before, &now)?;
        before = now;
    }
    fleet.online(BOXES as usize).await?;
    Ok(())
}

#[tokio::test]
async fn postgres_is_killed() -> anyhow::Result<()> {
    let fleet = Fleet::start(SHAPE).await?;
    let mut before = wait_for_more(&fleet, &BTreeMap::new(), 2).await?;
    for _ in 0..ROUNDS {
        let postmaster = database::postmaster(&fleet.control_plane_state())?;
        signal(postmaster, rustix::process::Signal::KILL)?;
        let now = wait_for_more(&fleet, &before, 3).await?;
        assert_ne!(database::postmaster(&fleet.control_plane_state())?, postmaster);
        prove_whole(&before, &now)?;
        before = now;
    }
    fleet.ready().await?;
    fleet.online(BOXES as usize).await?;
    Ok(())
}

#[tokio::test]
async fn the_agents_are_killed() -> anyhow::Result<()> {
    let mut fleet = Fleet::start(SHAPE).await?;
    fleet.start_edge()?;
    let mut before = wait_for_more(&fleet, &BTreeMap::new(), 2).await?;
    for _ in 0..ROUNDS {
        for agent in [&mut fleet.sim, &mut fleet.edge].into_iter().flatten() {
            agent.kill_hard()?;
            agent.start_again()?;
        }
        let now = wait_for_more(&fleet, &before, 3).await?;
        prove_whole(&before, &now)?;
        assert_eq!(now.len(), boxes(&fleet), "nothing was enrolled twice");
        before = now;
    }
    fleet.online(boxes(&fleet)).await?;
    Ok(())
}
