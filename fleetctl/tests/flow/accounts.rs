//! The caller's account and sessions, and people who asked for an account.

use crate::double::{Double, Logins, PERSON, World};
use crate::people::{organization, session, sign_up};
use crate::things::{id, installation};
use crate::workbench::Workbench;
use insta::assert_snapshot;
use kaliun_proto::fleet::v1::{HomeRole, Role};
use std::os::unix::fs::PermissionsExt as _;

async fn signed_in(test: &str) -> (Double, Workbench) {
    let double = Double::start(World {
        logins: Logins::signed_in(),
        organizations: vec![organization(1, "Acme", Role::Unspecified)],
        person_name: "Anna".to_owned(),
        installations: vec![installation()],
        own_homes: vec![(id(900), HomeRole::Owner), (id(901), HomeRole::Member)],
        sessions: vec![session(50, true), session(51, false), session(52, false)],
        sign_ups: vec![
            sign_up(30, "carla@example.org"),
            sign_up(31, "dora@example.org"),
            sign_up(32, "dora@example.org"),
        ],
        ..World::default()
    })
    .await;
    let workbench = Workbench::signed_in(&double, test, 900);
    (double, workbench)
}

#[tokio::test]
async fn somebody_of_single_homes_is_shown_what_they_are_there() {
    let (_double, workbench) = signed_in("whoami-homes").await;
    let (shown, json) = (workbench.output("whoami").await, workbench.output("whoami -o json").await);
    insta::with_settings!({filters => vec![(r"http://127\.0\.0\.1:\d+", "http://SERVER")]}, {
        assert_snapshot!("whoami_of_homes", shown);
        assert_snapshot!("whoami_of_homes_json", json);
    });
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let (double, workbench) = signed_in("sessions").await;
    assert_snapshot!("sessions", workbench.output("get sessions").await);
    assert_snapshot!("sessions_wide", workbench.output("get sessions -o wide").await);
    assert_snapshot!("sessions_json", workbench.output("get sessions --limit 1 -o json").await);
    assert_eq!(workbench.output("get sessions --page-token 2 -o name").await, format!("session/{}\n", id(52)));
    let revoked = workbench.output(&format!("session revoke session/{} -o json", id(51))).await;
    let revoked: serde_json::Value = serde_json::from_str(&revoked).unwrap();
    assert_eq!(revoked, serde_json::json!({ "id": id(51), "revoked": true }));
    let gone = workbench.run(&format!("session revoke {}", id(51))).await;
    assert!(gone.code == 3 && gone.error.contains("fleetctl get sessions"), "{gone:?}");
    let others = workbench.run("session revoke --others -o json").await;
    assert_eq!((others.code, others.output.as_str()), (0, "{\n  \"revoked_count\": 1\n}\n"));
    assert!(others.error.contains("Revoked one other session."), "{}", others.error);
    assert!(workbench.run("session revoke --others").await.error.contains("nowhere else"));
    assert_eq!(double.world().sessions.len(), 1);
    assert_eq!(workbench.run("session revoke").await.code, 2);
    assert_eq!(workbench.run("session revoke x --others").await.code, 2);
}

#[tokio::test]
async fn an_account_is_shown_renamed_and_exported() {
    let (_double, workbench) = signed_in("account").await;
    assert_snapshot!("account", workbench.output("account show").await);
    let renamed = workbench.run_words(&["account", "rename", "Anna B.", "-o", "json"]).await;
    assert_snapshot!("account_json", renamed.output);

    let exported: serde_json::Value = serde_json::from_str(&workbench.output("account export").await).unwrap();
    assert_eq!(exported["account"]["email"], PERSON);
    let yaml: serde_json::Value = serde_yaml_ng::from_str(&workbench.output("account export -o yaml").await).unwrap();
    assert_eq!(yaml, exported);
    let file = workbench.config_file().with_file_name("me.json");
    let line = format!("account export --out {} -o json", file.display());
    let document: serde_json::Value = serde_json::from_str(&workbench.output(&line).await).unwrap();
    assert_eq!(document["size_bytes"], 53);
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(kept, exported);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(workbench.run(&line).await.code, 2, "nothing is overwritten");

    let double = Double::start(World::default()).await;
    let ended = Workbench::at(&double).run("account show").await;
    assert!(ended.code == 4 && ended.error.contains("the API token \"first\" has no account"), "{ended:?}");
}

#[tokio::test]
async fn who_asked_for_an_account_is_let_in_or_turned_away() {
    let (double, mut workbench) = signed_in("sign-ups").await;
    assert_snapshot!("sign_ups", workbench.output("get sign-ups").await);
    assert_snapshot!("sign_up_json", workbench.output("get sign-up/carla@example.org -o json").await);
    let asked = workbench.run("sign-up approve carla@example.org").await;
    assert!(asked.code == 2 && asked.error.contains("their own words, not checked"), "{asked:?}");
    assert!(!asked.error.contains('\u{1b}'), "{asked:?}");
    workbench.can_ask = true;
    workbench.input = "y\n".to_owned();
    assert_snapshot!("sign_up_approved_json", workbench.output("sign-up approve carla@example.org -o json").await);
    assert_eq!(double.calls().last(), Some(&format!("approve_sign_up: {}", id(30))));
    assert_eq!(workbench.run("sign-up deny dora@example.org").await.code, 5);
    let denied = workbench.output(&format!("sign-up deny sign-up/{} -o json", id(31))).await;
    let denied: serde_json::Value = serde_json::from_str(&denied).unwrap();
    assert_eq!(denied, serde_json::json!({ "id": id(31), "denied": true }));
    assert_eq!(workbench.run("sign-up approve carla@example.org --yes").await.code, 3);
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_error() {
    let (_double, mut workbench) = signed_in("people-broken-pipe").await;
    workbench.reader_leaves_after = Some(10);
    for line in [
        "get sessions",
        "get sign-ups -o json",
        "account export",
        "whoami -o yaml",
        "org list -o name",
        "logout -o json",
    ] {
        let ended = workbench.run(line).await;
        assert_eq!(ended.code, 0, "{line}: {}", ended.error);
        assert!(!ended.error.contains("error:"), "{line}: {}", ended.error);
    }
}
