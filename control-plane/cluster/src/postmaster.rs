//! One running Postgres.

use crate::error::{ClusterError, IoContext};
use crate::home::Home;
use crate::log::ServerLog;
use crate::process::is_ready;
use crate::programs::Programs;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::Child;

/// How often a starting Postgres is asked whether it is ready.
const LOOK: Duration = Duration::from_millis(10);

/// A Postgres that we started. Dropping it asks it to shut down fast, without waiting.
#[derive(Debug)]
pub(crate) struct Postmaster {
    child: Child,
}

impl Postmaster {
    /// Starts Postgres and waits until it takes connections, which after a crash means until it has recovered. There is
    /// no time limit: a recovery that is cut short only begins again.
    pub(crate) async fn start(programs: &Programs, home: &Home, log: &ServerLog) -> Result<Self, ClusterError> {
        let log_start = log.position();
        let program = programs.path("postgres");
        let mut command = Command::new(&program);
        command.arg("-D").arg(home.data());
        for (setting, file) in
            [("config_file", "postgresql.conf"), ("hba_file", "pg_hba.conf"), ("ident_file", "pg_ident.conf")]
        {
            let mut argument = std::ffi::OsString::from(format!("{setting}="));
            argument.push(home.path.join(file));
            command.arg("-c").arg(argument);
        }
        let file = log.open()?;
        command.stdin(Stdio::null()).stdout(file.try_clone().doing("open", &home.path)?).stderr(file);
        // A group of its own: Ctrl-C in a terminal must not stop Postgres before the server has drained.
        command.process_group(0);
        home.account.prepare(&mut command);
        let child = tokio::process::Command::from(command).spawn().doing("run", &program)?;
        let mut postmaster = Self { child };
        let data = home.data();
        loop {
            if let Some(status) = postmaster.child.try_wait().doing("wait for", &program)? {
                return Err(ClusterError::NotStarted { status: status.to_string(), log: log.tail(log_start) });
            }
            if postmaster.child.id().is_some_and(|pid| is_ready(&data, pid)) {
                return Ok(postmaster);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Its process id, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Stops it: fast shutdown, then an immediate one after `patience`, then by force. Nothing committed is lost by any.
    pub(crate) async fn stop(mut self, patience: Duration) {
        for signal in [Signal::INT, Signal::QUIT, Signal::KILL] {
            self.signal(signal);
            if tokio::time::timeout(patience, self.child.wait()).await.is_ok() {
                return;
            }
            tracing::warn!(?signal, "Postgres has not stopped in time");
        }
    }

    fn signal(&self, signal: Signal) {
        // The number stays ours until the child was waited for, and then there is none.
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It fails when the process is gone already, which is what was wanted.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        self.signal(Signal::INT);
    }
}
