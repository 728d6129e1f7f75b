//! A box whose own clock is far ahead: no server's certificate is valid for it.

use crate::boxed::{RunningBox, config};
use crate::double::Double;
use crate::linking::{Session, offline_for, welcome};
use crate::pass;
use kaliun_edge::agent_state::{AgentState, EnrollmentState, LinkState};
use std::time::Duration;

/// Behind the end of the double's certificates.
const AHEAD: Duration = Duration::from_secs(2_100 * 365 * 24 * 3_600);

fn check(message: &str) {
    let told = message.contains("This box's clock says") && message.contains(" 41") && message.contains("is not valid");
    assert!(told, "{message}");
}

#[tokio::test]
async fn a_box_whose_clock_is_ahead_says_what_its_clock_says() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = config(&double);
    config.clock.advance(AHEAD);
    let running = RunningBox::start(folder.path(), config.clone());
    let is_failed = |state: &AgentState| matches!(state.enrollment, EnrollmentState::Failed { .. });
    let state = running.until("a failure", is_failed).await;
    let EnrollmentState::Failed { reason, message, tries_again } = state.enrollment else { panic!("failed") };
    assert_eq!((reason.as_str(), tries_again), ("peer.server_certificate_not_valid_now", true));
    check(&message);

    // Set right, it enrols.
    config.clock.set_back(AHEAD);
    pass(Duration::from_secs(61)).await;
    let session = Session::open(&mut double, welcome(1)).await;
    running.until("online", |state| state.online_epoch() == Some(1)).await;

    // The same when it goes wrong later.
    config.clock.advance(AHEAD);
    drop(session);
    let reason = "peer.server_certificate_not_valid_now";
    let state = running.until("a wrong clock", offline_for(reason)).await;
    let LinkState::Offline { message, .. } = state.link else { panic!("offline") };
    check(&message);
    config.clock.set_back(AHEAD);
    let _session = Session::open(&mut double, welcome(2)).await;
    running.until("online", |state| state.online_epoch() == Some(2)).await;
    running.stop().await.unwrap();
}
