//! `fleetctl audit posture`.

use crate::double::{Double, World};
use crate::things::{NOW_MS, id};
use crate::workbench::Workbench;
use insta::assert_snapshot;
use kaliun_fleetctl::console::Screen;
use kaliun_proto::fleet::v1::{Finding, Remedy};

const HOUR_MS: i64 = 3_600_000;

fn remedy(command: &str) -> Remedy {
    Remedy { command: command.to_owned(), is_on_box: false }
}

async fn fleet(platform_findings: Option<Vec<Finding>>) -> Double {
    let twice = Finding {
        reason: "device.clone_suspected".to_owned(),
        since_ms: NOW_MS - 2 * HOUR_MS,
        device_id: id(7),
        device_name: "attic".to_owned(),
        message: "Two boxes take turns under its identity.".to_owned(),
        next_step: "Choose one.".to_owned(),
        remedies: [1, 2]
            .map(|boot| remedy(&format!("fleetctl device readopt device/attic --keep-boot {}", id(boot))))
            .to_vec(),
        ..Finding::default()
    };
    let expired = Finding {
        reason: "certificate.expired".to_owned(),
        since_ms: NOW_MS - 48 * HOUR_MS,
        device_id: id(8),
        device_name: "barn".to_owned(),
        message: "Its certificate has run out.".to_owned(),
        next_step: "Switch the box on.".to_owned(),
        ..Finding::default()
    };
    let other_boot = Finding {
        reason: "peer.boot_not_kept".to_owned(),
        since_ms: NOW_MS - 5 * HOUR_MS,
        last_at_ms: NOW_MS - HOUR_MS,
        count: 5,
        device_id: id(9),
        device_name: "cellar".to_owned(),
        message: "Its box still comes and was refused 5 times.".to_owned(),
        next_step: "Give it a key.".to_owned(),
        remedies: vec![Remedy { command: "kaliun-edge enroll --new-key".to_owned(), is_on_box: true }],
        ..Finding::default()
    };
    let findings = vec![twice, other_boot, expired];
    Double::start(World { findings, platform_findings, ..World::default() }).await
}

fn flood() -> Finding {
    Finding {
        reason: "enrollment.flood".to_owned(),
        since_ms: NOW_MS - 3 * HOUR_MS,
        last_at_ms: NOW_MS,
        count: 606_000,
        source: "192.0.2.7".to_owned(),
        message: "606000 enrolments from 192.0.2.7 came to nothing.".to_owned(),
        next_step: "Nothing has to be done.".to_owned(),
        ..Finding::default()
    }
}

#[tokio::test]
async fn each_thing_is_a_line_that_ends_with_what_mends_it() {
    let double = fleet(Some(vec![flood()])).await;
    let mut workbench = Workbench::at(&double);
    let ended = workbench.run("audit posture").await;
    assert_eq!(ended.code, 8, "{}", ended.error);
    assert!(ended.error.starts_with("error: 4 things are wrong\nhint: "), "{}", ended.error);
    assert_snapshot!("posture", ended.output);
    assert_snapshot!("posture_wide", workbench.run("audit posture -o wide").await.output);
    assert_snapshot!("posture_json", workbench.run("audit posture -o json").await.output);
    assert_snapshot!("posture_names", workbench.run("audit posture -o name").await.output);
    // A narrow terminal cuts no command.
    workbench.screen = Screen::Fixed { columns: 40, rows: 20 };
    let narrow = workbench.run("audit posture").await;
    assert!(narrow.output.contains(&format!("--keep-boot {}", id(2))), "{}", narrow.output);
}

#[tokio::test]
async fn what_is_about_no_device_and_no_place_has_a_name() {
    let about = |reason: &str| Finding { reason: reason.to_owned(), since_ms: NOW_MS, ..Finding::default() };
    let reasons = [
        "rotation.waits",
        "rotation.paused",
        "rotation.unsigned",
        "device.ahead_of_database",
        "enrollment.flood",
        "moon.full",
    ];
    let platform_findings = Some(reasons.map(about).to_vec());
    let double = Double::start(World { platform_findings, ..World::default() }).await;
    let workbench = Workbench::at(&double);
    let names = workbench.run("audit posture -o name").await.output;
    assert_eq!(names, "rotation\nrotation\nrotation\ndatabase\nenrollments\nmoon.full\n");
    let table = workbench.run("audit posture").await.output;
    assert!(table.contains("rotation.waits            rotation"), "{table}");
}

#[tokio::test]
async fn whom_the_control_plane_does_not_concern_sees_their_own() {
    let double = fleet(None).await;
    let ended = Workbench::at(&double).run("audit posture -o name").await;
    assert_eq!(ended.code, 8, "{}", ended.error);
    assert_eq!(ended.output, "device/attic\ndevice/cellar\ndevice/barn\n");
}

#[tokio::test]
async fn nothing_wrong_is_success() {
    let double = Double::start(World { platform_findings: Some(Vec::new()), ..World::default() }).await;
    let ended = Workbench::at(&double).run("audit posture").await;
    assert_eq!((ended.code, ended.output.as_str(), ended.error.as_str()), (0, "", "Nothing is wrong.\n"));
    let ended = Workbench::at(&double).run("audit posture -o json").await;
    assert_eq!(ended.code, 0);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&ended.output).unwrap()["items"], serde_json::json!([]));
}
