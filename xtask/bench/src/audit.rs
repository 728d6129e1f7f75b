//! `audit`: audited changes in one organization at a steady rate, and how long each takes and waits to be sealed. Beside it, in the same
//! database, the same change twice: with its audit row alone, as the control plane makes it, and with a chain that each change makes by
//! itself, under a row lock, as is usual.

mod bare;
mod report;
mod rpc;

use crate::database::Database;
use crate::latency::Latency;
use crate::progress::say;
use crate::server::{self, ControlPlaneAddresses};
use anyhow::{Context as _, ensure};
use bare::Chain;
use report::Report;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How many, and how fast.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Changes a second
    #[arg(long, default_value_t = 500)]
    rate: u32,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Who makes changes at once
    #[arg(long, default_value_t = 16)]
    workers: u32,
    /// Print one JSON object in place of the table
    #[arg(long)]
    json: bool,
    /// End with an error when the goal is missed
    #[arg(long)]
    check: bool,
    /// Folder for the database, kept between runs [default: beside the program]
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// The control plane to measure [default: the one beside this program]
    #[arg(long)]
    control_plane: Option<PathBuf>,
}

/// When changes are due: spread evenly over the workers. A change that is late counts from when it was due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    began: Instant,
    workers: u32,
    rate: u32,
    count: u32,
}

impl Pace {
    fn of(arguments: &Arguments) -> Self {
        let count = arguments.rate * arguments.seconds;
        Self {
            began: Instant::now() + Duration::from_millis(100),
            workers: arguments.workers,
            rate: arguments.rate,
            count,
        }
    }

    /// Those of one worker.
    fn of_worker(self, worker: u32) -> impl Iterator<Item = Instant> {
        let step = usize::try_from(self.workers).unwrap_or(1);
        (worker..self.count).step_by(step).map(move |number| self.began + Duration::from_secs(1) * number / self.rate)
    }
}

/// Measures and prints.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(arguments.rate > 0 && arguments.seconds > 0 && arguments.workers > 0, "all numbers must be above 0");
    let beside = std::env::current_exe()?.parent().context("this program has no folder")?.to_owned();
    let folder = arguments.state_dir.clone().unwrap_or_else(|| beside.join("bench-audit"));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let folder = folder.canonicalize()?;
    let program = arguments.control_plane.clone().unwrap_or_else(|| beside.join("control-plane"));
    let api_token = server::api_token(&folder)?;
    let database = Database::start(&folder).await?;
    let addresses = ControlPlaneAddresses::free()?;
    let running = server::replica(&program, &folder, "one", addresses, &database.url()).await?;

    let measured = async {
        say(&format!("{} changes a second by RPC for {} s", arguments.rate, arguments.seconds));
        let (answers, unsealed) = rpc::measure(Pace::of(arguments), addresses.public, &api_token, &database).await?;
        // The control plane stays where it is and seals what these write, too.
        say("the same change by SQL, with its audit row alone");
        let row = bare::measure(Pace::of(arguments), &database, Chain::Sealed).await?;
        say("the same with a chain made inline, under a row lock");
        let inline = bare::measure(Pace::of(arguments), &database, Chain::Inline).await?;
        anyhow::Ok(Report {
            rate: arguments.rate,
            answers: Latency::of(answers)?,
            unsealed: Latency::of(unsealed)?,
            row: Latency::of(row)?,
            inline: Latency::of(inline)?,
        })
    };
    let report =
        measured.await.with_context(|| format!("the control plane's log ends with\n{}", running.log_tail()))?;
    running.stop().await?;
    database.stop().await;
    report.print(arguments.json)?;
    if arguments.check { report.check() } else { Ok(()) }
}
