//! Homes, their people, and the tokens that reach some of them.

use crate::double::{Double, World};
use crate::people::home_person;
use crate::things::{NOW_MS, api_token, device, id, installation};
use crate::workbench::Workbench;
use insta::assert_snapshot;
use kaliun_proto::fleet::v1::{ApiToken, HomeRole, Installation};

async fn fleet() -> Double {
    let lake = Installation { id: id(901), name: "lake".to_owned(), time_zone: "UTC".to_owned() };
    Double::start(World {
        installations: vec![installation(), lake],
        people: vec![
            home_person(72, "ben@example.org", HomeRole::Owner),
            home_person(73, "eve@example.org", HomeRole::Member),
        ],
        ..World::default()
    })
    .await
}

#[tokio::test]
async fn homes_are_made_and_changed() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    let made =
        workbench.run_words(&["installation", "create", "Hut/2", "--time-zone", "Europe/Vienna", "-o", "name"]).await;
    assert_eq!((made.code, made.output.as_str()), (0, "installation/Hut/2\n"), "{}", made.error);
    let twice = workbench.run("installation create lake").await;
    assert!(twice.code == 5 && twice.error.contains("choose another name"), "{twice:?}");
    assert_snapshot!(
        "installation_json",
        workbench.output("installation set installation/lake --time-zone Europe/Graz -o json").await
    );
    assert_eq!(double.calls().last().map(String::as_str), Some("update_installation: None Some(\"Europe/Graz\")"));
    assert_eq!(workbench.output("installation rename lake pond -o name").await, "installation/pond\n");
    assert_eq!(double.calls().last().map(String::as_str), Some("update_installation: Some(\"pond\") None"));
    assert_eq!(workbench.run("installation rename lake sea").await.code, 3);
    assert_eq!(
        workbench.output("installation list -o name").await,
        workbench.output("get installations -o name").await
    );
}

#[tokio::test]
async fn a_home_is_deleted_when_no_box_serves_it() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    let bare = workbench.run("installation delete lake --yes").await;
    assert!(bare.code == 2 && bare.error.contains("installation/lake"), "{bare:?}");
    let asked = workbench.run("installation delete installation/lake").await;
    assert!(asked.code == 2 && asked.error.contains("Delete installation/lake?"), "{asked:?}");
    double.world().devices.push(device(1, "cellar-1"));
    let served = workbench.run("installation delete installation/lake --yes").await;
    assert!(served.code == 5 && served.error.contains("fleetctl device decommission"), "{served:?}");
    double.world().devices.clear();
    assert_snapshot!(
        "installation_deleted_json",
        workbench.output("installation delete installation/lake --yes -o json").await
    );
    assert_eq!(workbench.run("installation delete installation/lake --yes").await.code, 3);
}

#[tokio::test]
async fn the_people_of_a_home_are_listed_and_changed() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    assert_snapshot!("people", workbench.output("installation people lake").await);
    assert_eq!(double.calls().last(), Some(&format!("list_home_people: {}", id(901))));
    assert_snapshot!(
        "person_json",
        workbench.output("installation person set lake eve@example.org --role installer -o json").await
    );
    assert_eq!(double.calls().last(), Some(&format!("update_home_person: {} Installer", id(73))));
    let only = workbench.run("installation person remove lake ben@example.org --yes").await;
    assert!(only.code == 5 && only.error.contains("--role owner"), "{only:?}");
    assert_eq!(workbench.run("installation person remove lake eve@example.org").await.code, 2);
    assert_snapshot!(
        "person_removed_json",
        workbench.output("installation person remove lake eve@example.org --yes -o json").await
    );
    let gone = workbench.run("installation person set lake eve@example.org --role owner").await;
    assert!(gone.code == 3 && gone.error.contains("fleetctl org invite EMAIL --home NAME"), "{gone:?}");
}

#[tokio::test]
async fn a_token_may_reach_some_homes_only() {
    let double = fleet().await;
    let workbench = Workbench::at(&double);
    let line = format!(
        "api-token create ci --role operator --installation lake --installation {} --installation lake",
        id(900)
    );
    assert_eq!(workbench.output(&line).await, "kat1.a-new-token\n");
    assert_eq!(double.calls().last(), Some(&format!("create_api_token: {:?}", [id(901), id(900)])));
    assert_snapshot!("new_api_token_of_homes", workbench.output(&format!("{line} -o json")).await);
    assert_eq!(workbench.run("api-token create ci --role viewer --installation nowhere").await.code, 3);

    double.world().api_tokens = vec![
        ApiToken { installation_ids: vec![id(901), id(999)], last_used_at_ms: NOW_MS - 60_000, ..api_token(11, "ci") },
        api_token(12, "all"),
    ];
    assert_snapshot!("api_tokens_of_homes", workbench.output("api-token list").await);
    let listed: serde_json::Value = serde_json::from_str(&workbench.output("get api-token ci -o json").await).unwrap();
    assert_eq!(
        listed["installations"],
        serde_json::json!([{ "id": id(901), "name": "lake" }, { "id": id(999), "name": null }])
    );
}
