//! kill -9 of each thing that `cargo xtask up` started: it comes back by itself, and nothing that was acknowledged is lost.

use super::place::{Place, ids_of};
use super::{UP_PATIENCE, whole_fleet};
use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use kaliun_e2e::database::{self, prove_whole};
use kaliun_e2e::family;
use kaliun_e2e::fleet::free_addresses;
use kaliun_e2e::process::signal;
use kaliun_e2e::wait::until;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Boxes beside this machine.
const SIMULATED: usize = 5;

/// One sample a second from each box: a kill always hits some batch on its way.
const OFTEN: (&str, &str) = ("KALIUN_SAMPLE_INTERVAL_MS", "1000");

/// The programs that the supervisor starts.
const PARTS: [&str; 3] = ["control-plane", "edge", "sim"];

/// What is killed, one after another.
const VICTIMS: [&str; 4] = ["control-plane", POSTGRES, "edge", "sim"];

/// The database, which the control plane starts.
const POSTGRES: &str = "postgres";

/// The number of each process that may be killed.
fn numbers(place: &Place) -> anyhow::Result<BTreeMap<&'static str, i32>> {
    let mut numbers = BTreeMap::from([(POSTGRES, database::postmaster(&place.control_plane_state())?)]);
    for part in PARTS {
        numbers.insert(part, place.recorded(part)?);
    }
    Ok(numbers)
}

/// Proves that these boxes are all that there are, online, and that each took a sample later than `after`.
fn ensure_reporting(place: &Place, ids: &BTreeSet<String>, after: Timestamp) -> anyhow::Result<()> {
    let devices = place.devices()?;
    ensure!(ids_of(&devices) == *ids, "other boxes are there: {:?}", ids_of(&devices));
    for device in &devices {
        let text = |pointer: &str| device.pointer(pointer).and_then(Value::as_str);
        ensure!(text("/link/state") == Some("online"), "{device} is not online");
        let sampled_at: Timestamp = text("/last_sample/time").context("a box has no sample")?.parse()?;
        ensure!(sampled_at > after, "{device} has no sample after {after}");
    }
    Ok(())
}

async fn wait_reporting(place: &Place, ids: &BTreeSet<String>, after: Timestamp) -> anyhow::Result<()> {
    let reporting = until("all boxes report", UP_PATIENCE, || {
        let looked = ensure_reporting(place, ids, after).map(Some);
        async move { looked }
    });
    reporting.await.with_context(|| place.logs())
}

/// How often each part was started again, and how it ended before.
fn ends(place: &Place) -> anyhow::Result<BTreeMap<&'static str, (u64, Option<String>)>> {
    let report = place.report()?;
    let end = |part| {
        let restarts = report.pointer(&format!("/parts/{part}/restarts")).and_then(Value::as_u64);
        let last_end = report.pointer(&format!("/parts/{part}/last_end")).and_then(Value::as_str);
        Ok((part, (restarts.with_context(|| format!("{part} is not in {report}"))?, last_end.map(str::to_owned))))
    };
    PARTS.into_iter().map(end).collect()
}

/// Kills one process and waits until it was replaced and all boxes report again.
async fn kill(place: &Place, victim: &str, ids: &BTreeSet<String>) -> anyhow::Result<()> {
    let (supervisor, before) = (place.supervisor()?, numbers(place)?);
    let old = *before.get(victim).context("it does not run")?;
    signal(old, Signal::KILL)?;
    let killed_at = Timestamp::now();
    let replaced = until("there is another process", UP_PATIENCE, || {
        let looked = numbers(place).map(|now| Some(now).filter(|now| now.get(victim) != Some(&old)));
        async move { looked }
    });
    replaced.await.with_context(|| place.logs())?;
    wait_reporting(place, ids, killed_at).await?;

    let now = numbers(place)?;
    ensure!(place.supervisor()? == supervisor, "the supervisor is another one");
    let kept = family::of(supervisor)?;
    for (name, number) in &now {
        ensure!(kept.iter().any(|relative| relative.pid == *number), "{name} ({number}) is not among {kept:?}");
        // A database does not outlive its control plane.
        let may_differ = *name == victim || (*name == POSTGRES && victim == "control-plane");
        ensure!(may_differ || before.get(name) == Some(number), "{name} is another one too: {before:?}, {now:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_killed_comes_back_by_itself() -> anyhow::Result<()> {
    let place = Place::make()?;
    let [public, device, _] = free_addresses()?.map(|address| address.to_string());
    let simulated = SIMULATED.to_string();
    let words = ["up", "--no-build", "--detach", "--public", &public, "--device", &device, "--devices", &simulated];
    place.succeed_with(&words, &[OFTEN]).with_context(|| place.logs())?;
    let ids = place.ids()?;
    ensure!(ids.len() == SIMULATED + 1, "{ids:?}");
    wait_reporting(&place, &ids, Timestamp::now()).await?;

    let mut before = database::samples(&place.control_plane_state()).await?;
    let mut expected = ends(&place)?;
    for victim in VICTIMS {
        kill(&place, victim, &ids).await.with_context(|| format!("{victim} was killed"))?;
        let now = database::samples(&place.control_plane_state()).await?;
        prove_whole(&before, &now).with_context(|| format!("{victim} was killed"))?;
        ensure!(now.keys().eq(&ids), "samples are stored of {:?}", now.keys());
        before = now;
        // Nothing else ended meanwhile, not even to be started again.
        if let Some((restarts, last_end)) = expected.get_mut(victim) {
            *restarts += 1;
            *last_end = Some("signal: 9 (SIGKILL)".to_owned());
        }
        ensure!(ends(&place)? == expected, "{:?} instead of {expected:?}", ends(&place)?);
    }
    let family = whole_fleet(place.supervisor()?)?;
    place.succeed(&["down"])?;
    place.ensure_stopped(&family)
}
