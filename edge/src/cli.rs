//! The program `kaliun-edge`: its commands and exit codes.

use crate::agent::{self, AgentError};
use crate::agent_state::{AgentState, EnrollmentState};
use crate::config::{Config, ConfigError, Layer};
use crate::console::{self, Screen};
use crate::dialer::Dialer;
use crate::host::linux::LinuxHost;
use crate::identity::IdentityError;
use crate::link::transport::with_sources;
use crate::new_key;
use crate::state_dir::{Durability, StateDir, StateDirError};
use crate::status;
use clap::{Parser, Subcommand};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Exit code for a configuration that is wrong: `EX_CONFIG` of sysexits, which supervisors know not to restart.
const EXIT_CONFIG: u8 = 78;

/// The edge agent of Kaliun Fleet: enrols this machine, reports how it is, and keeps the link to its control plane.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration.
#[derive(Debug, Parser)]
#[command(name = "kaliun-edge", version)]
struct Cli {
    /// Configuration file (TOML; the flags' names with underscores)
    #[arg(long, value_name = "FILE", env = "KALIUN_EDGE_CONFIG", global = true)]
    config: Option<PathBuf>,
    #[command(flatten)]
    layer: Layer,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Enrol where needed, then keep the link until stopped
    Run,
    /// Enrol and end
    Enroll {
        /// Make a new key first: the box becomes a new device, and forgets what it recorded and did not send, its settings and its sessions
        #[arg(long)]
        new_key: bool,
        /// Forget the trust bundles first, and begin again from the hash in the join token or trust_hash: for a box that followed bundles
        /// which were not its server's
        #[arg(long)]
        new_trust: bool,
    },
    /// Say what the running agent last wrote down
    Status {
        /// As JSON, with every value
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Error)]
enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    #[error("another agent runs on {}; stop it first", .0.display())]
    Locked(PathBuf),
    #[error("log: not a level or a list of directives")]
    Log,
    #[error("cannot {0}")]
    Process(&'static str, #[source] std::io::Error),
    #[error("no agent has run on {} yet", .0.display())]
    NeverRan(PathBuf),
    #[error("{} cannot be read", status::FILE)]
    StatusFile(#[from] serde_json::Error),
    #[error("this box was taken out of service; to use it again, run `kaliun-edge enroll --new-key`")]
    Decommissioned,
    #[error("enrolment failed: {message} ({reason})")]
    Refused { reason: String, message: String },
}

impl CliError {
    fn exit_code(&self) -> ExitCode {
        let is_configuration = match self {
            Self::Config(_) | Self::Log => true,
            Self::Agent(error) => error.is_configuration(),
            Self::Identity(_)
            | Self::StateDir(_)
            | Self::Locked(_)
            | Self::Process(..)
            | Self::NeverRan(_)
            | Self::Decommissioned
            | Self::StatusFile(_)
            | Self::Refused { .. } => false,
        };
        if is_configuration { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE }
    }
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}", with_sources(&error)));
            error.exit_code()
        }
    }
}

/// Talks to whoever started the program.
fn say(text: &str) {
    use std::io::Write;
    let _nobody_reads = writeln!(std::io::stderr(), "{text}");
}

fn dispatch(cli: Cli) -> Result<(), CliError> {
    let layer = match &cli.config {
        Some(path) => cli.layer.over(Layer::from_file(path)?),
        None => cli.layer,
    };
    match cli.command {
        Command::Status { json } => show_status(&layer.state_dir(), json),
        Command::Run => {
            let config = prepare(&layer)?;
            run_agent(config)
        }
        Command::Enroll { new_key, new_trust } => {
            let mut config = prepare(&layer)?;
            config.agent.only_enroll = true;
            let state_dir = StateDir::open(&config.state_dir, Durability::Disk)?;
            let lock = state_dir.try_lock()?.ok_or_else(|| CliError::Locked(config.state_dir.clone()))?;
            if new_trust {
                config.agent.forget_trust(&state_dir)?;
            }
            if new_key {
                new_key::make(&state_dir, &*config.agent.keys)?;
                say(
                    "This box has a new key. What it recorded and had not sent, its settings and what it remembered of its sessions were deleted: they were the old device's.",
                );
            }
            // The agent takes it.
            drop(lock);
            run_agent(config)
        }
    }
}

fn prepare(layer: &Layer) -> Result<Config, CliError> {
    let filter = tracing_subscriber::EnvFilter::try_new(layer.log()).map_err(|_| CliError::Log)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(layer.check()?)
}

fn run_agent(config: Config) -> Result<(), CliError> {
    let screen = Screen::open(config.console.as_deref())
        .map_err(|source| ConfigError::Console { path: config.console.clone().unwrap_or_default(), source })?;
    let state_dir = StateDir::open(&config.state_dir, Durability::Disk)?;
    let _lock = state_dir.try_lock()?.ok_or_else(|| CliError::Locked(config.state_dir.clone()))?;
    // One thread: the agent sleeps nearly always, and a box has better use for its memory.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| CliError::Process("start the runtime", source))?;
    runtime.block_on(Box::pin(supervise(config, state_dir, screen)))
}

async fn supervise(config: Config, state_dir: StateDir, screen: Screen) -> Result<(), CliError> {
    let stop = CancellationToken::new();
    let only_enroll = config.agent.only_enroll;
    let host = LinuxHost::new(&config.state_dir, config.home_assistant);
    let status_dir = StateDir::open(&config.state_dir, Durability::PageCache)?;
    let (state, receiver) = watch::channel(AgentState::default());
    let agent = agent::run(config.agent, state_dir, host, Dialer::new(), state, stop.clone());
    let ended = tokio::select! {
        ended = Box::pin(agent) => ended,
        () = show(screen, &status_dir, &receiver) => Ok(()),
        error = stop_on_signal(&stop) => return Err(CliError::Process("listen for signals", error)),
    };
    let last = receiver.borrow().clone();
    status::write(&status_dir, &last);
    ended?;
    match last.enrollment {
        EnrollmentState::Failed { reason, message, .. } if only_enroll => Err(CliError::Refused { reason, message }),
        EnrollmentState::Enrolled { device_id, name, .. } if only_enroll => {
            // Said here too, for the screen's own future may not have had its turn any more.
            tracing::info!(device.id = %device_id, %name, "this box is enrolled");
            Ok(())
        }
        EnrollmentState::Decommissioned { .. } if only_enroll => Err(CliError::Decommissioned),
        EnrollmentState::Asking
        | EnrollmentState::Decommissioned { .. }
        | EnrollmentState::Pending { .. }
        | EnrollmentState::Enrolled { .. }
        | EnrollmentState::Failed { .. } => Ok(()),
    }
}

/// Shows the agent's state on the screen and in the status file. How the agent ended is the agent's to say, so this never
/// ends by itself.
async fn show(screen: Screen, status_dir: &StateDir, state: &watch::Receiver<AgentState>) {
    tokio::join!(console::show(screen, state.clone()), status::keep_written(status_dir, state.clone()));
    std::future::pending().await
}

/// Asks the agent to stop at the first signal. Ends only when signals cannot be heard.
async fn stop_on_signal(stop: &CancellationToken) -> std::io::Error {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (mut terminate, mut interrupt) = match signals {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(error), _) | (_, Err(error)) => return error,
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    stop.cancel();
    std::future::pending().await
}

fn show_status(folder: &Path, json: bool) -> Result<(), CliError> {
    if !folder.is_dir() {
        return Err(CliError::NeverRan(folder.to_owned()));
    }
    let state_dir = StateDir::open(folder, Durability::PageCache)?;
    let content = state_dir.read(status::FILE)?.ok_or_else(|| CliError::NeverRan(folder.to_owned()))?;
    let mut value: serde_json::Value = serde_json::from_slice(&content)?;
    let is_running = state_dir.try_lock()?.is_none();
    let text = if json {
        if let Some(fields) = value.as_object_mut() {
            fields.insert("running".to_owned(), is_running.into());
        }
        format!("{value:#}\n")
    } else {
        status::describe(&value, is_running)
    };
    match console::write_out(&text) {
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::Process("write to the terminal", source))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
