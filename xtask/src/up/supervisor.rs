//! The supervisor: the process that starts a fleet, keeps it running and stops it.

use crate::up::fleet;
use crate::up::folder::StateFolder;
use crate::up::keep::keep;
use crate::up::leftovers;
use crate::up::parts::Part;
use crate::up::process::Identity;
use crate::up::report::{Phase, Reporter};
use crate::up::settings::Settings;
use anyhow::{Context as _, bail};
use kaliun_mail_sink::sink;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long the control plane may take to its first readiness: a new database is made and migrated meanwhile.
const READY_PATIENCE: Duration = Duration::from_secs(180);

/// How often the control plane may end before it was ever ready.
const ENDS_BEFORE_READY: u32 = 3;

/// How long the boxes may take to come online before the fleet is shown without those that did not.
const ONLINE_PATIENCE: Duration = Duration::from_secs(120);

/// How long the first reports may take before the fleet is shown without them: a box reports every 15 s.
const REPORT_PATIENCE: Duration = Duration::from_secs(10);

/// Who this supervisor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// The command in the terminal, which holds the other end of our standard input.
    Terminal,
    /// Nobody: it runs until `down`.
    Itself,
}

/// Runs a fleet until it is told to stop.
pub(crate) fn run(folder: &StateFolder, keeper: Keeper) -> anyhow::Result<()> {
    if keeper == Keeper::Itself {
        // A terminal that closes must not take the fleet with it.
        rustix::process::setsid().context("cannot leave the terminal")?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(supervise(folder, keeper))
}

async fn supervise(folder: &StateFolder, keeper: Keeper) -> anyhow::Result<()> {
    let _lock = take_lock(folder)?;
    let own = i32::try_from(std::process::id()).context("a process number fits")?;
    Identity::of(own).context("this process has no identity")?.record(&folder.pid_file("supervisor"))?;
    let reporter = Arc::new(Reporter::new(folder.clone()));
    let stop = stop_signal(keeper)?;
    reporter.phase(Phase::Starting, "looking for what an earlier run left");
    leftovers::end(folder).await?;
    let settings = Settings::read(folder)?.context("this state folder has no settings; run `up`")?;

    let mut parts = Parts { folder: folder.clone(), reporter: reporter.clone(), running: Vec::new() };
    let started = tokio::select! {
        started = start(&mut parts, &settings) => started,
        () = stop.cancelled() => Ok(()),
    };
    match &started {
        Ok(()) => {
            stop.cancelled().await;
            reporter.phase(Phase::Stopping, "stopping");
        }
        Err(error) => reporter.phase(Phase::Stopping, &format!("{error:#}")),
    }
    parts.stop().await;
    leftovers::end(folder).await?;
    match &started {
        Ok(()) => reporter.phase(Phase::Stopped, "stopped"),
        Err(error) => reporter.phase(Phase::Failed, &format!("{error:#}")),
    }
    let _ = std::fs::remove_file(folder.pid_file("supervisor"));
    started
}

/// Starts everything, in an order in which each part finds what it needs.
async fn start(parts: &mut Parts, settings: &Settings) -> anyhow::Result<()> {
    let (folder, reporter) = (parts.folder.clone(), parts.reporter.clone());
    parts.keep_mails(settings).await?;
    reporter.phase(Phase::Starting, "starting the control plane");
    let control_plane = Part::control_plane(&folder, settings);
    parts.keep(control_plane.clone());
    let ready = async {
        while reporter.restarts(control_plane.name) < ENDS_BEFORE_READY {
            if fleet::is_ready(settings).await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the control plane does not start; the end of its log:\n{}", control_plane.log_tail(15))
    };
    match tokio::time::timeout(READY_PATIENCE, ready).await {
        Ok(ready) => ready?,
        Err(_) => bail!("the control plane does not become ready; the end of its log:\n{}", control_plane.log_tail(15)),
    }
    fleet::join_token(&folder, settings).await?;
    parts.keep(Part::edge(&folder, settings));
    if settings.devices > 0 {
        parts.keep(Part::sim(&folder, settings));
    }
    reporter.phase(Phase::Starting, "waiting for the boxes");
    let online = fleet::wait_online(&folder, settings, ONLINE_PATIENCE, |online| {
        reporter.phase(Phase::Starting, &format!("{online} of {} boxes online", settings.devices + 1));
    });
    let online = online.await?;
    reporter.phase(Phase::Starting, "waiting for the first figures");
    fleet::wait_reported(&folder, settings, REPORT_PATIENCE).await?;
    reporter.phase(Phase::Ready, &format!("{online} of {} boxes online", settings.devices + 1));
    Ok(())
}

/// The parts that run, in the order in which they were started.
struct Parts {
    folder: StateFolder,
    reporter: Arc<Reporter>,
    running: Vec<(CancellationToken, JoinHandle<()>)>,
}

impl Parts {
    fn keep(&mut self, part: Part) {
        let stop = CancellationToken::new();
        let task = keep(part, self.folder.clone(), self.reporter.clone(), stop.clone());
        self.spawn(stop, task);
    }

    /// Takes the mails that the control plane sends, in this process.
    async fn keep_mails(&mut self, settings: &Settings) -> anyhow::Result<()> {
        let listener = TcpListener::bind(settings.mail).await;
        let listener = listener.with_context(|| format!("the mail sink cannot use {}", settings.mail))?;
        let mailbox = self.folder.mailbox();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = async move {
            tokio::select! {
                ended = sink::serve(listener, mailbox) => {
                    if let Err(error) = ended {
                        crate::talk::progress(&format!("the mail sink ended: {error}"));
                    }
                }
                () = stopped.cancelled() => {}
            }
        };
        self.spawn(stop, task);
        Ok(())
    }

    fn spawn(&mut self, stop: CancellationToken, task: impl Future<Output = ()> + Send + 'static) {
        #[expect(clippy::disallowed_methods, reason = "the one place that spawns; `stop` awaits every task")]
        let task = tokio::spawn(task);
        self.running.push((stop, task));
    }

    /// Stops the boxes first, so that the control plane sees them leave, then the control plane.
    async fn stop(self) {
        for (stop, task) in self.running.into_iter().rev() {
            stop.cancel();
            let _ = task.await;
        }
    }
}

/// Keeps a second supervisor away from the same fleet, for as long as the value lives.
fn take_lock(folder: &StateFolder) -> anyhow::Result<File> {
    let path = folder.path("run/lock");
    let file = File::options().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        bail!("this fleet is running already");
    }
    Ok(file)
}

/// Is cancelled by Ctrl-C, by a request to end, or when the command in the terminal is gone.
fn stop_signal(keeper: Keeper) -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for a request to end")?;
    let mut hang_up = signal(SignalKind::hangup()).context("cannot listen for the terminal's end")?;
    let by_signal = stop.clone();
    let listen = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
        by_signal.cancel();
    };
    #[expect(clippy::disallowed_methods, reason = "listens for as long as the process lives")]
    tokio::spawn(listen);
    if keeper == Keeper::Terminal {
        let by_terminal = stop.clone();
        // A thread, for a read of standard input cannot be given up; it ends with the process.
        std::thread::spawn(move || {
            let mut rest = [0; 64];
            while std::io::stdin().read(&mut rest).is_ok_and(|length| length > 0) {}
            by_terminal.cancel();
        });
    }
    Ok(stop)
}
