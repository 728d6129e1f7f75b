//! Processes of ours that may have outlived who started them.

use anyhow::{Context as _, bail};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// How often a process that should end is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What tells one process from every other: its number, when it started, and since which boot that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    /// Clock ticks after the machine started.
    started: u64,
    boot: String,
}

impl Identity {
    /// The identity of a process that runs.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything; what follows the last one is fields 3 and on, the start is 22.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        // A zombie has ended; only its parent has not looked yet.
        if fields.next()? == "Z" {
            return None;
        }
        let started = fields.nth(18)?.parse().ok()?;
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        Some(Self { pid, started, boot })
    }

    /// Writes it down.
    pub(crate) fn record(&self, path: &Path) -> anyhow::Result<()> {
        crate::up::folder::write_private(path, &format!("{}\n", serde_json::to_string(self)?))
    }
}

/// A running process that is certainly the one that was written down.
#[derive(Debug)]
pub(crate) struct Ours {
    identity: Identity,
    // Means this very process even if its number is given to another. None on kernels that lack it.
    handle: Option<OwnedFd>,
}

impl Ours {
    /// The process that a file names, if it still runs.
    pub(crate) fn recorded(path: &Path) -> Option<Self> {
        let identity: Identity = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        Self::find(&identity)
    }

    /// The private Postgres in a data folder, if it runs: it works in that folder and its program is `postgres`.
    pub(crate) fn postgres(data: &Path) -> Option<Self> {
        let data = data.canonicalize().ok()?;
        let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let identity = Identity::of(text.lines().next()?.trim().parse().ok()?)?;
        let ours = Self::find(&identity)?;
        let process = PathBuf::from(format!("/proc/{}", identity.pid));
        let works_there = std::fs::read_link(process.join("cwd")).is_ok_and(|folder| folder == data);
        let program = std::fs::read_link(process.join("exe")).ok()?;
        (works_there && program.file_name()?.to_str()?.starts_with("postgres")).then_some(ours)
    }

    fn find(identity: &Identity) -> Option<Self> {
        let pid = Pid::from_raw(identity.pid)?;
        // The handle comes first: what is checked after it is checked of the process the handle means.
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok();
        let ours = Self { identity: identity.clone(), handle };
        ours.is_alive().then_some(ours)
    }

    pub(crate) fn pid(&self) -> i32 {
        self.identity.pid
    }

    pub(crate) fn is_alive(&self) -> bool {
        Identity::of(self.identity.pid).as_ref() == Some(&self.identity)
    }

    /// Sends a signal. A process that is gone is no error.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let sent = match (&self.handle, Pid::from_raw(self.identity.pid)) {
            (Some(handle), _) => pidfd_send_signal(handle, signal),
            (None, Some(pid)) if self.is_alive() => kill_process(pid, signal),
            (None, _) => Ok(()),
        };
        match sent {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot signal process {}", self.identity.pid)),
        }
    }

    /// Ends it: asks with the first signal, and after `patience` insists with the second.
    pub(crate) async fn end(&self, ask: Signal, insist: Signal, patience: Duration) -> anyhow::Result<()> {
        for signal in [ask, insist] {
            self.signal(signal)?;
            let deadline = Instant::now() + patience;
            while Instant::now() < deadline {
                if !self.is_alive() {
                    return Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        bail!("process {} does not end", self.identity.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_given_to_another_process_is_not_ours() {
        let own = i32::try_from(std::process::id()).unwrap();
        let identity = Identity::of(own).unwrap();
        assert!(Ours::find(&identity).is_some());
        let other = Identity { started: identity.started + 1, ..identity.clone() };
        assert!(Ours::find(&other).is_none());
        let other = Identity { boot: "another".to_owned(), ..identity };
        assert!(Ours::find(&other).is_none());
    }

    #[tokio::test]
    async fn a_recorded_process_is_found_and_ended() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let file = std::env::temp_dir().join(format!("kaliun-xtask-{}.pid", std::process::id()));
        Identity::of(pid).unwrap().record(&file).unwrap();
        let ours = Ours::recorded(&file).unwrap();
        ours.end(Signal::TERM, Signal::KILL, Duration::from_secs(30)).await.unwrap();
        assert!(Ours::recorded(&file).is_none());
        child.wait().unwrap();
        std::fs::remove_file(file).unwrap();
    }
}
