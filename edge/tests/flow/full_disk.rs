//! A box whose disk is full goes on: what it has verified counts, and is stored once there is room.

use crate::boxed::{RunningBox, config};
use crate::double::Double;
use crate::linking::{Session, offline_for, welcome};
use crate::within;
use kaliun_edge::agent_state::EnrollmentState;
use kaliun_proto::link::v1::device_message::Message as FromBox;
use kaliun_proto::link::v1::server_message::Message as ToBox;
use kaliun_proto::link::v1::{Certificate, RenewCertificate, TrustBundles};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tonic::Status;

/// The files by which a box knows its server, and is known.
const FILES: [&str; 4] = ["device.json", "device-next.json", "trust-bundles.pb", "known-time"];

/// Refuses what is written to these files, whoever runs the test.
struct FullDisk(Vec<PathBuf>);

impl FullDisk {
    fn of(folder: &Path) -> Self {
        let in_the_way: Vec<PathBuf> = FILES.iter().map(|file| folder.join(format!("{file}.new"))).collect();
        for path in &in_the_way {
            std::fs::create_dir(path).unwrap();
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
    session.say(ToBox::Welcome(welcome(2))).await;
    session.say(ToBox::TrustBundles(TrustBundles { bundles: vec![double.second_bundle()] })).await;
    loop {
        if let FromBox::TrustHeld(held) = session.next().await {
            assert_eq!(held.version, 2);
            break;
        }
    }
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
    let session = Session::hear(attempt).await;
    assert_eq!(session.hello.trust_bundle_version, 2);
    running.stop().await.unwrap();
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
