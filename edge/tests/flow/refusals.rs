use crate::boxed::{RunningBox, config};
use crate::double::{Answer, Double, Stranger};
use crate::linking::{Session, offline_for, welcome};
use crate::{pass, within};
use kaliun_edge::agent::{AgentConfig, AgentError};
use kaliun_edge::agent_state::{AgentState, EnrollmentState, LinkState};
use kaliun_edge::state_dir::{Durability, StateDir};
use kaliun_edge::trust::TrustChain;
use kaliun_proto::enrollment::v1::GetTrustBundleResponse;
use kaliun_proto::link::v1::server_message::Message as ToBox;
use kaliun_proto::link::v1::{Acknowledged, Heartbeat, ItemClass, Welcome};
use prost::Message as _;
use std::time::Duration;
use tokio::time::Instant;
use tonic::{Code, Status};

#[tokio::test]
async fn a_useless_certificate_is_replaced_by_proving_the_key() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let first = within(double.begun.recv()).await.unwrap();
    let mut shown = Vec::new();
    for reason in ["peer.no_certificate", "peer.certificate_expired", "peer.unknown_issuer"] {
        let attempt = double.attempt().await;
        shown.push(attempt.shown.to_vec());
        attempt.refuse(Status::unauthenticated(format!("{reason}: Not you.")));
        running.until(reason, offline_for(reason)).await;
        assert_eq!(within(double.proved.recv()).await.unwrap(), first.public_key_info, "it proves the same key");
    }
    shown.dedup();
    assert_eq!(shown.len(), 3, "each time it came with the certificate that it had got");
    let _session = Session::open(&mut double, welcome(9)).await;
    running.until("online", |state| state.online_epoch() == Some(9)).await;
    assert!(double.begun.try_recv().is_err(), "it did not enrol again");
    running.stop().await.unwrap();
}

/// Nearly all of the hour after which a box that was refused looks again, and what is left of it.
const NEARLY: Duration = Duration::from_secs(59 * 60);
const REST: Duration = Duration::from_secs(2 * 60);

/// Lets a box that was refused wait. It goes on measuring, for whoever looks after it.
async fn waits_nearly_an_hour(running: &RunningBox, state: &AgentState) {
    let LinkState::Stopped { since_ms, next_try_at_ms, .. } = &state.link else { panic!("{state:?}") };
    assert_eq!(next_try_at_ms.unwrap() - since_ms, 3_600_000, "{state:?}");
    pass(NEARLY).await;
    let before = running.state.borrow().samples.pending;
    running.until("samples", |state| state.samples.pending >= before + 3).await;
}

#[tokio::test]
async fn a_box_that_was_away_too_long_waits_for_somebody_and_keeps_its_key() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let first = within(double.begun.recv()).await.unwrap();
    let attempt = double.attempt().await;
    double.answer.send_replace(Answer::Refuse { reason: "peer.recovery_expired".to_owned(), retry_after_ms: None });
    attempt.refuse(Status::unauthenticated("peer.certificate_expired: Not you."));
    assert_eq!(within(double.proved.recv()).await.unwrap(), first.public_key_info);
    let state = running.until("stopped", |state| matches!(state.link, LinkState::Stopped { .. })).await;
    let LinkState::Stopped { reason, .. } = &state.link else { panic!("stopped") };
    assert_eq!(reason, "peer.recovery_expired");
    waits_nearly_an_hour(&running, &state).await;
    assert!(double.begun.try_recv().is_err() && double.proved.try_recv().is_err(), "it does not hammer");
    double.answer.send_replace(Answer::Issue);
    pass(REST).await;
    assert_eq!(within(double.proved.recv()).await.unwrap(), first.public_key_info, "it looks again");
    double.attempt().await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_box_that_lost_what_it_was_told_proves_its_key() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&double);
    let running = RunningBox::start(folder.path(), config.clone());
    let first = within(double.begun.recv()).await.unwrap();
    double.attempt().await;
    running.stop().await.unwrap();

    // Its bundles: it asks for them anew, and needs no more.
    std::fs::remove_file(folder.path().join("trust-bundles.pb")).unwrap();
    let running = RunningBox::start(folder.path(), config.clone());
    double.attempt().await;
    running.stop().await.unwrap();
    assert!(double.begun.try_recv().is_err() && double.proved.try_recv().is_err(), "it had its certificate");

    // Its certificate, with the token gone from its configuration: it would be claimed, but its key is a device's already.
    std::fs::remove_file(folder.path().join("device.json")).unwrap();
    (config.trust_hash, config.join_token) = (Some(double.trust_hash()), None);
    let reason = "enrollment.key_in_use".to_owned();
    double.answer.send_replace(Answer::Refuse { reason: reason.clone(), retry_after_ms: None });
    let running = RunningBox::start(folder.path(), config.clone());
    assert_eq!(within(double.begun.recv()).await.unwrap().public_key_info, first.public_key_info);
    assert_eq!(within(double.proved.recv()).await.unwrap(), first.public_key_info);
    running
        .until(
            "refused",
            |state| matches!(&state.link, LinkState::Stopped { reason, .. } if reason == "enrollment.key_in_use"),
        )
        .await;
    running.stop().await.unwrap();
    double.answer.send_replace(Answer::Issue);
    let running = RunningBox::start(folder.path(), config);
    double.attempt().await;
    running.stop().await.unwrap();
}

/// A file with a token is cleaned up once the box is enrolled, and bundles can get lost.
#[tokio::test]
async fn a_box_that_lost_its_bundles_and_its_token_knows_its_server_all_the_same() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&double);
    let running = RunningBox::start(folder.path(), config.clone());
    // Also after its next certificate.
    let mut session = Session::open(&mut double, welcome(1)).await;
    let request = crate::renewal::asked(&mut session).await;
    crate::renewal::give(&session, double.issue(request)).await;
    let mut session = Session::open(&mut double, welcome(2)).await;
    session.next_samples().await;
    running.stop().await.unwrap();

    // What an older version stored says nothing of it, and is completed while something does.
    let path = folder.path().join("device.json");
    let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record.as_object_mut().unwrap().remove("trust_hash").unwrap();
    std::fs::write(&path, record.to_string()).unwrap();
    config.join_token = None;
    let running = RunningBox::start(folder.path(), config.clone());
    double.attempt().await;
    running.stop().await.unwrap();

    std::fs::remove_file(folder.path().join("trust-bundles.pb")).unwrap();
    double.stranger.send_replace(Some(Stranger::Tells(Double::start().await.bundles())));
    let running = RunningBox::start(folder.path(), config.clone());
    running.until("a stranger", offline_for("peer.server_untrusted")).await;
    running.stop().await.unwrap();
    double.stranger.send_replace(None);
    let running = RunningBox::start(folder.path(), config);
    double.attempt().await;
    running.stop().await.unwrap();
    within(double.begun.recv()).await.unwrap();
    assert!(double.begun.try_recv().is_err() && double.proved.try_recv().is_err(), "it had its certificate");
}

fn refuse(reason: &str) -> Answer {
    Answer::Refuse { reason: reason.to_owned(), retry_after_ms: None }
}

/// Its token stays in its configuration, and was revoked once the batch was through, as it should be.
#[tokio::test]
async fn a_box_whose_token_is_not_taken_any_more_finds_back_by_its_key() {
    for reason in ["token_revoked", "token_expired", "token_used_up", "token_invalid"] {
        let mut double = Double::start().await;
        let folder = tempfile::tempdir().unwrap();
        let running = RunningBox::start(folder.path(), config(&double));
        let first = within(double.begun.recv()).await.unwrap();
        double.attempt().await;
        running.stop().await.unwrap();
        std::fs::remove_file(folder.path().join("device.json")).unwrap();
        double.answer.send_replace(refuse(&format!("enrollment.{reason}")));
        double.recovery.send_replace(Some(Answer::Issue));
        let running = RunningBox::start(folder.path(), config(&double));
        double.attempt().await;
        assert_eq!(within(double.proved.recv()).await.unwrap(), first.public_key_info, "{reason}");
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_token_that_is_not_taken_stays_the_reason_where_the_key_is_nobodys() {
    let mut double = Double::start().await;
    double.answer.send_replace(refuse("enrollment.token_revoked"));
    double.recovery.send_replace(Some(refuse("peer.device_unknown")));
    for only_enroll in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let running = RunningBox::start(folder.path(), AgentConfig { only_enroll, ..config(&double) });
        let state = running.state.clone();
        if only_enroll {
            running.ended().await.unwrap();
        } else {
            running.until("refused", |state| matches!(state.enrollment, EnrollmentState::Failed { .. })).await;
            running.until("samples", |state| state.samples.pending >= 3).await;
            running.stop().await.unwrap();
        }
        let last = state.borrow().enrollment.clone();
        let EnrollmentState::Failed { reason, tries_again: false, .. } = last else { panic!("{last:?}") };
        assert_eq!(reason, "enrollment.token_revoked");
        within(double.begun.recv()).await.unwrap();
        within(double.proved.recv()).await.unwrap();
        assert!(double.begun.try_recv().is_err() && double.proved.try_recv().is_err(), "it asks each once");
    }
}

/// Its key is a device's that may not connect any more.
#[tokio::test]
async fn who_only_enrols_is_told_why_its_key_is_refused() {
    let double = Double::start().await;
    double.answer.send_replace(refuse("enrollment.token_revoked"));
    double.recovery.send_replace(Some(refuse("peer.device_revoked")));
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), AgentConfig { only_enroll: true, ..config(&double) });
    let state = running.state.clone();
    running.ended().await.unwrap();
    let last = state.borrow().enrollment.clone();
    let EnrollmentState::Failed { reason, tries_again: false, .. } = last else { panic!("{last:?}") };
    assert_eq!(reason, "peer.device_revoked");
}

#[tokio::test]
async fn a_box_that_waits_for_bundles_stops_when_asked() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&double);
    let running = RunningBox::start(folder.path(), config.clone());
    double.attempt().await;
    running.stop().await.unwrap();
    std::fs::remove_file(folder.path().join("trust-bundles.pb")).unwrap();
    // Whoever listens here says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    config.server = format!("https://{}", silent.local_addr().unwrap()).parse().unwrap();
    let running = RunningBox::start(folder.path(), config);
    let (_socket, _) = within(silent.accept()).await.unwrap();
    // A third of what it would wait for an answer.
    tokio::time::timeout(Duration::from_secs(5), running.stop()).await.expect("it stops at once").unwrap();
}

#[tokio::test]
async fn a_box_that_the_server_does_not_know_enrols_again() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let first = within(double.begun.recv()).await.unwrap();
    double.attempt().await.refuse(Status::permission_denied("peer.device_unknown: Not you."));
    assert_eq!(within(double.begun.recv()).await.unwrap(), first, "with the same key");
    // Also when only the recovery finds that out.
    let attempt = double.attempt().await;
    double.answer.send_replace(Answer::Refuse { reason: "peer.device_unknown".to_owned(), retry_after_ms: None });
    attempt.refuse(Status::unauthenticated("peer.certificate_expired: Not you."));
    within(double.proved.recv()).await.unwrap();
    double.answer.send_replace(Answer::Issue);
    assert_eq!(within(double.begun.recv()).await.unwrap(), first);
    let _session = Session::open(&mut double, welcome(9)).await;
    running.until("online", |state| state.online_epoch() == Some(9)).await;
    running.stop().await.unwrap();
}

/// A server whose database came back from a backup: the box stays who it is until somebody takes it back, and says what it remembers.
#[tokio::test]
async fn a_box_that_a_server_has_forgotten_stays_who_it_is_and_says_what_it_remembers() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    within(double.begun.recv()).await.unwrap();
    let session = Session::open(&mut double, Welcome { incarnation: 2, ..welcome(9) }).await;
    assert_eq!((session.hello.session_epoch, session.hello.incarnation), (0, 0));
    running.until("online", |state| state.online_epoch() == Some(9)).await;
    running.stop().await.unwrap();
    drop(session);

    let running = RunningBox::start(folder.path(), config(&double));
    let attempt = double.attempt().await;
    attempt.refuse(Status::permission_denied("peer.unknown_after_restore: Wait."));
    running.until("forgotten", offline_for("peer.unknown_after_restore")).await;
    running.until("samples", |state| state.samples.pending >= 3).await;
    assert!(double.begun.try_recv().is_err() && double.proved.try_recv().is_err(), "it does not enrol again");
    running.stop().await.unwrap();

    let running = RunningBox::start(folder.path(), config(&double));
    let session = Session::hear(double.attempt().await).await;
    assert_eq!((session.hello.session_epoch, session.hello.incarnation), (9, 2));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_deleted_device_stops_and_stays_away() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    within(double.begun.recv()).await.unwrap();
    double.attempt().await.refuse(Status::permission_denied("peer.device_deleted: Gone."));
    let state = running.until("stopped", |state| matches!(state.link, LinkState::Stopped { .. })).await;
    let LinkState::Stopped { reason, message, .. } = &state.link else { panic!("stopped") };
    assert_eq!((reason.as_str(), message.as_str()), ("peer.device_deleted", "Gone."));
    waits_nearly_an_hour(&running, &state).await;
    assert!(double.attempts.try_recv().is_err() && double.begun.try_recv().is_err(), "it does not hammer");
    pass(REST).await;
    let _session = Session::open(&mut double, welcome(1)).await;
    running.until("back", |state| state.online_epoch() == Some(1)).await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_busy_server_says_when_to_come_back() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let mut status = Status::new(Code::Unavailable, "link.server_stopped: Later.");
    status.metadata_mut().insert("retry-after-ms", "2000".parse().unwrap());
    double.attempt().await.refuse(status);
    let refused_at = Instant::now();
    running.until("refused", offline_for("link.server_stopped")).await;
    let _session = Session::open(&mut double, welcome(1)).await;
    assert!(refused_at.elapsed() >= Duration::from_millis(1_950), "{:?}", refused_at.elapsed());
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_session_that_is_ended_says_why() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let session = Session::open(&mut double, welcome(1)).await;
    running.until("online", |state| state.online_epoch() == Some(1)).await;
    session.end(Status::aborted("link.fenced: A newer one took over.")).await;
    running.until("fenced", offline_for("link.fenced")).await;
    let session = Session::open(&mut double, welcome(2)).await;
    session.end(Status::unavailable("something else: broke")).await;
    running.until("lost", offline_for("link.lost")).await;
    running.stop().await.unwrap();
}

/// After each kind of nonsense the session ends for a stated reason, and nothing that waits is forgotten.
async fn check(name: &str, nonsense: impl FnOnce(&Session) -> Vec<ToBox>) {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let session = Session::hear(double.attempt().await).await;
    running.until("a sample", |state| state.samples.pending >= 1).await;
    for message in nonsense(&session) {
        session.say(message).await;
    }
    let state = running.until(name, offline_for("link.protocol_error")).await;
    assert_eq!((state.samples.acknowledged, state.samples.dropped), (0, 0), "{name}");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn nonsense_ends_the_session_and_nothing_else() {
    check("no welcome first", |_| vec![ToBox::Heartbeat(Heartbeat::default())]).await;
    check("no epoch", |_| vec![ToBox::Welcome(welcome(0))]).await;
    check("an unknown protocol", |_| vec![ToBox::Welcome(Welcome { protocol: 9, ..welcome(1) })]).await;
    check("two welcomes", |_| vec![ToBox::Welcome(welcome(1)), ToBox::Welcome(welcome(2))]).await;
    let acknowledged = |session: &Session, sequence| Acknowledged {
        item_class: ItemClass::Samples.into(),
        spool_id: session.hello.spools[1].spool_id.clone(),
        sequence,
        credit_bytes: 0,
    };
    check("a stored sequence that cannot be", |session| {
        vec![ToBox::Welcome(Welcome { stored: vec![acknowledged(session, u64::MAX)], ..welcome(1) })]
    })
    .await;
    check("an acknowledgement of the future", |session| {
        vec![ToBox::Welcome(welcome(1)), ToBox::Acknowledged(acknowledged(session, 1_000_000))]
    })
    .await;
}

#[tokio::test]
async fn what_a_newer_server_says_is_passed_over() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let mut session = Session::open(&mut double, welcome(1)).await;
    let unknown_class = Acknowledged { item_class: 99, spool_id: vec![], sequence: u64::MAX, credit_bytes: u32::MAX };
    session.say(ToBox::Acknowledged(unknown_class)).await;
    let foreign_spool = Acknowledged { item_class: 2, spool_id: vec![1; 16], sequence: 5, credit_bytes: 0 };
    session.say(ToBox::Acknowledged(foreign_spool)).await;
    session.next_samples().await;
    session.next_samples().await;
    let state = running.state.borrow().clone();
    assert_eq!((state.online_epoch(), state.samples.acknowledged), (Some(1), 0));
    running.stop().await.unwrap();
}

/// Somebody with a stolen bundle key was between a box and its server, and is gone.
#[tokio::test]
async fn a_box_that_was_led_astray_begins_again_from_what_it_was_given() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = config(&double);
    let running = RunningBox::start(folder.path(), config.clone());
    within(double.begun.recv()).await.unwrap();
    double.attempt().await;
    running.stop().await.unwrap();
    let astray = GetTrustBundleResponse { bundles: double.thiefs_chain() };
    let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
    std::fs::write(folder.path().join("trust-bundles.pb"), astray.encode_to_vec()).unwrap();

    // Its own server is a stranger to it, whatever it asks for.
    let running = RunningBox::start(folder.path(), config.clone());
    running.until("a stranger", offline_for("peer.server_untrusted")).await;
    // The fleet's next bundles do not follow from the thief's, and the box says so, also when it tried its server once more.
    double.rotate();
    let says_why = |state: &AgentState| matches!(&state.link, LinkState::Offline { reason, message, .. } if reason == "peer.server_untrusted" && message.contains("signature of trust bundle version 3 does not hold") && message.contains("cannot secure"));
    running.until("why it takes none", says_why).await;
    running.stop().await.unwrap();
    assert!(double.attempts.try_recv().is_err() && double.proved.try_recv().is_err());

    // kaliun-edge enroll --new-trust
    let nothing_given = AgentConfig { join_token: None, trust_hash: None, ..config.clone() };
    assert!(matches!(nothing_given.forget_trust(&state), Err(AgentError::NoTrustHash)));
    assert!(TrustChain::load(&state).is_some(), "a box that cannot begin again keeps what it has");
    config.forget_trust(&state).unwrap();
    let running = RunningBox::start(folder.path(), config);
    double.attempt().await;
    running.stop().await.unwrap();
    assert!(double.begun.try_recv().is_err() && double.proved.try_recv().is_err(), "it had its certificate");
}
