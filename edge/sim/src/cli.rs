//! The program `kaliun-edge-sim`.

use crate::fleet::{Fleet, FleetConfig};
use anyhow::Context;
use clap::Parser;
use kaliun_edge::clock::Clock;
use kaliun_edge::config::read_secret;
use kaliun_edge::identity::FileKeyStore;
use kaliun_edge::journal::JournalLimits;
use kaliun_edge::server_address::ServerAddress;
use kaliun_edge::state_dir::{Durability, StateDir};
use kaliun_types::join_token::{JoinTokenText, parse_hash};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Exit code for a configuration that is wrong: `EX_CONFIG` of sysexits.
const EXIT_CONFIG: u8 = 78;

/// The fleet's figures are logged this often when they have changed.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// Files that the process needs beside one socket for each box.
const FILES_BESIDE_SOCKETS: u64 = 256;

/// Simulated boxes for Kaliun Fleet: the real agent, many times, over machines that exist only as numbers.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration.
#[derive(Debug, Parser)]
#[command(name = "kaliun-edge-sim", version)]
struct Cli {
    /// How many boxes
    #[arg(long, value_name = "N", default_value_t = 5)]
    devices: usize,
    /// Folder in which each box has its own; starting again resumes the same boxes
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// The control plane's device listener: `https://HOST[:PORT]`
    #[arg(long, value_name = "URL")]
    server: ServerAddress,
    /// File with a join token that is good for all boxes
    #[arg(long, value_name = "FILE", required_unless_present = "trust_hash")]
    join_token_file: Option<PathBuf>,
    /// Without a join token: SHA-256 of the first trust bundle; each box waits to be claimed by its code
    #[arg(long, value_name = "HEX")]
    trust_hash: Option<String>,
    /// Boxes are called PREFIX-0001 and so on
    #[arg(long, value_name = "PREFIX", default_value = "sim")]
    name_prefix: String,
    /// Time between samples, milliseconds, whatever the control plane says
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    sample_interval_ms: Option<u64>,
    /// What to log: a level, or directives
    #[arg(long, value_name = "FILTER", env = "KALIUN_EDGE_LOG", default_value = "warn,kaliun_edge_sim=info")]
    log: String,
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let config = match configure(&cli) {
        Ok(config) => config,
        Err(error) => return fail(&error, ExitCode::from(EXIT_CONFIG)),
    };
    match run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, ExitCode::FAILURE),
    }
}

fn fail(error: &anyhow::Error, code: ExitCode) -> ExitCode {
    use std::io::Write;
    let _nobody_reads = writeln!(std::io::stderr(), "error: {error:#}");
    code
}

fn configure(cli: &Cli) -> anyhow::Result<FleetConfig> {
    let filter = tracing_subscriber::EnvFilter::try_new(&cli.log).context("--log")?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let join_token = cli.join_token_file.as_deref().map(|path| read_secret("join_token_file", path)).transpose()?;
    if let Some(token) = &join_token {
        JoinTokenText::parse(token.expose()).context("join_token_file")?;
    }
    let trust_hash = match &cli.trust_hash {
        Some(text) => Some(parse_hash(text).context("trust_hash: expected 64 hexadecimal digits")?),
        None => None,
    };
    Ok(FleetConfig {
        server: cli.server.clone(),
        join_token,
        trust_hash,
        state_dir: cli.state_dir.clone(),
        name_prefix: cli.name_prefix.clone(),
        devices: cli.devices,
        sample_interval: cli.sample_interval_ms.map(Duration::from_millis),
        journal_limits: JournalLimits::default(),
        keys: Arc::new(FileKeyStore),
        clock: Clock::default(),
    })
}

fn run(config: &FleetConfig) -> anyhow::Result<()> {
    raise_open_files(config.devices as u64)?;
    let state_dir = StateDir::open(&config.state_dir, Durability::PageCache)?;
    let _lock = state_dir
        .try_lock()?
        .with_context(|| format!("another simulator runs on {}; stop it first", config.state_dir.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(supervise(config))
}

async fn supervise(config: &FleetConfig) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let fleet = Fleet::start(config)?;
    tracing::info!(devices = config.devices, server = %config.server, "simulated boxes started");
    let mut told = (usize::MAX, usize::MAX);
    let mut report = tokio::time::interval(REPORT_INTERVAL);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = report.tick() => {
                let now = (fleet.enrolled_count(), fleet.online_count());
                if now != told {
                    told = now;
                    tracing::info!(enrolled = now.0, online = now.1, of = config.devices, "simulated boxes");
                }
            }
        }
    }
    tracing::info!("stopping");
    fleet.stop().await.context("stop the boxes")
}

/// Each box has a socket: raises the soft limit as far as the hard one lets it.
fn raise_open_files(devices: u64) -> anyhow::Result<()> {
    let wanted = devices + FILES_BESIDE_SOCKETS;
    let limits = getrlimit(Resource::Nofile);
    if limits.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let current = limits.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limits.maximum })
        .context("raise the limit of open files")?;
    if current < wanted {
        tracing::warn!(limit = current, wanted, "too few open files are allowed for all boxes to be online at once");
    }
    Ok(())
}
