//! Exit codes, hints, paging and everything that goes wrong.

use crate::double::{Double, World};
use crate::people::{consent, home_person, member, organization, session, sign_up};
use crate::things::{api_token, device, enrollment, id, installation, join_token, silent, straggler};
use crate::workbench::{Ended, Workbench};
use kaliun_proto::fleet::v1::{ConsentState, HomeRole, Installation, Invitation, Role};
use kaliun_types::secret::SecretText;
use tokio::net::TcpListener;
use tonic::Status;

/// Each failure is two lines: what, and what to do.
fn check(ended: &Ended, code: u8, error: &str, hint: &str) {
    let lines: Vec<&str> = ended.error.lines().collect();
    let [.., said, hinted] = lines.as_slice() else { panic!("{ended:?}") };
    assert_eq!(ended.code, code, "{ended:?}");
    assert!(said.starts_with("error: ") && said.contains(error), "{ended:?}");
    assert!(hinted.starts_with("hint: ") && hinted.contains(hint), "{ended:?}");
    assert_eq!(ended.output, "");
}

#[tokio::test]
async fn all_pages_are_fetched_in_chunks() {
    let devices: Vec<_> = (1..=7).map(|number| silent(number, &format!("box-{number}"))).collect();
    let double = Double::start(World { devices, ..World::default() }).await;
    let workbench = Workbench::at(&double);
    let names = workbench.output("get devices -o name --chunk-size 3").await;
    assert_eq!(names.lines().count(), 7);
    let sizes: Vec<String> =
        double.calls().iter().map(|call| call.split(" selector").next().unwrap().to_owned()).collect();
    assert_eq!(sizes, ["list_devices: 3 from \"\"", "list_devices: 3 from \"3\"", "list_devices: 3 from \"6\""]);
}

#[tokio::test]
async fn a_limit_ends_the_list_and_says_where_to_go_on() {
    let devices: Vec<_> = (1..=7).map(|number| silent(number, &format!("box-{number}"))).collect();
    let double = Double::start(World { devices, ..World::default() }).await;
    let workbench = Workbench::at(&double);
    let output = workbench.output("get devices -o json --chunk-size 2 --limit 5").await;
    let list: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(5));
    assert_eq!(list["next_page_token"], "5");
    assert_eq!(workbench.output("get devices -o name --page-token 5").await, "device/box-6\ndevice/box-7\n");
}

#[tokio::test]
async fn every_list_goes_on_where_an_earlier_one_ended() {
    let double = Double::start(World {
        enrollments: vec![enrollment(40, "shop-1"), enrollment(41, "shop-2")],
        join_tokens: vec![join_token(10, "factory", 2), join_token(11, "shop", 0)],
        api_tokens: vec![api_token(20, "ci"), api_token(21, "cron")],
        stragglers: vec![straggler(1, "attic"), straggler(2, "barn")],
        installations: vec![installation(), Installation { id: id(901), name: "lake".to_owned(), ..installation() }],
        organizations: vec![organization(1, "Acme", Role::Admin), organization(2, "Beta", Role::Viewer)],
        members: vec![member(1, "a@example.org", Role::Admin), member(2, "b@example.org", Role::Viewer)],
        people: vec![
            home_person(1, "a@example.org", HomeRole::Owner),
            home_person(2, "b@example.org", HomeRole::Member),
        ],
        consents: vec![consent(1, ConsentState::Granted), consent(2, ConsentState::Waiting)],
        invitations: (1..=2).map(|number| Invitation { id: id(number), ..Invitation::default() }).collect(),
        sessions: vec![session(1, true), session(2, false)],
        sign_ups: vec![sign_up(1, "a@example.org"), sign_up(2, "b@example.org")],
        ..World::default()
    })
    .await;
    let workbench = Workbench::at(&double);
    for line in [
        "enrollment list",
        "join-token list",
        "api-token list",
        "ca stragglers",
        "ca stragglers --backwards",
        "installation list",
        "installation people lake",
        "org list",
        "org members",
        "org invitations",
        "access list",
        "access list --open",
        "get sessions",
        "get sign-ups",
    ] {
        let whole = workbench.output(&format!("{line} -o name")).await;
        let first = workbench.output(&format!("{line} --limit 1 -o json")).await;
        let first: serde_json::Value = serde_json::from_str(&first).unwrap();
        let token = first["next_page_token"].as_str().unwrap();
        let rest = workbench.output(&format!("{line} --page-token {token} -o name")).await;
        assert_eq!(whole.lines().skip(1).collect::<Vec<_>>(), rest.lines().collect::<Vec<_>>(), "{line}");
    }
    check(&workbench.run("ca stragglers --limit 0").await, 2, "--limit", "");
}

#[tokio::test]
async fn filter_and_order_reach_the_server() {
    let double = Double::start(World { devices: vec![device(1, "a"), silent(2, "b")], ..World::default() }).await;
    let workbench = Workbench::at(&double);
    let names = workbench.output("get devices -o name -l site=graz --sort-by health --link offline").await;
    assert_eq!(names, "device/a\n");
    assert_eq!(double.calls(), ["list_devices: 100 from \"\" selector \"site=graz\" order Health link Offline"]);
}

#[tokio::test]
async fn any_field_can_be_sorted_by() {
    let mut busy = device(1, "busy");
    busy.last_sample = Some(crate::things::sample(0.9));
    let double =
        Double::start(World { devices: vec![silent(3, "none"), busy, device(2, "idle")], ..World::default() }).await;
    let workbench = Workbench::at(&double);
    let line = "get devices -o name --sort-by last_sample.values.cpu_busy_ratio";
    assert_eq!(workbench.output(line).await, "device/idle\ndevice/busy\ndevice/none\n");
    assert_eq!(workbench.output(&format!("{line} --limit 1")).await, "device/idle\n");
    check(&workbench.run("get devices --sort-by colour").await, 2, "\"colour\"", "last_sample.values.cpu_busy_ratio");
}

#[tokio::test]
async fn a_missing_device_is_not_found() {
    let double = Double::start(World { devices: vec![silent(1, "a")], ..World::default() }).await;
    let workbench = Workbench::at(&double);
    check(&workbench.run("get device/b").await, 3, "There is no such device", "get devices");
    check(&workbench.run("describe b").await, 3, "There is no such device", "get devices");
    check(&workbench.run("get join-token/b").await, 3, "there is no join-token/b", "get join-tokens");
    let ended = workbench.run("get device a b -o name").await;
    assert_eq!((ended.code, ended.output.as_str()), (7, "device/a\n"));
}

#[tokio::test]
async fn who_is_not_let_in_is_denied() {
    let double = Double::start(World::default()).await;
    let mut workbench = Workbench::at(&double);
    workbench.environment.token = Some(SecretText::new("kat1.another".to_owned()));
    check(&workbench.run("get devices").await, 4, "This token is not known", "fleetctl login");
    workbench.environment.token = None;
    check(&workbench.run("get devices").await, 4, "nobody is signed in", "FLEETCTL_TOKEN");
    assert_eq!(double.calls().len(), 1, "without a token nobody is asked");

    double.world().refusal = Some(Status::permission_denied("Viewers may not do this."));
    let workbench = Workbench::at(&double);
    check(&workbench.run("join-token create").await, 4, "Viewers may not do this", "whoami");
}

#[tokio::test]
async fn a_conflict_has_its_own_code() {
    let double = Double::start(World {
        refusal: Some(Status::aborted("The device was changed meanwhile.")),
        ..World::default()
    })
    .await;
    let workbench = Workbench::at(&double);
    check(&workbench.run("get devices").await, 5, "changed meanwhile", "repeat the command");
    double.world().refusal = Some(Status::failed_precondition("Its state is another one."));
    check(&workbench.run("device extend cellar-1").await, 5, "another one", "fleetctl describe");
    check(&workbench.run("claim deny AB3DEFGH").await, 5, "another one", "fleetctl claim show");
}

#[tokio::test]
async fn a_silent_server_is_a_timeout() {
    let double = Double::start(World { silent: true, ..World::default() }).await;
    let workbench = Workbench::at(&double);
    check(&workbench.run("get devices --timeout 200ms").await, 6, "within 200ms", "--timeout");
    check(&workbench.run("get devices --watch --timeout 200ms").await, 6, "within 200ms", "--timeout");

    // A listener that never says a word, so that not even the connection comes about.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut workbench = Workbench::at(&double);
    workbench.environment.server = Some(format!("http://{}", listener.local_addr().unwrap()));
    let ended = workbench.run("get devices --timeout 200ms").await;
    assert_eq!(ended.code, 6, "{ended:?}");
}

#[tokio::test]
async fn an_absent_server_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut workbench = Workbench::bare("absent");
    workbench.environment.server = Some(format!("http://{address}"));
    workbench.environment.token = Some(SecretText::new("x".to_owned()));
    check(&workbench.run("get devices").await, 1, &format!("cannot reach http://{address}: "), "check the address");
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_error() {
    let devices: Vec<_> = (1..=50).map(|number| device(number, &format!("box-{number}"))).collect();
    let double = Double::start(World { devices, ..World::default() }).await;
    let mut workbench = Workbench::at(&double);
    workbench.reader_leaves_after = Some(100);
    for line in ["get devices", "get devices -o json", "get devices -o name", "completion bash", "--help"] {
        let ended = workbench.run(line).await;
        assert_eq!((ended.code, ended.error.as_str()), (0, ""), "{line}");
    }
}

#[tokio::test]
async fn a_wrong_command_line_is_a_usage_error() {
    let workbench = Workbench::bare("usage");
    check(&workbench.run("get").await, 2, "required arguments were not provided", "usage: fleetctl get");
    check(&workbench.run("get boxes").await, 2, "\"boxes\" is nothing that can be listed", "");
    check(&workbench.run("get devices -l =x").await, 2, "selector, at character 1", "");
    check(&workbench.run("get devices --chunk-size 501").await, 2, "501", "");
    check(&workbench.run("fly").await, 2, "unrecognized subcommand 'fly'", "fleetctl");
    check(&workbench.run("get events --watch").await, 2, "--watch works for devices", "leave --watch out");
    check(&workbench.run("get device/a event/b").await, 2, "\"event/b\" is no device/NAME", "one kind");
    check(&workbench.run("get devices").await, 2, "no server is set", "FLEETCTL_SERVER");
    let ended = workbench.run("").await;
    assert_eq!(ended.code, 2);
}

#[tokio::test]
async fn help_version_and_scripts_are_data() {
    let workbench = Workbench::bare("scripts");
    assert!(workbench.output("--help").await.contains("Exit codes: 0 ok, 1 error, 2 usage, 3 not found"));
    assert!(workbench.output("--version").await.starts_with("fleetctl "));
    assert!(workbench.output("version").await.starts_with("fleetctl "));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = workbench.output(&format!("completion {shell}")).await;
        assert!(script.contains("join-token"), "{shell}");
    }
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("fleetctl-man");
    assert_eq!(workbench.output(&format!("man --out-dir {}", folder.display())).await, "");
    let page = std::fs::read_to_string(folder.join("fleetctl-join-token-create.1")).unwrap();
    assert!(page.contains("How many boxes may enrol with it"), "{page}");
}

#[tokio::test]
async fn the_version_of_a_server_needs_no_token() {
    let double = Double::start(World::default()).await;
    let output = Workbench::at(&double).output("version").await;
    assert!(output.contains(&format!("server 9.9.9 ({})", double.url)), "{output}");
    assert_eq!(double.calls(), ["get_version: signed false"]);
}
