use crate::boxed::{RunningBox, config};
use crate::double::Double;
use crate::linking::{Session, welcome};
use kaliun_edge::agent_state::{AgentState, EnrollmentState, LinkState};
use kaliun_edge::state_dir::{Durability, StateDir};
use kaliun_edge::trust::TrustChain;
use kaliun_proto::link::v1::device_message::Message as FromBox;
use kaliun_proto::link::v1::server_message::Message as ToBox;
use kaliun_proto::link::v1::{Certificate, RenewCertificate, TrustBundles};
use std::time::Duration;
use tonic::Status;

/// Lets a box ask for its next certificate.
pub(crate) async fn asked(session: &mut Session) -> Vec<u8> {
    session.say(ToBox::RenewCertificate(RenewCertificate {})).await;
    loop {
        if let FromBox::CertificateRequest(request) = session.next().await {
            return request.certificate_request;
        }
    }
}

pub(crate) async fn give(session: &Session, certificate_chain: Vec<Vec<u8>>) {
    session.say(ToBox::Certificate(Certificate { certificate_chain })).await;
}

#[tokio::test]
async fn the_next_certificate_counts_once_a_session_began_with_it() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let attempt = double.attempt().await;
    let first = attempt.shown.to_vec();
    let mut session = Session::hear(attempt).await;
    session.say(ToBox::Welcome(welcome(1))).await;

    // A certificate for another key is none for this box, and the session goes on.
    let request = asked(&mut session).await;
    give(&session, double.issue_to_another()).await;
    session.next_samples().await;
    let next = double.issue(request);
    give(&session, next.clone()).await;

    // The box comes back by itself with the new one. Killed before the welcome, it tries the new one once more.
    let attempt = double.attempt().await;
    assert_eq!(attempt.shown.to_vec(), next[0]);
    running.kill().await;
    let running = RunningBox::start(folder.path(), config(&double));
    let attempt = double.attempt().await;
    assert_eq!(attempt.shown.to_vec(), next[0]);
    let mut session = Session::hear(attempt).await;
    session.say(ToBox::Welcome(welcome(2))).await;
    session.next_samples().await;
    running.kill().await;

    // Now it is the only one: refused, the box does not fall back, it proves its key.
    let running = RunningBox::start(folder.path(), config(&double));
    let attempt = double.attempt().await;
    assert_eq!(attempt.shown.to_vec(), next[0]);
    attempt.refuse(Status::unauthenticated("peer.unknown_issuer: Not one of ours."));
    crate::within(double.proved.recv()).await.unwrap();
    let recovered = double.attempt().await.shown.to_vec();
    assert!(recovered != first && recovered != next[0], "it shows what it was given for its proof");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_box_whose_next_certificate_is_refused_comes_back_with_the_old_one() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let attempt = double.attempt().await;
    double.begun.recv().await.unwrap();
    let first = attempt.shown.to_vec();
    let mut session = Session::hear(attempt).await;
    session.say(ToBox::Welcome(welcome(1))).await;
    let request = asked(&mut session).await;
    let next = double.issue(request);
    give(&session, next.clone()).await;

    let attempt = double.attempt().await;
    assert_eq!(attempt.shown.to_vec(), next[0]);
    attempt.refuse(Status::unauthenticated("peer.unknown_issuer: Not one of ours."));
    let attempt = double.attempt().await;
    assert_eq!(attempt.shown.to_vec(), first);
    let mut session = Session::hear(attempt).await;
    session.say(ToBox::Welcome(welcome(2))).await;
    session.next_samples().await;
    assert!(double.begun.try_recv().is_err(), "it did not enrol again");
    running.stop().await.unwrap();
}

/// The beginning of its certificate may be nonsense that a rotation has taken back since: a box with a dead clock must not go by it again.
#[tokio::test]
async fn a_certificate_from_the_future_is_not_taken_for_the_time_at_a_start() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = config(&double);
    config.clock.set_back(Duration::from_secs(20 * 365 * 24 * 3_600));
    let running = RunningBox::start(folder.path(), config.clone());
    let mut session = Session::open(&mut double, welcome(1)).await;
    let request = asked(&mut session).await;
    running.stop().await.unwrap();
    let path = folder.path().join("device.json");
    let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let chain = double.issue_from_the_future(request);
    record["certificate_chain"] = chain.iter().map(|der| data_encoding::BASE64.encode(der)).collect();
    std::fs::write(&path, record.to_string()).unwrap();
    let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
    let before_ms = TrustChain::load(&state).unwrap().earliest_ms();

    let running = RunningBox::start(folder.path(), config);
    let in_2090 = |state: &AgentState| matches!(state.enrollment, EnrollmentState::Enrolled { certificate_begins_at_ms, .. } if certificate_begins_at_ms > 3_700_000_000_000);
    running.until("its certificate", in_2090).await;
    running.until("a try", |state| matches!(state.link, LinkState::Offline { .. })).await;
    running.stop().await.unwrap();
    assert_eq!(TrustChain::load(&state).unwrap().earliest_ms(), before_ms);
}

#[tokio::test]
async fn newer_trust_is_taken_over_the_link_and_kept() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let mut session = Session::open(&mut double, welcome(1)).await;
    assert_eq!(session.hello.trust_bundle_version, 1);
    let foreign = Double::start().await.second_bundle();
    for (bundles, expected) in
        [(vec![foreign], 1), (vec![double.second_bundle()], 2), (vec![double.second_bundle()], 2), (vec![], 2)]
    {
        session.say(ToBox::TrustBundles(TrustBundles { bundles })).await;
        let held = loop {
            if let FromBox::TrustHeld(held) = session.next().await {
                break held;
            }
        };
        assert_eq!(held.version, expected);
    }
    running.kill().await;
    let running = RunningBox::start(folder.path(), config(&double));
    let session = Session::open(&mut double, welcome(2)).await;
    assert_eq!(session.hello.trust_bundle_version, 2);
    running.stop().await.unwrap();
}
