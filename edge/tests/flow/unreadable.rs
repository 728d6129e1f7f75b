//! A bad block in any file but the key does not take a box off its fleet.

use crate::boxed::{RunningBox, config};
use crate::double::{Double, sha256};
use crate::linking::{Session, welcome};
use kaliun_proto::link::v1::server_message::Message as ToBox;
use kaliun_proto::link::v1::{Settings, SettingsDocument, Welcome};
use prost::Message;
use std::path::Path;

const FILES: [&str; 8] = [
    "device.json",
    "device-next.json",
    "trust-bundles.pb",
    "known-time",
    "settings.pb",
    "incarnation",
    "spool/events/spool.json",
    "spool/samples/spool.json",
];

/// There, and not readable, whoever runs the test.
fn make_unreadable(path: &Path) {
    let _was_there = std::fs::remove_file(path);
    std::os::unix::fs::symlink(path, path).unwrap();
    assert!(std::fs::read(path).is_err());
}

/// A box with a past in each of its files.
async fn enrolled_box(folder: &Path, double: &mut Double) {
    let running = RunningBox::start(folder, config(double));
    let mut session = Session::open(double, Welcome { incarnation: 1, ..welcome(1) }).await;
    let document = SettingsDocument { sample_interval_ms: 1_000 }.encode_to_vec();
    let settings = Settings { generation: 1, hash: sha256(&document).to_vec(), document };
    session.say(ToBox::Settings(settings)).await;
    session.next_samples().await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_box_goes_on_without_a_file_that_cannot_be_read() {
    for unreadable in FILES.iter().map(std::slice::from_ref).chain([FILES.as_slice()]) {
        let mut double = Double::start().await;
        let folder = tempfile::tempdir().unwrap();
        enrolled_box(folder.path(), &mut double).await;
        for file in unreadable {
            make_unreadable(&folder.path().join(file));
        }
        let running = RunningBox::start(folder.path(), config(&double));
        let mut session = Session::open(&mut double, welcome(2)).await;
        session.next_samples().await;
        running.stop().await.unwrap_or_else(|error| panic!("{unreadable:?}: {error}"));
    }
}
