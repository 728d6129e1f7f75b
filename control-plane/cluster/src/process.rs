//! Other processes, found and signalled without ever meeting the wrong one.

use crate::error::{ClusterError, IoContext};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// How often a process that should end is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// One running Postgres process that works in a certain data folder.
#[derive(Debug)]
pub(crate) struct Running {
    pid: Pid,
    // Refers to this very process even if its number is given to another one. None on kernels that lack it.
    handle: Option<OwnedFd>,
    data: PathBuf,
}

impl Running {
    /// Looks whether process `pid` is a Postgres working in `data`.
    pub(crate) fn find(pid: i32, data: &Path) -> Option<Self> {
        let pid = Pid::from_raw(pid)?;
        // The handle comes first: what is checked after it is checked of the process the handle means.
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => Some(handle),
            Err(Errno::SRCH) => return None,
            Err(_) => None,
        };
        let running = Self { pid, handle, data: data.to_owned() };
        running.is_alive().then_some(running)
    }

    /// Every Postgres process, postmaster or not, that works in `data`.
    pub(crate) fn all(data: &Path) -> Vec<Self> {
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(|pid| Self::find(pid, data)).collect()
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Whether it still runs. Every Postgres process changes into its data folder, so the working folder identifies it.
    pub(crate) fn is_alive(&self) -> bool {
        let folder = PathBuf::from(format!("/proc/{}", self.pid()));
        let works_here = std::fs::read_link(folder.join("cwd")).is_ok_and(|cwd| cwd == self.data);
        let program = std::fs::read_link(folder.join("exe")).ok();
        // After an upgrade of the package the link reads "postgres (deleted)".
        let name = program.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
        works_here && name.is_some_and(|name| name == "postgres" || name.starts_with("postgres "))
    }

    /// Sends a signal. A process that is gone is no error.
    pub(crate) fn signal(&self, signal: Signal) {
        let sent = match &self.handle {
            Some(handle) => pidfd_send_signal(handle, signal),
            None => kill_process(self.pid, signal),
        };
        if let Err(error) = sent
            && error != Errno::SRCH
        {
            tracing::warn!(pid = self.pid(), %error, "a Postgres process could not be signalled");
        }
    }

    /// Waits until it is gone; false when `patience` ran out first.
    pub(crate) async fn gone(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.is_alive() {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    }
}

/// Ends every process of a cluster whose server is gone: a postmaster that outlived it by a fast shutdown, and backends
/// that outlived their postmaster. Committed data is safe in each case: Postgres recovers at its next start.
pub(crate) async fn end_leftovers(data: &Path, patience: Duration) -> Result<(), ClusterError> {
    let Ok(data) = data.canonicalize() else { return Ok(()) };
    if let Some(postmaster) = read_postmaster_pid(&data).and_then(|pid| Running::find(pid, &data)) {
        tracing::info!(pid = postmaster.pid(), "ending the Postgres of an earlier server");
        postmaster.signal(Signal::INT);
        if !postmaster.gone(patience).await {
            postmaster.signal(Signal::QUIT);
            if !postmaster.gone(patience).await {
                return Err(ClusterError::OrphanStays { pid: postmaster.pid() });
            }
        }
    }
    let backends = Running::all(&data);
    for backend in &backends {
        backend.signal(Signal::QUIT);
    }
    for backend in &backends {
        if !backend.gone(patience).await {
            return Err(ClusterError::OrphanStays { pid: backend.pid() });
        }
    }
    remove_misleading_pid_file(&data)
}

/// Removes Postgres' pid file when the number in it now belongs to some other program, which would keep Postgres from
/// starting for as long as that program runs. In every other case Postgres judges the file itself.
///
/// The caller holds the cluster's lock and has ended every Postgres that worked here; and Postgres still refuses to
/// start while anything is attached to the memory of this data folder.
fn remove_misleading_pid_file(data: &Path) -> Result<(), ClusterError> {
    let Some(pid) = read_postmaster_pid(data) else { return Ok(()) };
    let program = std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    let name = program.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
    if name.is_none_or(|name| name.starts_with("postgres")) {
        return Ok(());
    }
    tracing::info!(pid, "removing the pid file of a Postgres whose number another program has now");
    let path = data.join("postmaster.pid");
    std::fs::remove_file(&path).doing("remove", &path)
}

/// Reads the process id from Postgres' own pid file.
pub(crate) fn read_postmaster_pid(data: &Path) -> Option<i32> {
    read_pid_file(data)?.lines().next()?.trim().parse().ok()
}

/// Whether Postgres' own pid file says that process `pid` takes connections.
pub(crate) fn is_ready(data: &Path, pid: u32) -> bool {
    let Some(text) = read_pid_file(data) else { return false };
    let mut lines = text.lines();
    // Line 1 is the process, line 8 its state; the state is padded with blanks.
    lines.next().and_then(|line| line.trim().parse().ok()) == Some(pid)
        && lines.nth(6).is_some_and(|state| state.trim() == "ready")
}

fn read_pid_file(data: &Path) -> Option<String> {
    std::fs::read_to_string(data.join("postmaster.pid")).ok()
}
