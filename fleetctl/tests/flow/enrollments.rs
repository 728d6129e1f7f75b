//! Boxes that wait for an operator.

use crate::double::{Double, World};
use crate::things::{enrollment, id, installation};
use crate::workbench::Workbench;
use insta::assert_snapshot;

async fn two_wait() -> Double {
    Double::start(World {
        enrollments: vec![enrollment(40, "shop-1"), enrollment(41, "shop-2"), enrollment(42, "shop-2")],
        installations: vec![installation()],
        ..World::default()
    })
    .await
}

#[tokio::test]
async fn boxes_that_wait_are_listed() {
    let double = two_wait().await;
    let workbench = Workbench::at(&double);
    assert_snapshot!("list", workbench.output("enrollment list").await);
    assert_snapshot!("list_json", workbench.output("enrollment list --limit 1 -o json").await);
    let nobody = Double::start(World::default()).await;
    let ended = Workbench::at(&nobody).run("enrollment list").await;
    assert_eq!((ended.code, ended.output.as_str(), ended.error.as_str()), (0, "", "No boxes wait.\n"));
}

#[tokio::test]
async fn a_box_is_taken_in_as_what_somebody_says() {
    let double = two_wait().await;
    let mut workbench = Workbench::at(&double);
    let ended = workbench.run("enrollment approve shop-1").await;
    assert!(ended.code == 2 && ended.error.contains("add --yes"), "{}", ended.error);
    assert!(ended.error.contains("The box says (its own words, not checked):"), "{}", ended.error);
    workbench.can_ask = true;
    workbench.input = "y\n".to_owned();
    let line = format!("enrollment approve enrollment/shop-1 --installation {} --label site=graz", id(900));
    assert_eq!(workbench.run(&line).await.output, "device/shop-1\n");
    let expected = format!("approve_enrollment: \"\" in {:?} with [(\"site\", \"graz\")]", id(900));
    assert_eq!(double.calls().last(), Some(&expected));
    let approved = workbench.output(&format!("enrollment approve {} --name corner --yes -o json", id(41))).await;
    assert_snapshot!("approved_json", approved);
    // Said once more, because the answer was lost.
    let again = workbench.run(&format!("enrollment approve {} --yes", id(41))).await;
    assert_eq!((again.code, again.output.as_str()), (0, "device/corner\n"), "{}", again.error);
    let never = workbench.run(&format!("enrollment approve {} --yes", id(77))).await;
    assert!(never.code == 3 && never.error.contains("waits"), "{}", never.error);
}

#[tokio::test]
async fn a_box_is_turned_away_or_has_to_be_named_better() {
    let double = two_wait().await;
    let workbench = Workbench::at(&double);
    assert_eq!(workbench.run("enrollment deny shop-2").await.code, 5, "two would have this name");
    assert_eq!(workbench.run("enrollment deny nobody").await.code, 3);
    assert_snapshot!("denied_json", workbench.output(&format!("enrollment deny {} -o json", id(42))).await);
    let named = workbench.output("enrollment deny shop-2 -o name").await;
    assert_eq!(named, format!("enrollment/{}\n", id(41)), "one is left");
}

#[tokio::test]
async fn a_token_says_what_its_boxes_are_called_and_who_decides() {
    let double = Double::start(World::default()).await;
    let workbench = Workbench::at(&double);
    let line = "join-token create --uses 5 --group shops --name-pattern shop-{serial} --approval -o json";
    let made: serde_json::Value = serde_json::from_str(&workbench.output(line).await).unwrap();
    let token = &made["join_token"];
    assert_eq!(token["labels"], serde_json::json!({ "group": "shops" }));
    assert_eq!(token["name_pattern"], "shop-{serial}");
    assert_eq!(token["needs_approval"], true);
    let twice = workbench.run("join-token create --group shops --label group=other").await;
    assert!(twice.code == 2 && twice.error.contains("group"), "{}", twice.error);
    assert_eq!(workbench.run("join-token create --group no/group").await.code, 2);
}
