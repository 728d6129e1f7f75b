//! A fleet of `cargo xtask up` in a place of its own.

use anyhow::{Context as _, ensure};
use kaliun_e2e::database;
use kaliun_e2e::family::{self, Relative};
use kaliun_e2e::folder::TestFolder;
use kaliun_e2e::process::tail;
use kaliun_e2e::programs::built;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// How `status` ends when nothing runs.
const NOTHING_RUNS: i32 = 3;

/// A fleet's state folder. Dropping it stops what may be left, and removes it with its database.
pub(super) struct Place {
    folder: TestFolder,
}

impl Place {
    pub(super) fn make() -> anyhow::Result<Self> {
        Ok(Self { folder: TestFolder::make()? })
    }

    /// The folder that everything of this place is in.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn state(&self) -> PathBuf {
        self.folder.join("fleet")
    }

    /// The state folder of the control plane, with its private database.
    pub(super) fn control_plane_state(&self) -> PathBuf {
        self.state().join("control-plane")
    }

    /// Where what a terminal shows is kept.
    pub(super) fn screen(&self) -> PathBuf {
        self.folder.join("screen")
    }

    /// The words of a task of this fleet.
    pub(super) fn task(&self, words: &[&str]) -> Vec<String> {
        let words = words.iter().map(|word| (*word).to_owned());
        words.chain(["--state-dir".to_owned(), self.state().display().to_string()]).collect()
    }

    /// Runs a task to its end.
    fn run(&self, words: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Output> {
        let mut command = Command::new(built("xtask")?);
        command.args(self.task(words)).envs(environment.iter().copied()).output().context("cannot start xtask")
    }

    /// Runs a task that has to succeed, and returns what it shows.
    pub(super) fn succeed(&self, words: &[&str]) -> anyhow::Result<String> {
        self.succeed_with(words, &[])
    }

    /// Runs a task that has to succeed, with more in its environment, which all parts of a fleet inherit.
    pub(super) fn succeed_with(&self, words: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<String> {
        let output = self.run(words, environment)?;
        let shown = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{words:?} failed ({}):\n{shown}", output.status);
        Ok(shown)
    }

    /// What `up` left for a shell to read.
    pub(super) fn settings(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let text = std::fs::read_to_string(self.state().join("env")).context("there are no settings for a shell")?;
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Asks for all boxes, by the fleetctl that `up` left.
    pub(super) fn ask_devices(&self, settings: &BTreeMap<String, String>) -> anyhow::Result<Output> {
        Command::new(self.state().join("bin/fleetctl"))
            .args(["get", "devices", "-o", "json"])
            .envs(settings)
            .env("FLEETCTL_CONFIG", self.folder.join("fleetctl.toml"))
            .output()
            .context("cannot start fleetctl")
    }

    /// All boxes, by the fleetctl and the settings that `up` left for a shell.
    pub(super) fn devices(&self) -> anyhow::Result<Vec<Value>> {
        let output = self.ask_devices(&self.settings()?)?;
        ensure!(output.status.success(), "fleetctl failed: {}", String::from_utf8_lossy(&output.stderr));
        let list: Value = serde_json::from_slice(&output.stdout).context("fleetctl printed no JSON")?;
        list.get("items").and_then(Value::as_array).cloned().context("the list has no items")
    }

    /// The ids of all boxes.
    pub(super) fn ids(&self) -> anyhow::Result<BTreeSet<String>> {
        Ok(ids_of(&self.devices()?))
    }

    pub(super) fn report(&self) -> anyhow::Result<Value> {
        let text = std::fs::read(self.state().join("run/report.json")).context("the supervisor left no report")?;
        serde_json::from_slice(&text).context("the report is damaged")
    }

    pub(super) fn supervisor(&self) -> anyhow::Result<i32> {
        self.recorded("supervisor")
    }

    /// The number that the supervisor wrote down of a part, or of itself.
    pub(super) fn recorded(&self, name: &str) -> anyhow::Result<i32> {
        let text = std::fs::read(self.state().join(format!("run/{name}.pid")));
        let text = text.with_context(|| format!("no {name} runs"))?;
        let identity: Value = serde_json::from_slice(&text).with_context(|| format!("{name}'s identity is damaged"))?;
        let pid = identity.get("pid").and_then(Value::as_i64).with_context(|| format!("{name} has no number"))?;
        i32::try_from(pid).context("a process number fits")
    }

    pub(super) fn logs(&self) -> String {
        ["supervisor", "control-plane", "edge", "sim"]
            .map(|name| format!("{name}:\n{}", tail(&self.state().join(format!("logs/{name}.log")))))
            .join("\n")
    }

    /// Proves that nothing runs, by the numbers that were noted, by the command lines, and by `status`.
    pub(super) fn ensure_stopped(&self, family: &BTreeSet<Relative>) -> anyhow::Result<()> {
        let alive: Vec<&Relative> = family.iter().filter(|relative| relative.is_alive()).collect();
        ensure!(alive.is_empty(), "left running: {alive:?}");
        let told = family::told_of(&self.state())?;
        ensure!(told.is_empty(), "left running: {told:?}");
        let status = self.run(&["status"], &[])?.status;
        ensure!(status.code() == Some(NOTHING_RUNS), "`status` ended with {status}");
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It fails when there never was a fleet.
        let _ = self.run(&["down"], &[]);
        let home = database::home(&self.control_plane_state());
        if !home.starts_with(self.folder.path()) && !self.folder.is_kept() {
            let _ = std::fs::remove_dir_all(home);
        }
    }
}

/// The ids of boxes.
pub(super) fn ids_of(devices: &[Value]) -> BTreeSet<String> {
    devices.iter().filter_map(|device| device.get("id")?.as_str()).map(str::to_owned).collect()
}
