//! What `up` shows while a fleet starts and once it runs.

use crate::talk::{duration, progress, say};
use crate::up::fleet;
use crate::up::folder::StateFolder;
use crate::up::report::{Phase, Report};
use crate::up::secrets::{ADMIN_EMAIL, Secrets, quote};
use crate::up::settings::Settings;
use crate::up::{authority, parts};
use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};

/// How often the supervisor's report is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Starts the supervisor and shows what it does: until the fleet runs when detached, else until it has stopped.
pub(crate) async fn start_and_watch(
    folder: &StateFolder,
    settings: &Settings,
    detach: bool,
    begun_at: Instant,
) -> anyhow::Result<ExitCode> {
    let _ = std::fs::remove_file(folder.path("run/report.json"));
    let mut signals = Signals::listen()?;
    let mut supervisor = spawn(folder, detach)?;
    // Held until the end: waiting for the child would close it, and the supervisor would take that for our end.
    let _pipe = supervisor.stdin.take();
    let mut shown = Shown::default();
    loop {
        tokio::select! {
            ended = supervisor.wait() => return finish(folder, ended.context("cannot wait for the supervisor")?),
            () = signals.next() => ask_to_stop(&supervisor),
            () = tokio::time::sleep(LOOK) => {}
        }
        let Some(report) = Report::read(folder) else { continue };
        if shown.changes(&report) == Some(Phase::Ready) {
            show_fleet(folder, settings, &format!("is up after {}", duration(begun_at.elapsed())))?;
            if detach {
                return Ok(ExitCode::SUCCESS);
            }
            say("\n  Ctrl-C stops everything; the next `cargo xtask up` resumes this fleet.");
        }
    }
}

fn spawn(folder: &StateFolder, detach: bool) -> anyhow::Result<Child> {
    // This very program, even if a build has replaced its file meanwhile.
    let program = "/proc/self/exe";
    let path = folder.log("supervisor");
    let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut command = Command::new(program);
    command.args(["up", "supervise", "--state-dir"]).arg(folder.root());
    // The pipe tells the supervisor when this process is gone, however it went.
    let stdin = if detach { Stdio::null() } else { Stdio::piped() };
    if !detach {
        command.arg("--attached");
    }
    if !detach {
        // A group of its own for all parts: Ctrl-C reaches this process alone, which then asks the supervisor to stop them in
        // order. A detached supervisor leaves the terminal by itself, which a group's leader cannot.
        command.process_group(0);
    }
    command.stdin(stdin).stdout(log.try_clone().context("cannot open a log twice")?).stderr(log);
    command.spawn().context("cannot start the supervisor")
}

fn finish(folder: &StateFolder, ended: ExitStatus) -> anyhow::Result<ExitCode> {
    match Report::read(folder) {
        Some(report) if report.phase == Phase::Stopped => {
            progress("stopped");
            Ok(ExitCode::SUCCESS)
        }
        Some(report) if report.phase == Phase::Failed => bail!("{}", report.says),
        _ => {
            let log = std::fs::read_to_string(folder.log("supervisor")).unwrap_or_default();
            bail!("the supervisor ended ({ended}); what it started is ended by the next `up` or `down`\n{}", log.trim())
        }
    }
}

fn ask_to_stop(supervisor: &Child) {
    progress("stopping");
    let pid = supervisor.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It fails when the supervisor has ended already.
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// What was shown of a report already.
#[derive(Debug, Default)]
struct Shown {
    says: String,
    phase: Option<Phase>,
    restarts: Vec<(String, u32)>,
}

impl Shown {
    /// Shows what changed, and returns the phase when it is a new one.
    fn changes(&mut self, report: &Report) -> Option<Phase> {
        if report.says != self.says && report.phase != Phase::Ready {
            progress(&report.says);
        }
        self.says.clone_from(&report.says);
        for (name, part) in &report.parts {
            let known = self.restarts.iter().find(|(known, _)| known == name).map_or(0, |(_, restarts)| *restarts);
            if part.restarts > known {
                let end = part.last_end.as_deref().unwrap_or("no reason known");
                progress(&format!("{name} ended ({end}) and is started again"));
            }
        }
        self.restarts = report.parts.iter().map(|(name, part)| (name.clone(), part.restarts)).collect();
        let is_new = self.phase.replace(report.phase) != Some(report.phase);
        is_new.then_some(report.phase)
    }
}

/// Shows where a running fleet is and how to get in.
pub(crate) fn show_fleet(folder: &StateFolder, settings: &Settings, how: &str) -> anyhow::Result<()> {
    let secrets = Secrets::read_or_make(folder)?;
    let boxes = Report::read(folder).map(|report| report.says).unwrap_or_default();
    let env = quote(&folder.path("env").display().to_string());
    let bin = quote(&folder.path("bin").display().to_string());
    say(&format!(
        "
  The fleet {how}: {boxes}.

  Dashboard   {}
  Sign in     {ADMIN_EMAIL}
  Password    {}

  fleetctl    export PATH={bin}:\"$PATH\"; set -a; . {env}; set +a
              fleetctl get devices
  Mails       cargo xtask mails    (nothing leaves this machine; they are in {})
  Logs        {}",
        settings.public_url(),
        secrets.admin_password,
        folder.mailbox().folder().display(),
        folder.path("logs").display(),
    ));
    if settings.has_tls() {
        say(&format!("\n  {}", authority::explanation(folder)));
    }
    Ok(())
}

/// Shows how a running fleet is doing.
pub(crate) async fn show_status(folder: &StateFolder, settings: &Settings) -> anyhow::Result<()> {
    let report = Report::read(folder).context("the supervisor has written no report yet")?;
    let boxes = match fleet::count_online(folder, settings).await {
        Ok(online) => format!("{online} of {} boxes online", settings.devices + 1),
        Err(error) => format!("{error:#}"),
    };
    say(&format!("{:?}: {boxes}", report.phase));
    say(&format!("dashboard  {}", settings.public_url()));
    say(&format!("mails      {}", folder.mailbox().folder().display()));
    say(&format!("state      {}", folder.root().display()));
    for name in parts::NAMES.iter().rev() {
        let Some(part) = report.parts.get(*name) else { continue };
        let pid = part.pid.map_or_else(|| "not running".to_owned(), |pid| format!("process {pid}"));
        let end = part.last_end.as_ref().map(|end| format!(", last ended by {end}")).unwrap_or_default();
        say(&format!("{name:<14} {pid}, started again {} times{end}", part.restarts));
    }
    Ok(())
}

/// The signals that ask this program to end.
struct Signals {
    interrupt: SignalStream,
    terminate: SignalStream,
    hang_up: SignalStream,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
