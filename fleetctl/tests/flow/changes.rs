//! Commands that change something.

use crate::double::{CHECK, CODE, Double, World};
use crate::things::{api_token, device, id, installation, join_token};
use crate::workbench::Workbench;
use insta::assert_snapshot;

async fn fleet() -> Double {
    Double::start(World {
        devices: vec![device(1, "cellar-1"), device(2, "attic-2")],
        installations: vec![installation()],
        join_tokens: vec![join_token(10, "factory", 2)],
        api_tokens: vec![api_token(11, "ci"), api_token(12, "twice"), api_token(13, "twice")],
        ..World::default()
    })
    .await
}

#[tokio::test]
async fn labels_are_set_and_removed_on_the_version_that_was_seen() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    let output = workbench.output("device label device/cellar-1 env=lab site- -o json").await;
    let device: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!(device["labels"], serde_json::json!({"env": "lab"}));
    assert_eq!(double.calls().last().map(String::as_str), Some("update_device: version 3"));

    let ended = workbench.run("device label cellar-1 env=lab env-").await;
    assert_eq!(ended.code, 2, "{}", ended.error);
}

#[tokio::test]
async fn a_device_is_renamed() {
    let double = fleet().await;
    let output = Workbench::at(&double).output("device rename cellar-1 kitchen -o name").await;
    assert_eq!(output, "device/kitchen\n");
    let ended = Workbench::at(&double).run("device rename kitchen Kitchen").await;
    assert_eq!(ended.code, 2);
    assert!(ended.error.contains("a device name is made of a-z, 0-9 and -"), "{}", ended.error);
}

#[tokio::test]
async fn revoking_asks_first() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    let ended = workbench.run("device revoke cellar-1 --yes").await;
    assert!(ended.code == 2 && ended.error.contains("device/cellar-1"), "{}", ended.error);
    let ended = workbench.run("device revoke device/cellar-1").await;
    assert!(ended.code == 2 && ended.error.contains("add --yes"), "{}", ended.error);
    let output = workbench.output("device revoke device/cellar-1 --yes -o json").await;
    let device: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!(device["revoked_at"], "2026-11-22T12:00:00.000Z");
}

#[tokio::test]
async fn a_box_that_was_away_is_let_back() {
    let double = fleet().await;
    let output = Workbench::at(&double).output("device extend cellar-1 --for 12h -o json").await;
    let device: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!(device["recoverable_until"], "2026-11-23T00:00:00.000Z");
    assert_eq!(double.calls().last().map(String::as_str), Some("extend_device: 43200 s"));
}

#[tokio::test]
async fn deleting_asks_first() {
    let double = fleet().await;
    let mut workbench = Workbench::at(&double);
    let ended = workbench.run("delete device/cellar-1").await;
    assert_eq!(ended.code, 2);
    assert!(ended.error.contains("add --yes"), "{}", ended.error);

    workbench.can_ask = true;
    workbench.input = "n\n".to_owned();
    assert_eq!(workbench.run("delete device/cellar-1").await.code, 1);
    assert_eq!(double.world().devices.len(), 2);

    workbench.input = "yes\n".to_owned();
    let ended = workbench.run("delete device/cellar-1").await;
    assert_eq!((ended.code, ended.output.as_str()), (0, ""));
    assert!(ended.error.contains("Deleted device/cellar-1."), "{}", ended.error);
    assert_eq!(double.world().devices.len(), 1);
}

#[tokio::test]
async fn some_of_several_may_fail() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    let ended = workbench.run("delete --yes device/gone device/attic-2").await;
    assert_eq!(ended.code, 7, "{}", ended.error);
    assert!(ended.error.contains("error: cannot get device/gone"), "{}", ended.error);
    assert!(ended.error.contains("error: 1 of 2 failed"), "{}", ended.error);
    assert_eq!(workbench.run("delete --yes device/gone").await.code, 3);
    assert_eq!(workbench.run("delete --yes cellar-1").await.code, 2);
}

#[tokio::test]
async fn what_was_deleted_is_a_document() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    assert_snapshot!("deleted_json", workbench.output("delete --yes device/cellar-1 -o json").await);
    let ended = workbench.run("delete --yes device/gone device/attic-2 -o json").await;
    assert_eq!(ended.code, 7, "{}", ended.error);
    assert_snapshot!("deleted_of_several_json", ended.output);
    assert_eq!(workbench.run("delete --yes device/gone -o json").await.output, "");

    let double = fleet().await;
    let names = Workbench::at(&double).output("delete --yes device/cellar-1 device/attic-2 -o name").await;
    assert_eq!(names, "device/cellar-1\ndevice/attic-2\n");
}

#[tokio::test]
async fn what_was_deleted_before_a_refusal_is_told() {
    let double = fleet().await;
    double.world().kept_device = id(2);
    let line = "delete --yes device/cellar-1 device/attic-2 device/gone -o name";
    let ended = Workbench::at(&double).run(line).await;
    assert_eq!((ended.code, ended.output.as_str()), (4, "device/cellar-1\n"), "{}", ended.error);
    assert!(ended.error.contains("This one stays"), "{}", ended.error);
}

#[tokio::test]
async fn a_claim_is_approved_for_a_home() {
    let double = fleet().await;
    let mut workbench = Workbench::at(&double);
    workbench.input = format!("{CHECK}\n");
    workbench.can_ask = true;
    let lower = CODE.to_lowercase();
    let line = format!("claim approve {lower} --name cellar-9 --label site=graz --label env=lab");
    let home = workbench.run(&format!("{line} --installation {}", id(900))).await;
    assert_eq!(home.code, 0, "{}", home.error);
    let expected =
        format!("approve_claim: \"cellar-9\" in {:?} with [(\"env\", \"lab\"), (\"site\", \"graz\")]", id(900));
    assert_eq!(double.calls().last(), Some(&expected));

    let ended = workbench.run(&format!("{line} --installation nowhere")).await;
    assert_eq!(ended.code, 3, "{}", ended.error);
}

#[tokio::test]
async fn a_claim_without_the_characters_on_the_screen_is_left() {
    let double = fleet().await;
    let mut workbench = Workbench::at(&double);
    let ended = workbench.run(&format!("claim approve {CODE}")).await;
    assert_eq!(ended.code, 2);
    assert!(ended.error.contains(&format!("fleetctl claim approve {CODE} --check XXXX")), "{}", ended.error);
    assert_eq!(workbench.run(&format!("claim approve {CODE} --check K7M0")).await.code, 2);
    workbench.can_ask = true;
    assert_eq!(workbench.run(&format!("claim approve {CODE}")).await.code, 2);
    assert!(!double.calls().iter().any(|call| call.starts_with("approve_claim")));
    let ended = workbench.run(&format!("claim approve {CODE} --check AC34")).await;
    assert_eq!(ended.code, 2);
    assert!(ended.error.contains("check: these are not the characters"), "{}", ended.error);
}

#[tokio::test]
async fn a_box_is_turned_away() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    let ended = workbench.run(&format!("claim deny {CODE}")).await;
    assert_eq!((ended.code, ended.output.as_str()), (0, ""), "{}", ended.error);
    assert_eq!(workbench.output(&format!("claim deny {CODE} -o name")).await, format!("claim/{CODE}\n"));
    let ended = workbench.run("claim deny ZZZZZZZZ").await;
    assert_eq!(ended.code, 3);
    assert!(ended.error.contains("hint: read the code on the box's screen again"), "{}", ended.error);
    assert_eq!(workbench.run("claim deny short").await.code, 2);
}

#[tokio::test]
async fn tokens_are_revoked_by_id_or_by_what_they_are_called() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    assert_eq!(workbench.run("join-token revoke factory").await.code, 0);
    assert_eq!(double.calls().last(), Some(&format!("revoke_join_token: {}", id(10))));
    assert_eq!(workbench.run(&format!("api-token revoke api-token/{}", id(11))).await.code, 0);
    assert_eq!(double.calls().last(), Some(&format!("revoke_api_token: {}", id(11))));
    assert_snapshot!("revoked_json", workbench.output("join-token revoke factory -o json").await);
    assert_eq!(workbench.output("join-token revoke factory -o name").await, format!("join-token/{}\n", id(10)));
    let revoked: serde_json::Value =
        serde_json::from_str(&workbench.output("api-token revoke ci -o json").await).unwrap();
    assert_eq!(revoked, serde_json::json!({ "id": id(11), "revoked": true }));
    assert_eq!(workbench.output("api-token revoke ci -o name").await, format!("api-token/{}\n", id(11)));
    assert_eq!(workbench.run("api-token revoke twice").await.code, 5);
    assert_eq!(workbench.run("api-token revoke nobody").await.code, 3);
}
