//! A box whose disk is full goes on: what it has verified counts, and is stored once there is room.

use crate::boxed::{RunningBox, config};
use crate::double::{Double, sha256};
use crate::linking::{Session, offline_for, welcome};
use crate::within;
use kaliun_edge::agent_state::EnrollmentState;
use kaliun_proto::link::v1::device_message::Message as FromBox;
use kaliun_proto::link::v1::server_message::Message as ToBox;
use kaliun_proto::link::v1::{
    Certificate, RenewCertificate, Settings, SettingsApplied, SettingsDocument, TrustBundles, Welcome,
};
use prost::Message;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tonic::Status;

/// What a box writes while it runs, but for the records in its spools, whose names nobody knows beforehand.
const FILES: [&str; 8] = [
    "device.json",
    "device-next.json",
    "trust-bundles.pb",
    "known-time",
    "incarnation",
    "settings.pb",
    "spool/events/spool.json",
    "spool/samples/spool.json",
];

/// Refuses what is written to these files, whoever runs the test.
struct FullDisk(Vec<PathBuf>);

impl FullDisk {
    fn of(folder: &Path) -> Self {
        let in_the_way: Vec<PathBuf> = FILES.iter().map(|file| folder.join(format!("{file}.new"))).collect();
        for path in &in_the_way {
            std::fs::create_dir_all(path).unwrap();
        }
        Self(in_the_way)
    }

    fn make_room(self) {
        for path in self.0 {
            std::fs::remove_dir(path).unwrap();
        }
    }
}

/// Waits until a file has another content than that.
async fn rewritten(path: &Path, before: &[u8]) {
    within(async {
        while std::fs::read(path).unwrap() == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_box_with_a_full_disk_renews_recovers_and_learns_and_stores_it_later() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = config(&double);
    let running = RunningBox::start(folder.path(), config.clone());
    let first = double.attempt().await.shown.to_vec();
    running.stop().await.unwrap();
    let file = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let (record_before, trust_before) = (file("device.json"), file("trust-bundles.pb"));

    // It starts all the same.
    let disk = FullDisk::of(folder.path());
    let running = RunningBox::start(folder.path(), config.clone());
    let attempt = double.attempt().await;
    assert_eq!(attempt.shown.to_vec(), first);

    // A recovery counts, once.
    attempt.refuse(Status::unauthenticated("peer.certificate_expired: Not you."));
    within(double.proved.recv()).await.unwrap();
    let attempt = double.attempt().await;
    let recovered = attempt.shown.to_vec();
    assert_ne!(recovered, first);
    let mut session = Session::hear(attempt).await;
    session.say(ToBox::Welcome(welcome(1))).await;

    // So does the next certificate,
    session.say(ToBox::RenewCertificate(RenewCertificate {})).await;
    let request = loop {
        if let FromBox::CertificateRequest(request) = session.next().await {
            break request.certificate_request;
        }
    };
    let next = double.issue(request);
    session.say(ToBox::Certificate(Certificate { certificate_chain: next.clone() })).await;
    let attempt = double.attempt().await;
    assert_eq!(attempt.shown.to_vec(), next[0]);

    // and newer bundles.
    let mut session = Session::hear(attempt).await;
    session.say(ToBox::Welcome(Welcome { incarnation: 5, ..welcome(2) })).await;
    session.say(ToBox::TrustBundles(TrustBundles { bundles: vec![double.second_bundle()] })).await;
    loop {
        if let FromBox::TrustHeld(held) = session.next().await {
            assert_eq!(held.version, 2);
            break;
        }
    }
    // Settings are in force only once they are stored, and the box says why they are not.
    session.say(ToBox::Settings(settings())).await;
    let failure = applied(&mut session).await.failure.unwrap();
    assert!(failure.message.contains("cannot be stored"), "{failure:?}");
    // It goes on recording, and what is acknowledged is not sent again.
    let batch = session.next_samples().await;
    let acknowledged = batch.first_sequence + batch.samples.len() as u64 - 1;
    session.acknowledge(&batch, acknowledged, 100_000).await;
    running.until("acknowledged", |state| state.samples.acknowledged == acknowledged).await;
    assert!(session.next_samples().await.first_sequence > acknowledged);
    assert_eq!((file("device.json"), file("trust-bundles.pb")), (record_before.clone(), trust_before.clone()));
    assert!(double.proved.try_recv().is_err(), "one proof was enough");

    // While the session lasts, it is stored as soon as there is room.
    disk.make_room();
    rewritten(&folder.path().join("device.json"), &record_before).await;
    rewritten(&folder.path().join("trust-bundles.pb"), &trust_before).await;
    running.kill().await;
    let running = RunningBox::start(folder.path(), config);
    let attempt = double.attempt().await;
    assert_eq!(attempt.shown.to_vec(), next[0]);
    let mut session = Session::hear(attempt).await;
    assert_eq!(session.hello.trust_bundle_version, 2);
    // What it was told of the server's database could not be kept, and is kept with the next word of it.
    assert_eq!(session.hello.incarnation, 0);
    let samples = &session.hello.spools[1];
    assert_eq!((&samples.spool_id, samples.dropped_count), (&batch.spool_id, 0));
    assert!(samples.last_sequence > acknowledged, "{samples:?}");
    session.say(ToBox::Welcome(Welcome { incarnation: 5, ..welcome(3) })).await;
    session.say(ToBox::Settings(settings())).await;
    let applied = applied(&mut session).await;
    assert_eq!((applied.generation, applied.failure), (1, None));
    running.stop().await.unwrap();
    assert!(file("incarnation").starts_with(b"5 3 ") && !file("settings.pb").is_empty());
}

fn settings() -> Settings {
    let document = SettingsDocument { sample_interval_ms: 1_000 }.encode_to_vec();
    Settings { generation: 1, hash: sha256(&document).to_vec(), document }
}

async fn applied(session: &mut Session) -> SettingsApplied {
    loop {
        if let FromBox::SettingsApplied(applied) = session.next().await {
            return applied;
        }
    }
}

/// While the server's authority changes, a box with a full disk follows it.
#[tokio::test]
async fn a_box_with_a_full_disk_follows_a_new_authority() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = RunningBox::start(folder.path(), config(&double));
    let session = Session::open(&mut double, welcome(1)).await;
    let _disk = FullDisk::of(folder.path());
    let make_known = double.change_authority();
    make_known();
    session.end(Status::unavailable("link.server_stopped: Come back.")).await;
    running.until("untrusted", offline_for("peer.server_untrusted")).await;
    let session = Session::open(&mut double, welcome(2)).await;
    assert_eq!(session.hello.trust_bundle_version, 2);
    running.stop().await.unwrap();
}

/// A program that ends once the box is enrolled must not end before that is stored.
#[tokio::test]
async fn who_only_enrols_waits_for_room() {
    let double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let disk = FullDisk::of(folder.path());
    let mut only_enroll = config(&double);
    only_enroll.only_enroll = true;
    let running = RunningBox::start(folder.path(), only_enroll);
    let is_full = |state: &kaliun_edge::agent_state::AgentState| matches!(&state.enrollment, EnrollmentState::Failed { reason, tries_again: true, .. } if reason == "disk.full");
    running.until("a full disk", is_full).await;
    disk.make_room();
    let state = running.state.clone();
    running.ended().await.unwrap();
    assert!(state.borrow().is_enrolled());
    assert!(folder.path().join("device.json").exists() && folder.path().join("trust-bundles.pb").exists());
}
