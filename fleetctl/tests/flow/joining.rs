//! Who belongs to an organization by what identity providers say.

use crate::double::{Double, World};
use crate::things::id;
use crate::workbench::Workbench;
use insta::assert_snapshot;

#[tokio::test]
async fn a_domain_is_added_verified_and_given_up() {
    let double = Double::start(World::default()).await;
    let workbench = Workbench::at(&double);
    let added = workbench.run("org domain add example.org --role operator").await;
    assert_eq!(added.code, 0, "{}", added.error);
    assert!(
        added.error.contains("TXT record _kaliun-fleet.example.org that says kaliun-fleet=the-word"),
        "{}",
        added.error
    );
    assert_eq!(double.calls().last().unwrap(), "create_domain: example.org as Operator");
    assert_snapshot!("domain_list", workbench.output("org domain list").await);
    assert_snapshot!("domain_list_json", workbench.output("org domain list -o json").await);
    assert_eq!(workbench.output("org domain verify example.org -o name").await, "domain/example.org\n");
    let unknown = workbench.run("org domain verify example.com").await;
    assert!(unknown.code == 3 && unknown.error.contains("`fleetctl org domain list`"), "{}", unknown.error);
    assert_eq!(workbench.output("org domain remove example.org -o name").await, "domain/example.org\n");
    let line = format!("org domain confirm example.lan --of {} -o name", id(7));
    assert_eq!(workbench.output(&line).await, "domain/example.lan\n");
    assert_eq!(double.calls().last().unwrap(), &format!("confirm_domain: example.lan of {}", id(7)));
}

#[tokio::test]
async fn a_claim_rule_is_made_and_taken_away() {
    let double = Double::start(World::default()).await;
    let workbench = Workbench::at(&double);
    let made = "org claim-rule create groups=fleet=crew --provider company --role admin -o name";
    assert_eq!(workbench.output(made).await, format!("claim-rule/{}\n", id(950)));
    assert_eq!(double.calls().last().unwrap(), "create_claim_rule: groups is fleet=crew at company");
    assert_snapshot!("claim_rule_list", workbench.output("org claim-rule list").await);
    assert_snapshot!("claim_rule_list_json", workbench.output("org claim-rule list -o json").await);
    workbench.output(&format!("org claim-rule delete claim-rule/{}", id(950))).await;
    assert_eq!(double.calls().last().unwrap(), &format!("delete_claim_rule: {}", id(950)));
    let wrong = workbench.run("org claim-rule create groups --provider company --role admin").await;
    assert!(wrong.code == 2 && wrong.error.contains("groups=crew"), "{}", wrong.error);
}
