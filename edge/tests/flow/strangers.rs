//! What anybody may say who is between a box and its server: trust bundles are asked for before anybody is verified.

use crate::boxed::{RunningBox, config};
use crate::double::{Double, Stranger};
use crate::{pass, within};
use kaliun_edge::agent::AgentConfig;
use kaliun_edge::agent_state::{AgentState, EnrollmentState, LinkState};
use std::time::Duration;
use tonic::{Code, Status};

/// The longest that a box waits before it asks again.
const ASKS_AGAIN: Duration = Duration::from_secs(61);

/// What a stranger would like to be obeyed.
fn words() -> Vec<Status> {
    let text = "Call 0900 to get your box back.";
    let mut come_tomorrow = Status::new(Code::Unavailable, format!("enrollment.busy: {text}"));
    come_tomorrow.metadata_mut().insert("retry-after-ms", "86400000".parse().unwrap());
    vec![
        come_tomorrow,
        Status::permission_denied(format!("enrollment.denied: {text}")),
        Status::permission_denied(format!("enrollment.token_revoked: {text}")),
        Status::permission_denied(format!("peer.identity_wipe: {text}")),
        Status::unauthenticated(text),
    ]
}

fn check(reason: &str, message: &str, status: &Status) {
    assert_eq!(reason, "peer.server_untrusted", "{status:?}");
    assert!(message.contains("gives no trust bundles") && !message.contains("0900"), "{status:?}: {message}");
}

#[tokio::test]
async fn a_box_that_is_not_enrolled_obeys_no_stranger() {
    for status in words() {
        let mut double = Double::start().await;
        double.stranger.send_replace(Some(Stranger::Refuses(status.clone())));
        let folder = tempfile::tempdir().unwrap();
        let running = RunningBox::start(folder.path(), config(&double));
        let is_failed = |state: &AgentState| matches!(state.enrollment, EnrollmentState::Failed { .. });
        let state = running.until("a failure", is_failed).await;
        let EnrollmentState::Failed { reason, message, tries_again } = state.enrollment else { panic!("failed") };
        check(&reason, &message, &status);
        assert!(tries_again, "{status:?}");
        double.stranger.send_replace(None);
        pass(ASKS_AGAIN).await;
        running.until("enrolled", AgentState::is_enrolled).await;
        within(double.begun.recv()).await.unwrap();
        assert!(double.proved.try_recv().is_err(), "{status:?}: it had no reason to recover");
        running.stop().await.unwrap();
    }
}

/// The folder of a box that was enrolled and has lost its trust bundles.
async fn without_bundles(double: &mut Double) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(double));
    double.attempt().await;
    running.stop().await.unwrap();
    std::fs::remove_file(folder.path().join("trust-bundles.pb")).unwrap();
    folder
}

#[tokio::test]
async fn a_box_that_lost_its_bundles_obeys_no_stranger_and_says_why_it_waits() {
    for status in words() {
        let mut double = Double::start().await;
        let folder = without_bundles(&mut double).await;
        double.stranger.send_replace(Some(Stranger::Refuses(status.clone())));
        let running = RunningBox::start(folder.path(), config(&double));
        let state = running.until("offline", |state| matches!(state.link, LinkState::Offline { .. })).await;
        let LinkState::Offline { reason, message, since_ms, next_try_at_ms } = state.link else { panic!("offline") };
        check(&reason, &message, &status);
        assert!((30_000..=60_000).contains(&(next_try_at_ms - since_ms)), "{status:?}: {since_ms} {next_try_at_ms}");
        double.stranger.send_replace(None);
        pass(ASKS_AGAIN).await;
        double.attempt().await;
        running.stop().await.unwrap();
        assert!(folder.path().join("identity-key.pem").exists() && double.proved.try_recv().is_err());
    }
}

/// False bundles cost a box the ordinary wait, not an hour; whoever only enrols is told at once.
#[tokio::test]
async fn false_bundles_stop_nobody() {
    let other = Double::start().await;
    for only_enroll in [false, true] {
        let double = Double::start().await;
        double.stranger.send_replace(Some(Stranger::Tells(other.bundles())));
        let folder = tempfile::tempdir().unwrap();
        let running = RunningBox::start(folder.path(), AgentConfig { only_enroll, ..config(&double) });
        let is_failed = |state: &AgentState| matches!(state.enrollment, EnrollmentState::Failed { .. });
        let state = running.until("a failure", is_failed).await;
        let EnrollmentState::Failed { reason, tries_again, .. } = state.enrollment else { panic!("failed") };
        assert_eq!((reason.as_str(), tries_again), ("peer.server_untrusted", !only_enroll));
        if only_enroll {
            running.ended().await.unwrap();
            continue;
        }
        double.stranger.send_replace(None);
        pass(ASKS_AGAIN).await;
        running.until("enrolled", AgentState::is_enrolled).await;
        running.stop().await.unwrap();
    }
}

/// The same of a box that has its certificate, and lost its bundles.
#[tokio::test]
async fn false_bundles_do_not_stop_a_box_that_lost_its_own() {
    let other = Double::start().await;
    let mut double = Double::start().await;
    let folder = without_bundles(&mut double).await;
    double.stranger.send_replace(Some(Stranger::Tells(other.bundles())));
    let only_enroll = AgentConfig { only_enroll: true, ..config(&double) };
    let running = RunningBox::start(folder.path(), only_enroll);
    let state = running.state.clone();
    running.ended().await.unwrap();
    let last = state.borrow().enrollment.clone();
    let EnrollmentState::Failed { reason, tries_again: false, .. } = last else { panic!("{last:?}") };
    assert_eq!(reason, "peer.server_untrusted");

    let running = RunningBox::start(folder.path(), config(&double));
    let state = running.until("offline", |state| matches!(state.link, LinkState::Offline { .. })).await;
    let LinkState::Offline { reason, message, .. } = state.link else { panic!("offline") };
    assert_eq!(reason, "peer.server_untrusted");
    assert!(message.contains("not the one whose hash"), "{message}");
    double.stranger.send_replace(None);
    pass(ASKS_AGAIN).await;
    double.attempt().await;
    running.stop().await.unwrap();
}
