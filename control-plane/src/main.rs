//! Program `control-plane`.

use clap::{Parser, Subcommand};
use kaliun_control_plane::audit::verification::{self, Verified};
use kaliun_control_plane::ca::{self, CaCommand, CaError};
use kaliun_control_plane::check;
use kaliun_control_plane::clock;
use kaliun_control_plane::config::{Config, Layer};
use kaliun_control_plane::mail;
use kaliun_control_plane::restored::{Restored, restored};
use kaliun_control_plane::server::Server;
use kaliun_control_plane::telemetry;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Exit code for a configuration that is wrong (EX_CONFIG of sysexits.h): starting again will not help.
const BAD_CONFIG: u8 = 78;

/// The control plane of Kaliun Fleet
#[derive(Parser)]
#[command(name = "control-plane", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the control plane until it gets SIGTERM or SIGINT
    Serve {
        /// Configuration file, TOML
        #[arg(long, env = "KALIUN_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        layer: Box<Layer>,
    },
    /// Says that the database came back from a backup, while no control plane runs: what it has forgotten comes back by the boxes and by the
    /// journal of ended devices
    Restored {
        /// Configuration file, TOML
        #[arg(long, env = "KALIUN_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        /// The journal of another replica, or a copy of one; may stand several times. That in the state folder is always read
        #[arg(long, value_name = "FILE")]
        journal: Vec<PathBuf>,
        #[command(flatten)]
        layer: Box<Layer>,
    },
    /// Looks after the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Shows what mails look like, and whether the mail server takes them
    Mail {
        #[command(subcommand)]
        command: MailCommand,
        /// Configuration file, TOML
        #[arg(long, env = "KALIUN_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        layer: Box<Layer>,
    },
    /// Looks at the record of who did what, at the machine itself
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
        /// Configuration file, TOML
        #[arg(long, env = "KALIUN_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        layer: Box<Layer>,
    },
    /// Looks after the authorities' keys, at the machine itself
    Ca {
        #[command(subcommand)]
        command: CaCommand,
        /// Configuration file, TOML
        #[arg(long, env = "KALIUN_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        layer: Box<Layer>,
    },
}

#[derive(Subcommand)]
enum MailCommand {
    /// Writes each kind of mail with made-up names as .html, .txt and .eml. Needs no configuration
    Preview {
        /// Only this kind, for example reset_password
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
        /// Where to
        #[arg(long, value_name = "DIR", default_value = "mail-preview")]
        out: PathBuf,
    },
    /// Sends one mail through the configured server, and says what the server said
    Test {
        /// To whom
        #[arg(long, value_name = "ADDRESS")]
        to: String,
    },
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Verifies the chains of all organizations against the keys of this machine and the checkpoints in the state folder, whether a control
    /// plane runs or not. Ends with 1 when something is wrong
    Verify {
        /// The checkpoints of another replica, or a copy of them; may stand several times. Those in the state folder are always read
        #[arg(long, value_name = "FILE")]
        checkpoints: Vec<PathBuf>,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Says whether a configuration would be taken, and what it amounts to
    Check {
        /// Configuration file, TOML
        #[arg(long, env = "KALIUN_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        layer: Box<Layer>,
    },
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve { config, layer } => match Config::load(*layer, config.as_deref()) {
            Ok(config) => serve(&config),
            Err(error) => bad_config(&error),
        },
        Command::Restored { config, journal, layer } => match Config::load(*layer, config.as_deref()) {
            Ok(config) => say_restored(&config, &journal),
            Err(error) => bad_config(&error),
        },
        Command::Config(ConfigCommand::Check { config, layer }) => match Config::load(*layer, config.as_deref()) {
            Ok(config) => check(&config),
            Err(error) => bad_config(&error),
        },
        Command::Mail { command: MailCommand::Preview { kind, out }, .. } => preview(kind.as_deref(), &out),
        Command::Mail { command: MailCommand::Test { to }, config, layer } => {
            match Config::load(*layer, config.as_deref()) {
                Ok(config) => send_test(&config, &to),
                Err(error) => bad_config(&error),
            }
        }
        Command::Audit { command: AuditCommand::Verify { checkpoints }, config, layer } => {
            match Config::load(*layer, config.as_deref()) {
                Ok(config) => verify_audit(&config, &checkpoints),
                Err(error) => bad_config(&error),
            }
        }
        Command::Ca { command: CaCommand::SignBundle(arguments), .. } => said(ca::sign_bundle(arguments)),
        Command::Ca { command, config, layer } => match Config::load(*layer, config.as_deref()) {
            Ok(config) => look_after_keys(command, &config),
            Err(error) => bad_config(&error),
        },
    }
}

/// Writes what mails look like.
fn preview(kind: Option<&str>, out: &Path) -> ExitCode {
    match mail::preview::preview(kind, out, clock::now()) {
        Ok(files) => {
            say(&format!("{} files are in {}.", files.len(), out.display()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Sends one mail, and says what became of it.
fn send_test(config: &Config, to: &str) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("error: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let listen = format!("http://{}", config.public_listen);
    let home = config.public_url.as_deref().unwrap_or(&listen);
    match runtime.block_on(mail::send_test(config.mail.as_ref(), home, to, clock::now())) {
        Ok(said) => {
            say(&format!("The mail server took the mail: {said}\nSee whether it arrives at {to}."));
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Verifies the record of who did what, and says what is wrong with it.
fn verify_audit(config: &Config, checkpoints: &[PathBuf]) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("error: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(verification::verify(config, checkpoints)) {
        Ok(chains) => {
            chains.iter().flat_map(Verified::lines).for_each(|line| say(&line));
            let is_good = chains.iter().all(|chain| chain.report.is_good());
            if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            say(&format!("error: {:#}", anyhow::Error::from(error)));
            ExitCode::FAILURE
        }
    }
}

/// Does something to the authorities' keys, and says what.
fn look_after_keys(command: CaCommand, config: &Config) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("error: {error}"));
            return ExitCode::FAILURE;
        }
    };
    said(runtime.block_on(ca::run(command, config)))
}

/// Says what was done, or why not.
fn said(done: Result<String, CaError>) -> ExitCode {
    match done {
        Ok(said) => {
            say(&said);
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("error: {:#}", anyhow::Error::from(error)));
            ExitCode::FAILURE
        }
    }
}

/// Shows what a configuration amounts to, and what is wrong with the files it names.
fn check(config: &Config) -> ExitCode {
    let problems = check::files(config);
    say(&format!("{config:#?}"));
    if problems.is_empty() {
        say("This configuration is good.");
        return ExitCode::SUCCESS;
    }
    problems.iter().for_each(|problem| say(&format!("error: {problem}")));
    ExitCode::from(BAD_CONFIG)
}

fn say_restored(config: &Config, journals: &[PathBuf]) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("error: no thread could be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(restored(config, journals)) {
        Ok(Restored { done, journalled }) => {
            say(&format!(
                "The database is incarnation {} now. Of {journalled} devices in the journals, {} were held for good ones and {} were not known; \
                 all of them are refused again.",
                done.incarnation, done.ended, done.tombstones
            ));
            if done.skipped > 0 {
                say(&format!("{} are of organizations that this database does not know.", done.skipped));
            }
            say(
                "Who was revoked after the last line of the journals is not known: revoke them again. Start the control plane, then see `fleetctl audit posture`.",
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("error: {:#}", anyhow::Error::from(error)));
            ExitCode::FAILURE
        }
    }
}

fn bad_config(error: &dyn std::error::Error) -> ExitCode {
    say(&format!("error: {error}"));
    ExitCode::from(BAD_CONFIG)
}

/// Writes for a person. A standard error that is closed is no reason to stop.
fn say(text: &str) {
    let _closed = writeln!(std::io::stderr(), "{text}");
}

/// Lets the process have as many connections as the system allows: a box is a file, and the usual limit is 1,024.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // When it is refused the limit stays as it is, and the listener says so when it is reached.
    let _refused = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

fn serve(config: &Config) -> ExitCode {
    raise_file_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("error: threads could not be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        let _telemetry = match telemetry::start(config) {
            Ok(telemetry) => telemetry,
            Err(error) => return bad_config(&error),
        };
        match run(config).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(&format!("error: {error:#}"));
                ExitCode::FAILURE
            }
        }
    })
}

async fn run(config: &Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut server = tokio::select! {
        server = Server::start(config) => server?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    if let Some(password) = server.take_first_password() {
        say(&format!(
            "\nThe first admin is {}\nThe password, shown this once, is {password}\n",
            config.first_admin_email
        ));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    // A second signal does not wait.
    tokio::select! {
        () = server.stop() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
