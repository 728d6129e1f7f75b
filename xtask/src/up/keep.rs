//! Keeps one part running.

use crate::up::folder::StateFolder;
use crate::up::parts::Part;
use crate::up::process::Identity;
use crate::up::report::Reporter;
use rustix::process::{Pid, Signal, kill_process};
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// The wait before a part is started again; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Longest wait before a part is started again.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// A part that ran this long had started well, and the next wait is short again.
const SETTLED: Duration = Duration::from_secs(30);

/// How long a part may take to stop before it is killed: the control plane drains its sessions and stops Postgres.
const STOP_PATIENCE: Duration = Duration::from_secs(45);

/// How often the size of the log is looked at.
const LOG_LOOK: Duration = Duration::from_secs(30);

/// Runs a part until it is told to stop, starting it again whenever it ends by itself.
pub(crate) async fn keep(part: Part, folder: StateFolder, reporter: Arc<Reporter>, stop: CancellationToken) {
    let mut wait = FIRST_WAIT;
    while !stop.is_cancelled() {
        let started_at = Instant::now();
        let end = match start(&part, &folder) {
            Ok((mut child, pid)) => {
                reporter.part(part.name, |report| report.pid = Some(pid));
                let end = watch(&part, &mut child, &stop).await;
                let _ = std::fs::remove_file(folder.pid_file(part.name));
                end
            }
            Err(error) => Some(format!("it cannot be started: {error:#}")),
        };
        let Some(end) = end else { break };
        reporter.part(part.name, |report| {
            report.pid = None;
            report.restarts += 1;
            report.last_end = Some(end);
        });
        if started_at.elapsed() >= SETTLED {
            wait = FIRST_WAIT;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
        }
    }
    reporter.part(part.name, |report| report.pid = None);
}

fn start(part: &Part, folder: &StateFolder) -> anyhow::Result<(Child, i32)> {
    let child = Command::from(part.command()?).spawn()?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
    if let Some(identity) = Identity::of(pid) {
        identity.record(&folder.pid_file(part.name))?;
    }
    Ok((child, pid))
}

/// Waits until a part ends by itself, and says how; none when it was stopped because it was asked for.
async fn watch(part: &Part, child: &mut Child, stop: &CancellationToken) -> Option<String> {
    let mut log_look = tokio::time::interval(LOG_LOOK);
    log_look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            ended = child.wait() => {
                return Some(ended.map_or_else(|error| error.to_string(), |status| status.to_string()));
            }
            () = stop.cancelled() => {
                finish(child).await;
                return None;
            }
            _ = log_look.tick() => {
                if let Err(error) = part.bound_log() {
                    crate::talk::progress(&format!("the log of {} could not be cut: {error}", part.name));
                }
            }
        }
    }
}

async fn finish(child: &mut Child) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // The number stays ours until the child was waited for. It fails when the process is gone, which is what is wanted.
        let _ = kill_process(pid, Signal::TERM);
    }
    if tokio::time::timeout(STOP_PATIENCE, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::up::process::Ours;
    use crate::up::report::Report;

    /// Longest wait for a state, on a machine that is busy compiling.
    const PATIENCE: Duration = Duration::from_secs(30);

    async fn wait_for(folder: &StateFolder, wanted: impl Fn(&Report) -> bool) -> Report {
        let state = async {
            loop {
                if let Some(report) = Report::read(folder).filter(&wanted) {
                    return report;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, state).await.expect("the state is reached")
    }

    #[tokio::test]
    async fn a_killed_part_is_started_again_and_stopped_when_asked() {
        let root = std::env::temp_dir().join(format!("kaliun-keep-{}", std::process::id()));
        let folder = StateFolder::choose(Some(&root)).unwrap();
        folder.make().unwrap();
        let reporter = Arc::new(Reporter::new(folder.clone()));
        let part = Part::for_test(&folder, "sleeper", "/bin/sh", &["-c", "echo here; exec sleep 600"]);
        let stop = CancellationToken::new();
        let kept = keep(part.clone(), folder.clone(), reporter.clone(), stop.clone());
        let watched = async {
            let pid = |report: &Report| report.parts.get("sleeper").and_then(|part| part.pid);
            let first = pid(&wait_for(&folder, |report| pid(report).is_some()).await).unwrap();
            let recorded = Ours::recorded(&folder.pid_file("sleeper")).unwrap();
            assert_eq!(recorded.pid(), first);
            let spoken = async {
                while !part.log_tail(5).contains("here") {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(PATIENCE, spoken).await.expect("its words are in the log");
            recorded.signal(Signal::KILL).unwrap();
            let back = wait_for(&folder, |report| pid(report).is_some_and(|pid| pid != first)).await;
            let report = back.parts.get("sleeper").unwrap();
            assert_eq!(report.restarts, 1);
            assert!(report.last_end.as_ref().unwrap().contains("signal: 9"), "{report:?}");
            stop.cancel();
        };
        tokio::join!(kept, watched);
        assert!(!folder.pid_file("sleeper").exists());
        std::fs::remove_dir_all(root).unwrap();
    }
}
