//! `cargo xtask up`: a whole fleet on this machine.

mod address;
mod authority;
mod fleet;
mod folder;
mod keep;
mod leftovers;
pub(crate) mod mails;
mod parts;
mod process;
mod report;
mod screen;
mod secrets;
mod settings;
mod supervisor;

use crate::machine::{self, Need};
use crate::talk::{duration, progress, say};
use crate::{web, workspace};
use address::Wish;
use anyhow::{Context as _, bail, ensure};
use clap::Subcommand;
use folder::StateFolder;
use process::Ours;
use rustix::process::Signal;
use secrets::Secrets;
use settings::{Asked, Settings};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use supervisor::Keeper;

/// How long a fleet may take to stop: the boxes, then the control plane with its database.
const DOWN_PATIENCE: Duration = Duration::from_secs(150);

/// How to start a fleet.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    start: Start,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Says how the fleet is doing. Ends with 3 when it does not run.
    Status(Place),
    /// Stops the fleet. Its state stays, and the next `up` resumes it.
    Down(Place),
    /// Runs a fleet that `up` has prepared.
    #[command(hide = true)]
    Supervise {
        #[command(flatten)]
        place: Place,
        /// End with whoever holds the other end of standard input.
        #[arg(long)]
        attached: bool,
    },
}

/// Which fleet.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The folder of the fleet's state [default: kaliun-fleet below the user's state folder]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Start {
    #[command(flatten)]
    place: Place,
    /// Return as soon as the fleet runs; `cargo xtask up down` stops it.
    #[arg(long)]
    detach: bool,
    /// How many simulated boxes run beside this machine [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=20_000))]
    devices: Option<u32>,
    /// Where the dashboard is; another address than loopback gets a certificate [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    public: Option<Wish>,
    /// Where boxes connect [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDR")]
    device: Option<Wish>,
    /// Build everything optimised. Takes several times as long.
    #[arg(long)]
    release: bool,
    /// Start the programs as they were built last, whatever has changed since.
    #[arg(long)]
    no_build: bool,
}

/// Does what was asked for.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.action {
        None => up(&arguments.start),
        Some(Action::Status(place)) => status(&place),
        Some(Action::Down(place)) => down(&place),
        Some(Action::Supervise { place, attached }) => {
            let folder = StateFolder::choose(place.state_dir.as_deref())?;
            supervisor::run(&folder, if attached { Keeper::Terminal } else { Keeper::Itself })?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn up(start: &Start) -> anyhow::Result<ExitCode> {
    let begun_at = Instant::now();
    let folder = StateFolder::choose(start.place.state_dir.as_deref())?;
    if let Some(supervisor) = Ours::recorded(&folder.pid_file("supervisor")) {
        let settings = Settings::read(&folder)?.context("a fleet runs whose settings are gone")?;
        let asked_devices = start.devices.unwrap_or(settings.devices);
        ensure!(
            asked_devices == settings.devices && start.public.is_none() && start.device.is_none(),
            "this fleet runs already (process {}); stop it with `cargo xtask up down` to start it otherwise",
            supervisor.pid()
        );
        screen::show_fleet(&folder, &settings, "runs already")?;
        return Ok(ExitCode::SUCCESS);
    }
    progress("checking the machine");
    if start.no_build {
        machine::provide(&[Need::Postgres])?;
    } else {
        machine::provide(&[Need::Compiler, Need::Postgres])?;
        build(start.release)?;
    }
    let built = built_programs(start.release)?;
    folder.make()?;
    folder.link_programs(&built, &workspace::PROGRAMS)?;
    runtime()?.block_on(leftovers::end(&folder))?;
    let asked = Asked { public: start.public, device: start.device, devices: start.devices };
    let (settings, notes) = Settings::settle(Settings::read(&folder)?.as_ref(), asked)?;
    for note in notes {
        progress(&note);
    }
    if settings.has_tls() {
        authority::make_certificate(&folder, &settings)?;
    }
    settings.write(&folder)?;
    Secrets::read_or_make(&folder)?.write_env(&folder, &settings)?;
    runtime()?.block_on(screen::start_and_watch(&folder, &settings, start.detach, begun_at))
}

/// Builds the web UI and the programs.
fn build(release: bool) -> anyhow::Result<()> {
    let begun_at = Instant::now();
    progress("building the web UI");
    web::build(if release { web::Mode::Release } else { web::Mode::Development })?;
    progress(&format!("building the programs (web UI: {})", duration(begun_at.elapsed())));
    let mut command = workspace::cargo()?;
    command.args(["build", "--locked"]);
    if release {
        // As they are shipped: selected by themselves, without the features that only tests need.
        command.args(["--release", "--bins"]);
    } else {
        // Selected out of the whole workspace, so that this shares every dependency with `cargo xtask test`.
        command.arg("--workspace");
        command.args(workspace::PROGRAMS.iter().flat_map(|name| ["--bin", name]));
    }
    let status = command.status().context("cannot start cargo")?;
    ensure!(status.success(), "the programs do not compile ({status})");
    progress(&format!("built in {}", duration(begun_at.elapsed())));
    Ok(())
}

/// The folder of the programs, where each of them is.
fn built_programs(release: bool) -> anyhow::Result<PathBuf> {
    let folder = workspace::target_folder()?.join(if release { "release" } else { "debug" });
    for name in workspace::PROGRAMS {
        ensure!(folder.join(name).is_file(), "there is no {name} in {}; run this without --no-build", folder.display());
    }
    Ok(folder)
}

pub(crate) fn status(place: &Place) -> anyhow::Result<ExitCode> {
    let folder = StateFolder::choose(place.state_dir.as_deref())?;
    let settings = Settings::read(&folder)?;
    match (Ours::recorded(&folder.pid_file("supervisor")), settings) {
        (Some(_), Some(settings)) => {
            runtime()?.block_on(screen::show_status(&folder, &settings))?;
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            say(&format!("No fleet runs from {}.", folder.root().display()));
            Ok(ExitCode::from(3))
        }
    }
}

pub(crate) fn down(place: &Place) -> anyhow::Result<ExitCode> {
    let folder = StateFolder::choose(place.state_dir.as_deref())?;
    if !folder.exists() {
        bail!("there is no fleet in {}", folder.root().display());
    }
    runtime()?.block_on(async {
        match Ours::recorded(&folder.pid_file("supervisor")) {
            Some(supervisor) => {
                progress("stopping the fleet");
                supervisor.end(Signal::TERM, Signal::KILL, DOWN_PATIENCE).await?;
            }
            None => progress("no supervisor runs"),
        }
        // Of a supervisor that was killed, and of one that had to be.
        leftovers::end(&folder).await
    })?;
    let _ = std::fs::remove_file(folder.pid_file("supervisor"));
    say(&format!("Stopped. The state stays in {}.", folder.root().display()));
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")
}
