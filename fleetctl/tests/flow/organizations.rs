//! Organizations, and which one a call acts in.

use crate::double::{Double, INVITATION_SECRET, Logins, PERSON, World};
use crate::people::{member, organization};
use crate::things::{device, id, installation};
use crate::workbench::Workbench;
use insta::assert_snapshot;
use kaliun_proto::fleet::v1::{Invitation, Role};
use kaliun_types::secret::SecretText;

fn world() -> World {
    World {
        logins: Logins::signed_in(),
        organizations: vec![
            organization(1, "Acme", Role::Admin),
            organization(2, "Beta", Role::Viewer),
            organization(3, "Twice", Role::Unspecified),
            organization(4, "Twice", Role::Operator),
        ],
        members: vec![
            member(70, PERSON, Role::Admin),
            member(72, "ben@example.org", Role::Viewer),
            member(73, "eve\u{1b}[2J@example.org", Role::Operator),
        ],
        devices: vec![device(1, "cellar-1")],
        installations: vec![installation()],
        ..World::default()
    }
}

async fn signed_in(test: &str) -> (Double, Workbench) {
    let double = Double::start(world()).await;
    let workbench = Workbench::signed_in(&double, test, 900);
    (double, workbench)
}

/// Where the newest call acted.
fn place(double: &Double) -> String {
    double.world().places.last().unwrap().1.clone()
}

#[tokio::test]
async fn organizations_are_listed_and_chosen() {
    let (double, workbench) = signed_in("org-list").await;
    workbench.output("get devices").await;
    assert_eq!(place(&double), "", "the server chooses");
    let ended = workbench.run("org use Beta -o name").await;
    assert_eq!((ended.code, ended.output), (0, format!("org/{}\n", id(2))), "{}", ended.error);
    assert!(ended.error.contains("Context \"home\" acts in the organization \"Beta\" now."), "{}", ended.error);
    assert_snapshot!("org_list", workbench.output("org list").await);
    assert_snapshot!("org_list_json", workbench.output("org list --limit 2 -o json").await);
    workbench.output("get devices").await;
    assert_eq!(place(&double), id(2));

    assert_eq!(workbench.run("org use Twice").await.code, 5);
    workbench.output(&format!("org use org/{}", id(4))).await;
    let ended = workbench.run("org use Gamma").await;
    assert!(ended.code == 3 && ended.error.contains("fleetctl org list"), "{ended:?}");
    assert!(workbench.output("context list").await.contains("Twice"));
}

#[tokio::test]
async fn one_command_may_act_elsewhere() {
    let (double, mut workbench) = signed_in("org-option").await;
    workbench.output("org use Beta").await;
    workbench.output("get devices --organization Acme").await;
    assert_eq!(place(&double), id(1));
    let calls = double.calls().len();
    workbench.output(&format!("get devices --organization {}", id(4))).await;
    assert_eq!((place(&double), double.calls().len()), (id(4), calls + 1), "an id needs no look-up");
    workbench.environment.organization = Some("Acme".to_owned());
    workbench.output("get devices").await;
    assert_eq!(place(&double), id(1));
    let ended = workbench.run("get devices --organization Gamma").await;
    assert_eq!(ended.code, 3, "{}", ended.error);
    assert!(double.calls().last().is_some_and(|call| call == "list_my_organizations"), "nothing else was done");
    assert_eq!(workbench.run("get devices --organization 1\u{e4}").await.code, 3);
}

#[tokio::test]
async fn an_api_token_acts_in_its_own_organization_and_no_other() {
    let double = Double::start(world()).await;
    let workbench = Workbench::at(&double);
    // The double fails when an API token names an organization.
    workbench.output("get devices --organization Home").await;
    workbench.output(&format!("get devices --organization {}", id(1))).await;
    let ended = workbench.run("get devices --organization Acme").await;
    assert!(
        ended.code == 2 && ended.error.contains("belongs to the organization \"Home\", not to \"Acme\""),
        "{ended:?}"
    );
    assert_eq!(double.calls().last().map(String::as_str), Some("who_am_i"), "nothing else was done");
    let ended = workbench.run("org use Acme").await;
    assert!(ended.code == 2 && ended.error.contains("an API token has its own"), "{ended:?}");

    // A person's context lends its organization to no token of the environment.
    let mut workbench = Workbench::signed_in(&double, "org-token", 900);
    workbench.output("org use Beta").await;
    workbench.environment.token = Some(SecretText::new(crate::double::TOKEN.to_owned()));
    workbench.output("get devices").await;
}

#[tokio::test]
async fn an_organization_that_was_left_is_told() {
    let (double, workbench) = signed_in("org-left").await;
    workbench.output("org use Beta").await;
    double.world().organizations.remove(1);
    let ended = workbench.run("get devices").await;
    assert_eq!(
        ended.error,
        "error: you do not belong to the organization \"Beta\" any more, which this context acts in\n\
         hint: see yours with `fleetctl org list`, and choose one with `fleetctl org use NAME`\n"
    );
    assert_eq!(ended.code, 4);
    let watching = workbench.run("get devices --watch").await;
    assert!(watching.code == 4 && watching.error.contains("fleetctl org use NAME"), "{watching:?}");
    let named = workbench.run(&format!("get devices --organization {}", id(2))).await;
    assert!(named.code == 4 && named.error.contains("the organization that you named"), "{named:?}");
    assert!(workbench.output("org list").await.contains("Acme"), "the way out works");
    workbench.output("get sessions").await;
    workbench.output("account show").await;
    workbench.output("org use Acme").await;
    workbench.output("get devices").await;
}

#[tokio::test]
async fn an_organization_is_made_renamed_and_left() {
    let (double, workbench) = signed_in("org-life").await;
    let made = workbench
        .run_words(&[
            "org",
            "create",
            "Our house",
            "--home-name",
            "House",
            "--time-zone",
            "Europe/Vienna",
            "--use",
            "-o",
            "json",
        ])
        .await;
    assert_eq!(made.code, 0, "{}", made.error);
    assert_snapshot!("org_made_json", made.output);
    assert!(double.calls().contains(&"create_organization: \"House\" in \"Europe/Vienna\"".to_owned()));
    let renamed = workbench.run("org rename Hut").await;
    assert!(renamed.code == 0 && renamed.error.contains("\"Our house\" is called \"Hut\" now"), "{renamed:?}");
    assert!(workbench.output("context list").await.contains("Hut"));

    let asked = workbench.run("org leave").await;
    assert!(
        asked.code == 2 && asked.error.contains("Leave the organization \"Hut\"") && asked.error.contains("--yes"),
        "{asked:?}"
    );
    let only = workbench.run("org leave --yes").await;
    assert!(only.code == 5 && only.error.contains("org member set EMAIL --role admin"), "{only:?}");
    workbench.output("org member set ben@example.org --role admin").await;
    assert_snapshot!("org_left_json", workbench.output("org leave --yes -o json").await);
    assert!(!workbench.output("context list").await.contains("Hut"), "the context acts there no more");

    let plain = workbench.run("org create Club -o name").await;
    assert_eq!((plain.code, plain.output), (0, format!("org/{}\n", id(99))));
    assert!(plain.error.contains(&format!("fleetctl org use {}", id(99))), "{}", plain.error);
}

#[tokio::test]
async fn members_are_listed_and_changed() {
    let (double, workbench) = signed_in("members").await;
    assert_snapshot!("members", workbench.output("org members").await);
    assert_snapshot!("members_wide", workbench.output("org members -o wide").await);
    assert_snapshot!("member_json", workbench.output("org member set Ben@Example.org --role operator -o json").await);
    assert_eq!(double.calls().last(), Some(&format!("update_member: {} Operator", id(72))));
    let asked = workbench.run("org member remove ben@example.org").await;
    assert!(asked.code == 2 && asked.error.contains("Take ben@example.org out"), "{asked:?}");
    assert_snapshot!("member_removed_json", workbench.output("org member remove ben@example.org --yes -o json").await);
    let last = workbench.run(&format!("org member remove {PERSON} --yes")).await;
    assert!(last.code == 5 && last.error.contains("--role admin"), "{last:?}");
    assert_eq!(workbench.run("org member set nobody@example.org --role viewer").await.code, 3);
    assert_eq!(workbench.run("org member set ben@example.org --role king").await.code, 2);
    assert!(workbench.output("org members -o name").await.starts_with(&format!("member/{PERSON}\n")));
}

#[tokio::test]
async fn people_are_invited_to_all_of_it_or_to_a_home() {
    let (double, workbench) = signed_in("invite").await;
    let link = format!("https://fleet.example/invitation#{INVITATION_SECRET}\n");
    let ended = workbench.run("org invite carla@example.org --role operator").await;
    assert_eq!((ended.code, ended.output), (0, link), "the link stands alone: {}", ended.error);
    assert!(
        ended.error.contains("Invited carla@example.org as operator. The server cannot send mail"),
        "{}",
        ended.error
    );
    let home = format!("org invite carla@example.org --home {} --home-role owner -o json", id(900));
    assert_snapshot!("invitation_new_json", workbench.output(&home).await);
    assert_eq!(double.calls().last(), Some(&format!("create_invitation: Unspecified Owner of {:?}", id(900))));

    double.world().sends_mail = true;
    let ended = workbench.run("org invite dora@example.org --role viewer").await;
    assert!(
        ended.code == 0 && ended.output.is_empty() && ended.error.contains("a mail with a link is on its way"),
        "{ended:?}"
    );
    let there = workbench.run("org invite ben@example.org --role viewer").await;
    assert!(there.code == 5 && there.error.contains("fleetctl org members"), "{there:?}");

    for line in [
        "",
        "--role viewer --home x --home-role owner",
        "--home x",
        "--home-role owner",
        "--role viewer --home-role owner",
    ] {
        let ended = workbench.run(&format!("org invite carla@example.org {line}")).await;
        assert_eq!(ended.code, 2, "{line}: {}", ended.error);
    }
}

#[tokio::test]
async fn invitations_are_listed_and_taken_back() {
    let (double, workbench) = signed_in("invitations").await;
    double.world().invitations = vec![
        Invitation {
            id: id(81),
            email: "a@example.org".to_owned(),
            role: Role::Viewer.into(),
            invited_by: PERSON.to_owned(),
            ..Invitation::default()
        },
        Invitation {
            id: id(82),
            email: "a@example.org".to_owned(),
            installation_id: id(900),
            installation_name: "Haus am See".to_owned(),
            home_role: 3,
            ..Invitation::default()
        },
        Invitation { id: id(83), email: "b@example.org".to_owned(), role: Role::Admin.into(), ..Invitation::default() },
    ];
    assert_snapshot!("invitations", workbench.output("org invitations").await);
    assert_eq!(workbench.run("org invitation revoke a@example.org").await.code, 5);
    workbench.output("org invitation revoke b@example.org").await;
    assert_eq!(double.calls().last(), Some(&format!("revoke_invitation: {}", id(83))));
    let document = workbench.output(&format!("org invitation revoke invitation/{} -o json", id(81))).await;
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document, serde_json::json!({ "id": id(81), "revoked": true }));
    let gone = workbench.run(&format!("org invitation revoke {}", id(81))).await;
    assert!(gone.code == 3 && gone.error.contains("fleetctl org invitations"), "{gone:?}");
}

#[tokio::test]
async fn an_invitation_is_accepted_from_a_link_or_from_standard_input() {
    let (double, mut workbench) = signed_in("accept").await;
    workbench.output("org use Beta").await;
    let ended =
        workbench.run(&format!("org invitation accept https://fleet.example/invitation#{INVITATION_SECRET}")).await;
    assert!(
        ended.code == 0 && ended.error.contains("You are in the organization \"Club\" now, as viewer."),
        "{ended:?}"
    );
    assert!(ended.error.contains(&format!("fleetctl org use {}", id(98))), "{}", ended.error);
    assert_eq!(place(&double), "", "whoever is invited does not act in their own organization");

    workbench.input = format!("{INVITATION_SECRET}\n");
    let ended = workbench.run("org invitation accept --use -o json").await;
    assert!(ended.code == 0 && ended.output.contains("\"current\": true"), "{ended:?}");
    workbench.input = "kin1.wrong\n".to_owned();
    let wrong = workbench.run("org invitation accept").await;
    assert!(wrong.code == 3 && wrong.error.contains("ask whoever invited you"), "{wrong:?}");
    workbench.input = String::new();
    assert_eq!(workbench.run("org invitation accept").await.code, 2);
}
