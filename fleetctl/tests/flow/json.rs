//! The JSON contract. What stands here may only grow: programs of other people read it.

use crate::double::{CHECK, CODE, Double, World};
use crate::things::{api_token, certificate, device, event, installation, join_token, silent, troubled};
use crate::workbench::Workbench;
use insta::assert_snapshot;
use kaliun_proto::fleet::v1::CertificateCause;

#[tokio::test]
async fn a_list_of_devices() {
    let devices = vec![device(1, "cellar-1"), silent(3, "new-one")];
    let double = Double::start(World { devices, ..World::default() }).await;
    assert_snapshot!(Workbench::at(&double).output("get devices -o json").await);
}

#[tokio::test]
async fn a_single_device_in_trouble() {
    let double = Double::start(World { devices: vec![troubled(2, "attic-2")], ..World::default() }).await;
    assert_snapshot!(Workbench::at(&double).output("get device/attic-2 -o json").await);
}

#[tokio::test]
async fn several_named_devices_are_a_list() {
    let devices = vec![silent(1, "a"), silent(2, "b"), silent(3, "c")];
    let double = Double::start(World { devices, ..World::default() }).await;
    let output = Workbench::at(&double).output("get device b a -o json").await;
    let list: serde_json::Value = serde_json::from_str(&output).unwrap();
    let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["b", "a"]);
    assert!(list["next_page_token"].is_null());
}

#[tokio::test]
async fn an_empty_list_is_a_list() {
    let double = Double::start(World::default()).await;
    let workbench = Workbench::at(&double);
    assert_eq!(workbench.output("get devices -o json").await, "{\n  \"items\": [],\n  \"next_page_token\": null\n}\n");
    let ended = workbench.run("get devices").await;
    assert_eq!((ended.code, ended.output.as_str(), ended.error.as_str()), (0, "", "No devices.\n"));
}

#[tokio::test]
async fn a_description() {
    let device = troubled(2, "attic-2");
    let events = vec![event(8, &device, "link.timeout", "Nothing was heard for 45 s.")];
    let double = Double::start(World { devices: vec![silent(3, "x"), device], events, ..World::default() }).await;
    let output = Workbench::at(&double).output("describe attic-2 -o json").await;
    let described: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!(described["device"]["name"], "attic-2");
    assert_eq!(described["certificates"].as_array().map(Vec::len), Some(0));
    assert_snapshot!(serde_json::to_string_pretty(&described["events"]).unwrap());
}

#[tokio::test]
async fn certificates_of_a_device() {
    let device = device(1, "cellar-1");
    let history = vec![certificate(3, CertificateCause::Recovered, 2), certificate(50, CertificateCause::Enrolled, 1)];
    let certificates = [(device.id.clone(), history)].into();
    let double = Double::start(World { devices: vec![device], certificates, ..World::default() }).await;
    let workbench = Workbench::at(&double);
    let described: serde_json::Value =
        serde_json::from_str(&workbench.output("describe device/cellar-1 -o json").await).unwrap();
    assert_snapshot!(serde_json::to_string_pretty(&described["certificates"]).unwrap());
    workbench.output("describe device/cellar-1 --certificates 0").await;
    workbench.output("describe device/cellar-1 --certificates 1").await;
    let asked: Vec<_> =
        double.calls().into_iter().filter(|call| call.starts_with("list_device_certificates")).collect();
    assert_eq!(asked.len(), 2, "not asked for when none is wanted: {asked:?}");
    assert!(asked.last().is_some_and(|call| call.starts_with("list_device_certificates: 1 of")), "{asked:?}");
}

#[tokio::test]
async fn tokens_and_homes() {
    let double = Double::start(World {
        join_tokens: vec![join_token(10, "factory", 2)],
        api_tokens: vec![api_token(11, "ci")],
        installations: vec![installation()],
        ..World::default()
    })
    .await;
    let workbench = Workbench::at(&double);
    assert_snapshot!("join_tokens", workbench.output("get join-tokens -o json").await);
    assert_snapshot!("api_tokens", workbench.output("api-token list -o json").await);
    assert_snapshot!("installations", workbench.output("get installations -o json").await);
    assert_snapshot!("new_join_token", workbench.output("join-token create --uses 5 --label site=graz -o json").await);
    assert_snapshot!("new_api_token", workbench.output("api-token create ci --role viewer -o json").await);
}

#[tokio::test]
async fn whoami_version_and_claim() {
    let double = Double::start(World::default()).await;
    let workbench = Workbench::at(&double);
    let whoami = workbench.output("whoami -o json").await;
    let version = workbench.output("version -o json").await;
    insta::with_settings!({filters => vec![
        (r"http://127\.0\.0\.1:\d+", "http://SERVER"),
        (r#""client": \{\s+"version": "[^"]+""#, r#""client": { "version": "VERSION""#),
    ]}, {
        assert_snapshot!("whoami", whoami);
        assert_snapshot!("version", version);
    });
    assert_snapshot!("claim_shown", workbench.output(&format!("claim show {CODE} -o json")).await);
    assert_snapshot!("claim", workbench.output(&format!("claim approve {CODE} --check {CHECK} -o json")).await);
    assert_snapshot!("claim_denied", workbench.output(&format!("claim deny {CODE} -o json")).await);
}

#[tokio::test]
async fn yaml_says_the_same_as_json() {
    let double = Double::start(World { devices: vec![troubled(2, "attic-2")], ..World::default() }).await;
    let workbench = Workbench::at(&double);
    let json: serde_json::Value = serde_json::from_str(&workbench.output("get devices -o json").await).unwrap();
    let yaml: serde_json::Value = serde_yaml_ng::from_str(&workbench.output("get devices -o yaml").await).unwrap();
    assert_eq!(json, yaml);
}

#[tokio::test]
async fn names_are_targets_again() {
    let double = Double::start(World { devices: vec![silent(1, "a"), silent(2, "b")], ..World::default() }).await;
    assert_eq!(Workbench::at(&double).output("get devices -o name").await, "device/a\ndevice/b\n");
}
