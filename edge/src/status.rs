//! The status file: what the running agent last wrote, for `kaliun-edge status` and for whoever looks into the folder.

use crate::agent_state::AgentState;
use crate::clock::now_ms;
use crate::facts::AGENT_VERSION;
use crate::state_dir::StateDir;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Name of the file in the state folder.
pub const FILE: &str = "status.json";

/// Changes of enrolment and link are written at once, but not more often than this: a box that flaps must not wear its disk.
const WRITE_INTERVAL_MIN: Duration = Duration::from_secs(1);
/// Everything else, samples above all, is written this often.
const WRITE_INTERVAL: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct StatusFile<'a> {
    written_at_ms: i64,
    agent_version: &'static str,
    process_id: u32,
    #[serde(flatten)]
    state: &'a AgentState,
}

/// Writes the file for ever, rarely. The folder is best one that does not force to disk: the file only matters while the
/// machine runs.
pub async fn keep_written(state_dir: &StateDir, mut state: watch::Receiver<AgentState>) {
    loop {
        let written_at = Instant::now();
        let written = state.borrow_and_update().clone();
        write(state_dir, &written);
        loop {
            tokio::select! {
                changed = state.changed() => if changed.is_err() {
                    return;
                },
                () = tokio::time::sleep_until(written_at + WRITE_INTERVAL) => break,
            }
            let matters = {
                let now = state.borrow();
                now.enrollment != written.enrollment
                    || now.link != written.link
                    || now.last_sample.is_some() != written.last_sample.is_some()
            };
            if matters {
                tokio::time::sleep_until(written_at + WRITE_INTERVAL_MIN).await;
                break;
            }
        }
    }
}

/// Writes the file once.
pub fn write(state_dir: &StateDir, state: &AgentState) {
    let status =
        StatusFile { written_at_ms: now_ms(), agent_version: AGENT_VERSION, process_id: std::process::id(), state };
    let content = serde_json::to_vec_pretty(&status).unwrap_or_default();
    if let Err(error) = state_dir.write(FILE, &content) {
        tracing::warn!(error = %crate::link::transport::with_sources(&error), "the status file cannot be written");
    }
}

/// What the file says, for a person. `is_running` is asked of the folder's lock, for a killed agent leaves its file behind.
#[must_use]
pub fn describe(status: &Value, is_running: bool) -> String {
    let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let number = |pointer: &str| status.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    let age = |pointer: &str| ago(now_ms().saturating_sub(number(pointer)));
    let mut lines = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a text cannot fail.
        let _infallible = writeln!(lines, "{name:<12}{value}");
    };
    let running = if is_running { "running" } else { "not running; what follows is what it last wrote" };
    line("agent", format!("{} ({running})", text("/agent_version")));
    line(
        "enrolment",
        match text("/enrollment/state") {
            "enrolled" => format!("enrolled as {} ({})", text("/enrollment/name"), text("/enrollment/device_id")),
            "pending" if text("/enrollment/claim_code").is_empty() => "waits for an operator's approval".to_owned(),
            "pending" => {
                format!("waits to be claimed: {} at {}", text("/enrollment/claim_code"), text("/enrollment/claim_url"))
            }
            "decommissioned" => "taken out of service; enrol it anew with kaliun-edge enroll --new-key".to_owned(),
            "failed" => format!("failed: {} ({})", text("/enrollment/message"), text("/enrollment/reason")),
            _ => "asking".to_owned(),
        },
    );
    line(
        "link",
        match text("/link/state") {
            "online" => format!("online since {}, session {}", age("/link/since_ms"), number("/link/epoch")),
            "offline" => {
                format!("offline since {}: {} ({})", age("/link/since_ms"), text("/link/message"), text("/link/reason"))
            }
            "stopped" => {
                let looks_again = status.pointer("/link/next_try_at_ms").and_then(Value::as_i64);
                let looks_again = looks_again.map(|at_ms| format!("; looks again in {}", ahead(at_ms - now_ms())));
                let (message, reason) = (text("/link/message"), text("/link/reason"));
                format!("stopped: {message} ({reason}){}", looks_again.unwrap_or_default())
            }
            _ => "starting".to_owned(),
        },
    );
    if status.pointer("/last_sample/at_ms").is_some() {
        line("last sample", format!("{}, health {}", age("/last_sample/at_ms"), text("/last_sample/verdict")));
    }
    for class in ["samples", "events"] {
        let of = |field: &str| number(&format!("/{class}/{field}"));
        line(class, format!("{} waiting, {} stored, {} dropped", of("pending"), of("acknowledged"), of("dropped")));
    }
    line("written", age("/written_at_ms"));
    lines
}

fn ahead(milliseconds: i64) -> String {
    match milliseconds.max(0) / 1000 {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

fn ago(milliseconds: i64) -> String {
    match milliseconds.max(0) / 1000 {
        seconds @ 0..=119 => format!("{seconds} s ago"),
        seconds @ 120..=7199 => format!("{} min ago", seconds / 60),
        seconds => format!("{} h ago", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent_state::{EnrollmentState, LinkState};
    use crate::state_dir::Durability;

    #[test]
    fn the_file_can_be_described() {
        let folder = tempfile::tempdir().unwrap();
        let state_dir = StateDir::open(folder.path(), Durability::PageCache).unwrap();
        let state = AgentState {
            enrollment: EnrollmentState::Enrolled {
                device_id: "018f3c1e-7d2a-7c3b-9f10-2b6f0c9a5d11".to_owned(),
                name: "cellar".to_owned(),
                certificate_begins_at_ms: 4,
                certificate_expires_at_ms: 5,
            },
            link: LinkState::Offline {
                reason: "link.lost".to_owned(),
                message: "Connection refused".to_owned(),
                since_ms: now_ms() - 180_500,
                next_try_at_ms: 0,
            },
            ..AgentState::default()
        };
        write(&state_dir, &state);
        let value: Value = serde_json::from_slice(&state_dir.read(FILE).unwrap().unwrap()).unwrap();
        let text = describe(&value, false);
        assert!(text.contains("enrolled as cellar"), "{text}");
        assert!(text.contains("offline since 3 min ago: Connection refused (link.lost)"), "{text}");
        assert!(text.contains("not running"), "{text}");
        let stopped = |next_try_at_ms| {
            let (reason, message) = ("peer.device_revoked".to_owned(), "Gone.".to_owned());
            let link = LinkState::Stopped { reason, message, since_ms: 0, next_try_at_ms };
            write(&state_dir, &AgentState { link, ..state.clone() });
            describe(&serde_json::from_slice(&state_dir.read(FILE).unwrap().unwrap()).unwrap(), true)
        };
        let text = stopped(Some(now_ms() + 59 * 60_000 + 30_000));
        assert!(text.contains("stopped: Gone. (peer.device_revoked); looks again in 59 min\n"), "{text}");
        assert!(stopped(None).contains("stopped: Gone. (peer.device_revoked)\n"));
    }

    #[test]
    fn garbage_is_described_without_a_panic() {
        for value in [Value::Null, serde_json::json!({"link": 5, "written_at_ms": "x"})] {
            assert!(describe(&value, true).contains("starting"));
        }
    }
}
