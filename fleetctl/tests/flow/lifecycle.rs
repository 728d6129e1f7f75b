//! `fleetctl device decommission` and `device replace`.

use crate::double::{Double, World};
use crate::things::{NOW_MS, device, id};
use crate::workbench::Workbench;
use kaliun_proto::fleet::v1::{Device, Finding, Link, LinkState};

async fn fleet() -> Double {
    let home = Device { installation_id: id(900), installation_name: "Graz".to_owned(), ..device(1, "cellar-1") };
    let free = Device { installation_id: String::new(), installation_name: String::new(), ..device(2, "attic-2") };
    Double::start(World { devices: vec![home, free], ..World::default() }).await
}

#[tokio::test]
async fn decommissioning_asks_first_and_says_what_the_box_does() {
    let double = fleet().await;
    let mut workbench = Workbench::at(&double);
    let ended = workbench.run("device decommission cellar-1 --yes").await;
    assert!(ended.code == 2 && ended.error.contains("device/cellar-1"), "{}", ended.error);
    let ended = workbench.run("device decommission device/cellar-1").await;
    assert!(ended.code == 2 && ended.error.contains("add --yes"), "{}", ended.error);
    workbench.can_ask = true;
    workbench.input = "n\n".to_owned();
    let ended = workbench.run("device decommission device/cellar-1 --wipe-identity").await;
    assert_eq!(ended.code, 1);
    assert!(ended.error.contains("The box deletes its identity when it is told."), "{}", ended.error);
    assert!(!double.calls().iter().any(|call| call.starts_with("decommission")));

    let output = workbench.output("device decommission device/cellar-1 --yes --wipe-identity -o json").await;
    let device: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!(device["decommissioned_at"], "2026-11-22T12:00:00.000Z");
    assert_eq!(double.calls().last().map(String::as_str), Some("decommission_device: wipe true"));
}

#[tokio::test]
async fn a_home_moves_to_another_box() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    let ended = workbench.run("device replace device/cellar-1 --with device/attic-2").await;
    assert!(ended.code == 2 && ended.error.contains("add --yes"), "{}", ended.error);
    let ended = workbench.run("device replace device/cellar-1 --with device/attic-2 --yes -o json").await;
    assert_eq!(ended.code, 0, "{}", ended.error);
    assert!(ended.error.contains("device/attic-2 serves Graz now."), "{}", ended.error);
    let device: serde_json::Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!((device["name"].as_str(), device["installation"]["name"].as_str()), (Some("attic-2"), Some("Graz")));
    let ended = workbench.run("device replace device/cellar-1 --with device/attic-2 --yes").await;
    assert_eq!(ended.code, 5, "{}", ended.error);
    assert!(ended.error.contains("serves no home"), "{}", ended.error);
}

#[tokio::test]
async fn one_of_two_boxes_is_chosen() {
    let double = fleet().await;
    {
        let mut world = double.world();
        let parked = &mut world.devices[0];
        parked.parked_at_ms = NOW_MS;
        parked.link = Some(Link {
            state: LinkState::Online.into(),
            since_ms: NOW_MS,
            reason: "device.clone_suspected".to_owned(),
        });
    }
    let workbench = Workbench::at(&double);
    let listed = workbench.output("get devices").await;
    assert!(listed.contains("device.clone_suspected"), "though it is online: {listed}");
    let boot = "018f3c1e-7d2a-4c3b-9f10-2b6f0c9a5d11";
    let ended = workbench.run("device readopt device/cellar-1 --keep-boot it --yes").await;
    assert_eq!(ended.code, 2, "{}", ended.error);
    let ended = workbench.run(&format!("device readopt device/cellar-1 --keep-boot {boot}")).await;
    assert!(ended.code == 2 && ended.error.contains("add --yes"), "{}", ended.error);
    let output = workbench.output(&format!("device readopt device/cellar-1 --keep-boot {boot} --yes -o json")).await;
    let device: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!(device["parked_at"], serde_json::Value::Null);
    assert_eq!(double.calls().last(), Some(&format!("readopt_device: keep {boot}")));
}

#[tokio::test]
async fn a_device_that_the_server_forgot_is_taken_back_by_its_id() {
    let waiting = Finding { device_id: id(77), ..Finding::default() };
    let double = Double::start(World { findings: vec![waiting], ..World::default() }).await;
    let workbench = Workbench::at(&double);
    let ended = workbench.run("device readopt device/cellar-1 --yes").await;
    assert!(ended.code == 2 && ended.error.contains("--keep-boot"), "{}", ended.error);
    let ended = workbench.run(&format!("device readopt device/{}", id(77))).await;
    assert!(ended.code == 2 && ended.error.contains("add --yes"), "{}", ended.error);
    let ended = workbench.run(&format!("device readopt device/{} --yes", id(78))).await;
    assert!(ended.code == 3 && ended.error.contains("audit posture"), "{}", ended.error);
    let ended = workbench.run(&format!("device readopt device/{} --name attic --yes -o name", id(77))).await;
    assert_eq!((ended.code, ended.output.as_str()), (0, "device/attic\n"), "{}", ended.error);
    assert!(ended.error.contains("comes in by itself"), "{}", ended.error);
}
