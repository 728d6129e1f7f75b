//! A box that is taken out of service.

use crate::boxed::{RunningBox, config};
use crate::double::{Answer, Double};
use crate::linking::{Session, welcome};
use crate::{pass, within};
use kaliun_edge::agent_state::{AgentState, EnrollmentState, LinkState};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use tonic::Status;

fn wiped(state: &AgentState) -> bool {
    matches!(state.enrollment, EnrollmentState::Decommissioned { is_wiped: true, .. })
}

/// What is in a box's folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Nothing that the box was known by, and nothing that it recorded.
fn assert_wiped(folder: &Path) {
    assert_eq!(files(folder), BTreeSet::from(["decommissioned.json".to_owned()]));
}

#[tokio::test]
async fn a_box_that_is_told_over_its_link_deletes_its_identity_and_stays_away() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let first = within(double.begun.recv()).await.unwrap();
    let session = Session::open(&mut double, welcome(1)).await;
    running.until("samples", |state| state.samples.pending >= 3).await;
    assert!(folder.path().join("identity-key.pem").exists() && folder.path().join("spool").exists());
    session.end(Status::permission_denied("peer.identity_wipe: Over.")).await;
    let state = running.until("wiped", wiped).await;
    let EnrollmentState::Decommissioned { name, .. } = &state.enrollment else { panic!("{state:?}") };
    assert!(!name.is_empty());
    assert_wiped(folder.path());
    assert!(double.attempts.try_recv().is_err() && double.begun.try_recv().is_err(), "it asks nobody");
    running.stop().await.unwrap();

    // Not even with a join token in its configuration does it come back by itself.
    let running = RunningBox::start(folder.path(), config(&double));
    let state = running.until("still out of service", wiped).await;
    assert!(matches!(state.link, LinkState::Stopped { .. }), "{state:?}");
    assert_wiped(folder.path());
    running.stop().await.unwrap();

    // Somebody in front of it lets it begin anew, as another box.
    let state_dir =
        kaliun_edge::state_dir::StateDir::open(folder.path(), kaliun_edge::state_dir::Durability::Disk).unwrap();
    kaliun_edge::decommission::Decommissioned::forget(&state_dir, &kaliun_edge::identity::FileKeyStore).unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let second = within(double.begun.recv()).await.unwrap();
    assert_ne!(first.public_key_info, second.public_key_info, "with another key");
    running.until("enrolled", AgentState::is_enrolled).await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_box_that_was_away_is_told_when_it_proves_its_key() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    within(double.begun.recv()).await.unwrap();
    let attempt = double.attempt().await;
    double.answer.send_replace(Answer::Refuse { reason: "peer.identity_wipe".to_owned(), retry_after_ms: None });
    attempt.refuse(Status::unauthenticated("peer.certificate_expired: Not you."));
    within(double.proved.recv()).await.unwrap();
    running.until("wiped", wiped).await;
    assert_wiped(folder.path());
    running.stop().await.unwrap();
}

/// A disk that takes nothing: the box says at once that it is out of service, makes room by what it is to delete anyway, and goes on.
#[tokio::test]
async fn a_box_with_a_full_disk_shows_the_order_and_makes_room_for_it() {
    for by_recovery in [false, true] {
        let mut double = Double::start().await;
        let folder = tempfile::tempdir().unwrap();
        let running = RunningBox::start(folder.path(), config(&double));
        let attempt = double.attempt().await;
        running.until("samples", |state| state.samples.pending >= 3).await;
        let (in_the_way, spool) = (folder.path().join("decommissioned.json.new"), folder.path().join("spool"));
        std::fs::create_dir(&in_the_way).unwrap();
        assert!(spool.exists());
        if by_recovery {
            double
                .answer
                .send_replace(Answer::Refuse { reason: "peer.identity_wipe".to_owned(), retry_after_ms: None });
            attempt.refuse(Status::unauthenticated("peer.certificate_expired: Not you."));
        } else {
            attempt.refuse(Status::permission_denied("peer.identity_wipe: Over."));
        }
        let is_told = |state: &AgentState| matches!(&state.link, LinkState::Stopped { reason, next_try_at_ms: None, .. } if reason == "peer.identity_wipe");
        let state = running.until("the order", is_told).await;
        assert!(state.is_enrolled(), "nothing else is deleted before the order is durable: {state:?}");
        within(async {
            while spool.exists() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert!(files(folder.path()).contains("identity-key.pem"));
        std::fs::remove_dir(&in_the_way).unwrap();
        pass(Duration::from_secs(11)).await;
        running.until("wiped", wiped).await;
        assert_wiped(folder.path());
        running.stop().await.unwrap();
    }
}

/// What was begun is ended, whenever the power went.
#[tokio::test]
async fn a_box_that_was_interrupted_goes_on_deleting() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let _session = Session::open(&mut double, welcome(1)).await;
    running.until("online", |state| state.online_epoch().is_some()).await;
    running.kill().await;
    std::fs::write(folder.path().join("decommissioned.json"), r#"{"name":"cellar","at_ms":5}"#).unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    running.until("wiped", wiped).await;
    assert_wiped(folder.path());
    running.stop().await.unwrap();
}

/// Before it knows its server, a box deletes nothing, whoever tells it to.
#[tokio::test]
async fn an_order_that_comes_with_an_enrolment_does_not_count() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    double.answer.send_replace(Answer::Refuse { reason: "peer.identity_wipe".to_owned(), retry_after_ms: None });
    let running = RunningBox::start(folder.path(), config(&double));
    within(double.begun.recv()).await.unwrap();
    running.until("refused", |state| matches!(state.enrollment, EnrollmentState::Failed { .. })).await;
    assert!(files(folder.path()).contains("identity-key.pem"));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_box_that_is_not_told_to_keeps_its_key_and_shows_that_it_is_out_of_service() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    within(double.begun.recv()).await.unwrap();
    double.attempt().await.refuse(Status::permission_denied("peer.device_decommissioned: Over."));
    let state = running
        .until("shown", |state| matches!(state.enrollment, EnrollmentState::Decommissioned { is_wiped: false, .. }))
        .await;
    assert!(!matches!(state.link, LinkState::Online { .. }), "{state:?}");
    running.until("stopped", |state| matches!(state.link, LinkState::Stopped { .. })).await;
    assert!(
        files(folder.path()).is_superset(&BTreeSet::from(["identity-key.pem".to_owned(), "device.json".to_owned()]))
    );
    running.stop().await.unwrap();
}
