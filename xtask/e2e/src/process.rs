//! A process of a test.

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a process may take to stop when asked.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// A program that can be killed and started again. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Running {
    /// Starts a program whose output goes to a log file.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(
        program: PathBuf,
        arguments: Vec<OsString>,
        environment: Vec<(OsString, OsString)>,
        log: PathBuf,
    ) -> anyhow::Result<Self> {
        let mut running = Self { program, arguments, environment, log, child: None };
        running.start_again()?;
        Ok(running)
    }

    /// Starts it again after it has ended.
    ///
    /// # Errors
    /// It runs, or cannot be started.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        ensure!(self.child.is_none(), "{} runs already", self.program.display());
        let log = OpenOptions::new().create(true).append(true).open(&self.log).context("cannot open a log")?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.environment.iter().cloned()).stdin(Stdio::null());
        command.stdout(log.try_clone().context("cannot open a log twice")?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Kills it with no chance to do anything, and waits until it is gone.
    ///
    /// # Errors
    /// It had ended by itself.
    pub fn kill_hard(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        let ended = child.try_wait().context("cannot look at the process")?;
        ensure!(ended.is_none(), "{} had ended by itself ({ended:?}):\n{}", self.program.display(), self.log_tail());
        child.kill().context("cannot kill the process")?;
        child.wait().context("cannot wait for the process")?;
        Ok(())
    }

    /// Asks it to stop, and waits until it has.
    ///
    /// # Errors
    /// It does not stop, or ends with a failure.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        signal(i32::try_from(child.id())?, Signal::TERM)?;
        let deadline = Instant::now() + STOP_PATIENCE;
        loop {
            if let Some(status) = child.try_wait().context("cannot look at the process")? {
                ensure!(status.success(), "{} ended with {status}:\n{}", self.program.display(), self.log_tail());
                return Ok(());
            }
            if Instant::now() >= deadline {
                let _ = child.kill();
                anyhow::bail!("{} does not stop:\n{}", self.program.display(), self.log_tail());
            }
            pause();
        }
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            // A test that failed already has its own words; these are for the others.
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{error:#}\n"));
        }
    }
}

/// Sends a signal to a process.
///
/// # Errors
/// There is no such process, or it is not ours.
pub fn signal(pid: i32, signal: Signal) -> anyhow::Result<()> {
    let pid = Pid::from_raw(pid).context("no process has this number")?;
    kill_process(pid, signal).context("cannot signal the process")
}

/// The last lines of a file.
#[must_use]
pub fn tail(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
}

fn pause() {
    #[expect(clippy::disallowed_methods, reason = "also used while a value is dropped, where nothing can be awaited")]
    std::thread::sleep(Duration::from_millis(20));
}
