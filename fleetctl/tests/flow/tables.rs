//! What people see.

use crate::double::{CODE, Double, World};
use crate::things::{
    NOW_MS, api_token, certificate, device, event, id, installation, join_token, reason, silent, troubled,
};
use crate::workbench::Workbench;
use insta::assert_snapshot;
use kaliun_fleetctl::console::Screen;
use kaliun_proto::fleet::v1::{CertificateCause, Device, Link, LinkState};
use kaliun_proto::telemetry::v1::{Health, HealthVerdict};

async fn fleet() -> Double {
    let attic = troubled(2, "attic-2");
    let events =
        vec![event(9, &attic, "link.timeout", "Nothing was heard for 45 s."), event(8, &attic, "agent.started", "")];
    Double::start(World {
        devices: vec![attic, device(1, "cellar-1"), silent(3, "new-one")],
        events,
        join_tokens: vec![join_token(10, "factory", 2), join_token(12, "used up", 5)],
        api_tokens: vec![api_token(11, "ci")],
        installations: vec![installation()],
        ..World::default()
    })
    .await
}

#[tokio::test]
async fn devices() {
    let double = fleet().await;
    let mut workbench = Workbench::at(&double);
    assert_snapshot!("devices_in_a_pipe", workbench.output("get devices").await);
    assert_snapshot!("devices_wide", workbench.output("get devices -o wide").await);
    workbench.screen = Screen::Fixed { columns: 72, rows: 24 };
    let output = workbench.output("get devices --color never").await;
    assert!(output.lines().all(|line| line.chars().count() <= 72), "{output}");
    assert_snapshot!("devices_on_a_narrow_terminal", output);
}

#[tokio::test]
async fn a_revoked_device_is_not_called_offline() {
    let revoked = Device {
        link: Some(Link {
            state: LinkState::Offline.into(),
            since_ms: NOW_MS - 120_000,
            reason: "peer.device_revoked".to_owned(),
        }),
        health: Some(Health {
            verdict: HealthVerdict::Unknown.into(),
            reasons: vec![reason("device.revoked", "Somebody took its right to connect away.")],
        }),
        revoked_at_ms: NOW_MS - 120_000,
        ..device(2, "attic-2")
    };
    let double = Double::start(World { devices: vec![revoked], ..World::default() }).await;
    let listed = Workbench::at(&double).output("get devices").await;
    let row: Vec<&str> = listed.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(row[..4], ["attic-2", "revoked", "2m", "unknown"], "{listed}");
    assert_eq!(row.last(), Some(&"peer.device_revoked"), "the link says all there is: {listed}");
}

#[tokio::test]
async fn colour_is_for_terminals() {
    let double = fleet().await;
    let mut workbench = Workbench::at(&double);
    assert!(!workbench.output("get devices").await.contains('\u{1b}'));
    assert!(workbench.output("get devices --color always").await.contains('\u{1b}'));
    workbench.screen = Screen::Fixed { columns: 72, rows: 24 };
    assert!(workbench.output("get devices").await.contains('\u{1b}'));
    assert!(!workbench.output("get devices --color never").await.contains('\u{1b}'));
    workbench.environment.no_color = true;
    assert!(!workbench.output("get devices").await.contains('\u{1b}'));
}

#[tokio::test]
async fn a_description_says_what_to_do_next() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    assert_snapshot!("describe_trouble", workbench.output("describe device/attic-2").await);
    assert_snapshot!("describe_new", workbench.output("describe new-one").await);
    let identity =
        vec![certificate(35, CertificateCause::Recovered, 1), certificate(500, CertificateCause::Enrolled, 1)];
    double.world().certificates.insert(id(2), identity);
    let described = workbench.output("describe device/attic-2 --events 0").await;
    let (_before, certificates) = described.split_once("\n\nCertificates").unwrap();
    assert_snapshot!("describe_certificates", certificates);
}

#[tokio::test]
async fn the_other_lists() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    assert_snapshot!("events", workbench.output("get events").await);
    assert_snapshot!("join_tokens_table", workbench.output("join-token list -o wide").await);
    assert_snapshot!("api_tokens_table", workbench.output("get api-tokens").await);
    assert_snapshot!("installations_table", workbench.output("get installations").await);
}

#[tokio::test]
async fn a_secret_stands_alone_on_standard_output() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    assert_eq!(workbench.output("join-token create").await, "kjt1.a-join-token\n");
    assert_eq!(workbench.output("api-token create ci --role operator").await, "kat1.a-new-token\n");
}

#[tokio::test]
async fn a_claim_shows_whose_words_it_shows() {
    let double = fleet().await;
    let mut workbench = Workbench::at(&double);
    workbench.can_ask = true;
    workbench.input = "k7 m4\n".to_owned();
    let ended = workbench.run(&format!("claim approve {CODE} --name box-7")).await;
    assert_eq!((ended.code, ended.output.as_str()), (0, "device/box-7\n"));
    assert_snapshot!(ended.error);
    let shown = workbench.output(&format!("claim show {CODE}")).await;
    assert!(shown.contains("The box says (its own words, not checked):"), "{shown}");
}
