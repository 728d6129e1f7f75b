//! `fleetctl ca`.

use crate::double::{Double, World};
use crate::things::{NOW_MS, straggler};
use crate::workbench::Workbench;
use insta::assert_snapshot;
use kaliun_proto::enrollment::v1::SignedTrustBundle;
use kaliun_proto::fleet::v1::{Rotation, RotationPhase, Straggler};
use prost::Message;
use tonic::Status;

async fn fleet() -> Double {
    let rotation = Rotation {
        phase: RotationPhase::Steady.into(),
        phase_since_ms: NOW_MS - 3 * 24 * 3_600_000,
        current_authority: 1,
        trust_bundle_version: 1,
        device_count: 3,
        ready_count: 3,
        rotations_left: 31,
        ..Rotation::default()
    };
    let attic = straggler(7, "attic");
    let theirs = Straggler { device_id: String::new(), device_name: String::new(), ..attic.clone() };
    let stragglers = vec![attic, theirs];
    Double::start(World { rotation, stragglers, ..World::default() }).await
}

#[tokio::test]
async fn the_rotation_is_a_document() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    assert_snapshot!("status", workbench.output("ca status").await);
    workbench.output("ca rotate start --yes").await;
    assert_snapshot!("status_of_a_rotation", workbench.output("ca status").await);
    assert_snapshot!("status_json", workbench.output("ca status -o json").await);
    assert_snapshot!("stragglers", workbench.output("ca stragglers").await);
    assert_snapshot!("stragglers_json", workbench.output("ca stragglers -o json").await);
    // What a pipe passes on must be a name; the others are only counted.
    let names = workbench.run("ca stragglers --backwards -o name").await;
    assert_eq!((names.code, names.output.as_str()), (0, "device/attic\n"));
    assert_eq!(names.error, "Left out 1 device of other organizations: their names are not told.\n");
    let asked: Vec<String> = double.calls().into_iter().filter(|call| call.starts_with("list_stragglers")).collect();
    assert_eq!(asked, [false, false, true].map(|backwards| format!("list_stragglers: backwards {backwards}")));
}

#[tokio::test]
async fn each_step_is_asked_about_and_names_the_phase_it_leaves() {
    let double = fleet().await;
    let mut workbench = Workbench::at(&double);
    let ended = workbench.run("ca rotate start").await;
    assert!(ended.code == 2 && ended.error.contains("add --yes"), "{}", ended.error);
    workbench.output("ca rotate start --yes").await;
    workbench.output("ca rotate advance --yes").await;
    workbench.output("ca rotate advance --yes --force").await;
    workbench.output("ca rotate rollback --yes").await;
    workbench.output("ca rotate advance --yes").await;
    let steps: Vec<String> = double.calls().into_iter().filter(|call| !call.starts_with("get_rotation")).collect();
    assert_eq!(
        steps,
        [
            "start_rotation: automatic false, grace 0",
            "advance_rotation: Trust, force false",
            "advance_rotation: Issue, force true",
            "roll_back_rotation: Drain, force false",
            "advance_rotation: Issue, force false",
        ]
    );
    // What cannot be taken back is said so.
    workbench.can_ask = true;
    workbench.input = "n\n".to_owned();
    let ended = workbench.run("ca rotate advance").await;
    assert_eq!(ended.code, 1);
    assert!(ended.error.contains("Authority 1 is not believed any more then"), "{}", ended.error);
    assert_eq!(double.world().rotation.phase(), RotationPhase::Drain);
}

#[tokio::test]
async fn what_a_rotation_does_not_allow_is_looked_at_where_rotations_are() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    let check = async |line: &str, expected: &str| {
        let ended = workbench.run(line).await;
        let hint = ended.error.lines().last().unwrap_or_default();
        assert_eq!(ended.code, 5, "{line}: {}", ended.error);
        assert!(hint.starts_with("hint: ") && hint.contains(expected), "{line}: {}", ended.error);
        assert!(!hint.contains("describe"), "{line}: {}", ended.error);
    };
    double.world().step_refusal = Some(Status::failed_precondition("2 of 3 devices have not come along"));
    check("ca rotate advance --yes", "`fleetctl ca stragglers`").await;
    check("ca rotate rollback --yes", "`fleetctl ca stragglers --backwards`").await;
    double.world().refusal = Some(Status::failed_precondition("the rotation is in the phase steady"));
    check("ca rotate start --yes", "`fleetctl ca status`").await;
    check("ca rotate pause --reason moving", "`fleetctl ca status`").await;
    check("ca rotate resume", "`fleetctl ca status`").await;
    check("ca bundle unsigned --to nowhere", "`fleetctl ca status`").await;
}

#[tokio::test]
async fn a_rotation_by_itself_says_what_it_waits_for_and_stands_still_when_it_is_told_to() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    let ended = workbench.run("ca rotate start --grace 3d --yes").await;
    assert_eq!(ended.code, 2, "a grace is for a rotation by itself: {}", ended.error);
    workbench.output("ca rotate start --automatic --grace 3d --yes").await;
    let ended = workbench.run("ca rotate pause").await;
    assert!(ended.code == 2 && ended.error.contains("--reason"), "{}", ended.error);
    workbench.output("ca rotate pause --reason moving").await;
    assert_snapshot!("status_of_a_paused_one", workbench.output("ca status").await);
    workbench.output("ca rotate resume").await;
    assert_snapshot!("status_of_one_that_waits", workbench.output("ca status").await);
    assert_snapshot!("status_of_one_that_waits_json", workbench.output("ca status -o json").await);
    let steps: Vec<String> = double.calls().into_iter().filter(|call| !call.starts_with("get_rotation")).collect();
    assert_eq!(steps, ["start_rotation: automatic true, grace 259200000", "pause_rotation: moving", "resume_rotation"]);
}

#[tokio::test]
async fn a_bundle_goes_to_where_its_key_is_and_comes_back_signed() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    let folder = tempfile::tempdir().expect("a folder");
    let (unsigned, signed) = (folder.path().join("unsigned"), folder.path().join("signed"));
    let written = workbench.output(&format!("ca bundle unsigned --to {} -o json", unsigned.display())).await;
    let written: serde_json::Value = serde_json::from_str(&written).expect("a document");
    let expected = serde_json::json!({ "file": unsigned.display().to_string(), "trust_bundle_version": 2 });
    assert_eq!(written, expected);
    let another = folder.path().join("another");
    let named = workbench.output(&format!("ca bundle unsigned --to {} -o name", another.display())).await;
    assert_eq!(named, format!("{}\n", another.display()));
    let mut bundle = SignedTrustBundle::decode(std::fs::read(&unsigned).expect("a file").as_slice()).expect("a bundle");
    let ended = workbench.run(&format!("ca bundle unsigned --to {}", unsigned.display())).await;
    assert!(ended.code == 2 && ended.error.contains("name a file that does not exist"), "{}", ended.error);
    let ended = workbench.run(&format!("ca bundle submit {}", unsigned.display())).await;
    assert!(ended.code == 2 && ended.error.contains("control-plane ca sign-bundle"), "{}", ended.error);
    bundle.signature = b"a signature".to_vec();
    std::fs::write(&signed, bundle.encode_to_vec()).expect("a file");
    workbench.output(&format!("ca bundle submit {}", signed.display())).await;
    let last = double.calls().pop();
    assert_eq!(last.as_deref(), Some("submit_trust_bundle: version 2, a signature"));
}
