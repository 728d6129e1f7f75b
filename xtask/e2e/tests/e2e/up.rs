//! `cargo xtask up` as a person uses it: in a terminal until Ctrl-C, then in the background, and the same fleet each time.

mod killed;
mod network;
mod place;

use anyhow::{Context as _, ensure};
use kaliun_e2e::family::{self, Relative};
use kaliun_e2e::fleet::free_addresses;
use kaliun_e2e::programs::built;
use kaliun_e2e::terminal::Terminal;
use kaliun_e2e::wait::until;
use place::Place;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Boxes beside this machine.
const SIMULATED: usize = 2;

/// How long a fleet may take to come up or to end on a machine that is busy.
const UP_PATIENCE: Duration = Duration::from_secs(150);

/// What a fleet consists of, as its programs' files are named.
const PROGRAMS: [&str; 5] = ["control-plane", "kaliun-edge", "kaliun-edge-sim", "postgres", "xtask"];

/// In this order things end: when none of the first is left, nothing of the second is.
const ORDER: [(&str, &str); 4] = [
    ("control-plane", "kaliun-edge"),
    ("control-plane", "kaliun-edge-sim"),
    ("control-plane", "postgres"),
    ("xtask", "control-plane"),
];

/// A process and everything below it, which is a whole fleet.
fn whole_fleet(ancestor: i32) -> anyhow::Result<BTreeSet<Relative>> {
    let family = family::of(ancestor)?;
    for program in PROGRAMS {
        ensure!(family.iter().any(|relative| relative.program == program), "{program} is not among {family:?}");
    }
    Ok(family)
}

/// What ended in another order than it should, if something did.
fn disorder(family: &BTreeSet<Relative>) -> Vec<String> {
    let runs = |program: &str| family.iter().any(|relative| relative.program == program && relative.is_alive());
    // The first is looked at first: what is found of the second then cannot be older.
    let wrong = ORDER.iter().filter(|(later, sooner)| !runs(later) && runs(sooner));
    wrong.map(|(later, sooner)| format!("{later} ended before {sooner}")).collect()
}

#[tokio::test]
async fn ctrl_c_stops_all_of_it_in_order_and_the_next_up_resumes() -> anyhow::Result<()> {
    let place = Place::make()?;
    let [public, device, _] = free_addresses()?.map(|address| address.to_string());
    let simulated = SIMULATED.to_string();
    let words = place.task(&["up", "--no-build", "--public", &public, "--device", &device, "--devices", &simulated]);
    let mut terminal = Terminal::run(&built("xtask")?, &words, place.screen())?;
    let is_up = until("the fleet is up", UP_PATIENCE, || {
        let looked =
            terminal.ensure_runs().map(|()| terminal.shown().contains("Ctrl-C stops everything").then_some(()));
        async move { looked }
    });
    is_up.await.with_context(|| place.logs())?;
    let family = whole_fleet(terminal.pid()?)?;
    let ids = place.ids()?;
    ensure!(ids.len() == SIMULATED + 1, "{ids:?}");

    terminal.press_ctrl_c()?;
    let mut wrong = BTreeSet::new();
    let has_ended = until("the fleet ends", UP_PATIENCE, || {
        wrong.extend(disorder(&family));
        let ended = terminal.ended();
        async move { ended }
    });
    let status = has_ended.await.with_context(|| place.logs())?;
    ensure!(wrong.is_empty(), "{wrong:?}\n{}", place.logs());
    ensure!(status.success(), "`up` ended with {status}:\n{}", terminal.shown());
    place.ensure_stopped(&family)?;
    // A part that the terminal interrupted, and not its supervisor, would have been counted as one that ended by itself.
    let report = place.report()?;
    ensure!(report.get("phase").and_then(Value::as_str) == Some("stopped"), "{report}");
    let parts = report.get("parts").and_then(Value::as_object).context("the report names no parts")?;
    ensure!(parts.len() == 3 && parts.values().all(|part| part.get("last_end") == Some(&Value::Null)), "{report}");

    place.succeed(&["up", "--no-build", "--detach"]).with_context(|| place.logs())?;
    ensure!(place.ids()? == ids, "these boxes were enrolled twice: {:?}", place.ids()?);
    let status = place.succeed(&["status"])?;
    ensure!(status.contains("Ready: 3 of 3 boxes online"), "{status}");
    let again = place.succeed(&["up", "--no-build"])?;
    ensure!(again.contains("runs already"), "{again}");
    ensure!(place.ids()? == ids, "{:?}", place.ids()?);
    let family = whole_fleet(place.supervisor()?)?;
    place.succeed(&["down"])?;
    place.ensure_stopped(&family)
}
