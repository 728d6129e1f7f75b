//! `cargo xtask up` as a person uses it: in a terminal until Ctrl-C, then in the background, and the same fleet each time.

use anyhow::{Context as _, ensure};
use kaliun_e2e::family::{self, Relative};
use kaliun_e2e::fleet::free_addresses;
use kaliun_e2e::folder::TestFolder;
use kaliun_e2e::process::tail;
use kaliun_e2e::programs::built;
use kaliun_e2e::terminal::Terminal;
use kaliun_e2e::wait::until;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};
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

/// How `status` ends when nothing runs.
const NOTHING_RUNS: i32 = 3;

/// A fleet's state folder. Dropping it stops what may be left, and removes it with its database.
struct Place {
    folder: TestFolder,
}

impl Place {
    fn make() -> anyhow::Result<Self> {
        Ok(Self { folder: TestFolder::make()? })
    }

    fn state(&self) -> PathBuf {
        self.folder.join("fleet")
    }

    /// The words of a task of this fleet.
    fn task(&self, words: &[&str]) -> Vec<String> {
        let words = words.iter().map(|word| (*word).to_owned());
        words.chain(["--state-dir".to_owned(), self.state().display().to_string()]).collect()
    }

    /// Runs a task to its end.
    fn run(&self, words: &[&str]) -> anyhow::Result<Output> {
        Command::new(built("xtask")?).args(self.task(words)).output().context("cannot start xtask")
    }

    /// Runs a task that has to succeed, and returns what it shows.
    fn succeed(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = self.run(words)?;
        let shown = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{words:?} failed ({}):\n{shown}", output.status);
        Ok(shown)
    }

    /// The ids of all boxes, by the fleetctl and the settings that `up` left for a shell.
    fn ids(&self) -> anyhow::Result<BTreeSet<String>> {
        let settings =
            std::fs::read_to_string(self.state().join("env")).context("there are no settings for a shell")?;
        let output = Command::new(self.state().join("bin/fleetctl"))
            .args(["get", "devices", "-o", "json"])
            .envs(settings.lines().filter_map(|line| line.split_once('=')))
            .env("FLEETCTL_CONFIG", self.folder.join("fleetctl.toml"))
            .output()
            .context("cannot start fleetctl")?;
        ensure!(output.status.success(), "fleetctl failed: {}", String::from_utf8_lossy(&output.stderr));
        let list: Value = serde_json::from_slice(&output.stdout).context("fleetctl printed no JSON")?;
        let items = list.get("items").and_then(Value::as_array).context("the list has no items")?;
        Ok(items.iter().filter_map(|item| item.get("id").and_then(Value::as_str)).map(str::to_owned).collect())
    }

    fn report(&self) -> anyhow::Result<Value> {
        let text = std::fs::read(self.state().join("run/report.json")).context("the supervisor left no report")?;
        serde_json::from_slice(&text).context("the report is damaged")
    }

    fn supervisor(&self) -> anyhow::Result<i32> {
        let text = std::fs::read(self.state().join("run/supervisor.pid")).context("no supervisor runs")?;
        let identity: Value = serde_json::from_slice(&text).context("the supervisor's identity is damaged")?;
        let pid = identity.get("pid").and_then(Value::as_i64).context("the supervisor has no number")?;
        i32::try_from(pid).context("a process number fits")
    }

    fn logs(&self) -> String {
        ["supervisor", "control-plane", "edge", "sim"]
            .map(|name| format!("{name}:\n{}", tail(&self.state().join(format!("logs/{name}.log")))))
            .join("\n")
    }

    /// Proves that nothing runs, by the numbers that were noted, by the command lines, and by `status`.
    fn ensure_stopped(&self, family: &BTreeSet<Relative>) -> anyhow::Result<()> {
        let alive: Vec<&Relative> = family.iter().filter(|relative| relative.is_alive()).collect();
        ensure!(alive.is_empty(), "left running: {alive:?}");
        let told = family::told_of(&self.state())?;
        ensure!(told.is_empty(), "left running: {told:?}");
        let status = self.run(&["status"])?.status;
        ensure!(status.code() == Some(NOTHING_RUNS), "`status` ended with {status}");
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It fails when there never was a fleet.
        let _ = self.run(&["down"]);
        let note = std::fs::read_to_string(self.state().join("control-plane/postgres/where")).unwrap_or_default();
        if let Some(elsewhere) = note.lines().find(|line| line.starts_with('/'))
            && !self.folder.is_kept()
        {
            let _ = std::fs::remove_dir_all(elsewhere);
        }
    }
}

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
    let mut terminal = Terminal::run(&built("xtask")?, &words, place.folder.join("screen"))?;
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
