//! A server as a process of its own.

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Longest start: the control plane makes a whole Postgres cluster the first time, on a machine that may be busy.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// Longest stop: the control plane drains its sessions.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a program and waits until it listens.
    pub(crate) async fn start(
        name: &'static str,
        program: &Path,
        arguments: &[OsString],
        listens_on: SocketAddr,
        log: PathBuf,
    ) -> anyhow::Result<Self> {
        if TcpStream::connect(listens_on).await.is_ok() {
            bail!("{listens_on}, where {name} should listen, is taken");
        }
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut server = Self { name, child, log };
        server.listening(listens_on).await?;
        Ok(server)
    }

    async fn listening(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let began = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}:\n{}", self.name, self.log_tail());
            }
            if began.elapsed() > START_PATIENCE {
                bail!("{} does not listen on {address}:\n{}", self.name, self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().with_context(|| format!("{} has ended:\n{}", self.name, self.log_tail()))
    }

    /// The process's proportional share of memory now, in the kernel's kB of 1,024 bytes.
    pub(crate) fn pss_kb(&self) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/smaps_rollup", self.pid()?);
        let rollup = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        pss_of(&rollup).with_context(|| format!("{path} has no Pss"))
    }

    /// Processor time that the process has used, in seconds.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let path = format!("/proc/{}/stat", self.pid()?);
        let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        cpu_ticks(&stat).map(|ticks| ticks / TICKS_PER_SECOND).with_context(|| format!("{path} has another form"))
    }

    /// Asks it to stop and waits.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.pid()?)?).context("no process has this number")?;
        kill_process(pid, Signal::TERM).with_context(|| format!("cannot stop {}", self.name))?;
        tokio::time::timeout(STOP_PATIENCE, self.child.wait())
            .await
            .with_context(|| format!("{} does not stop", self.name))??;
        Ok(())
    }

    /// The last lines of its log.
    pub(crate) fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }
}

/// What Linux counts processor time in, for programs.
const TICKS_PER_SECOND: f64 = 100.0;

fn pss_of(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// User and system time. The program's name before them may hold anything but ends with the last bracket.
fn cpu_ticks(stat: &str) -> Option<f64> {
    let (_name, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let rollup = "55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:  2000 kB\nPss:        1234 kB\nPss_Dirty: 7 kB\n";
        assert_eq!(pss_of(rollup), Some(1234));
        assert_eq!(pss_of("Rss: 1 kB\n"), None);
        let stat = "12 (a) b) S 1 1 1 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 100 1000 10";
        assert_eq!(cpu_ticks(stat), Some(300.0));
    }
}
