//! `get devices --watch`.

use crate::double::{Double, Logins, World};
use crate::people::organization;
use crate::things::{NOW_MS, device, id, silent};
use crate::workbench::Workbench;
use insta::assert_snapshot;
use kaliun_fleetctl::console::Screen;
use kaliun_proto::fleet::v1::watch_response::Message;
use kaliun_proto::fleet::v1::{
    CaughtUp, Device, DeviceListOrder, DeviceSummary, KeepAlive, Link, LinkState, Role, WatchResponse,
};
use tonic::Status;

type Script = Vec<Result<WatchResponse, Status>>;

fn sent(part: usize, message: Message) -> Result<WatchResponse, Status> {
    Ok(WatchResponse { subscription_id: part.to_string(), message: Some(message) })
}

fn order(part: usize, devices: &[&Device], next: &str) -> Result<WatchResponse, Status> {
    let device_ids = devices.iter().map(|device| device.id.clone()).collect();
    sent(part, Message::Order(DeviceListOrder { device_ids, next_page_token: next.to_owned() }))
}

fn caught_up(part: usize) -> Result<WatchResponse, Status> {
    sent(part, Message::CaughtUp(CaughtUp {}))
}

fn gone_offline(device: &Device) -> Device {
    let link = Link { state: LinkState::Offline.into(), since_ms: NOW_MS - 1_000, reason: "link.lost".to_owned() };
    Device { link: Some(link), ..device.clone() }
}

fn the_end() -> Result<WatchResponse, Status> {
    Err(Status::permission_denied("Your session has ended."))
}

/// A first state of two, a change, a newcomer, a departure.
fn story() -> (Vec<Device>, Script) {
    let (a, b, c) = (device(1, "attic"), device(2, "barn"), silent(3, "cellar"));
    let summary = DeviceSummary { total: 2, online: 2, ok: 2, ..DeviceSummary::default() };
    let script = vec![
        order(0, &[&a, &b], ""),
        sent(0, Message::Device(a.clone())),
        sent(0, Message::Device(b.clone())),
        sent(0, Message::Summary(summary)),
        caught_up(0),
        Ok(WatchResponse {
            subscription_id: String::new(),
            message: Some(Message::KeepAlive(KeepAlive { now_ms: NOW_MS })),
        }),
        // The same again is no change.
        sent(0, Message::Device(a.clone())),
        sent(0, Message::Device(gone_offline(&b))),
        sent(0, Message::Device(c.clone())),
        order(0, &[&a, &b, &c], ""),
        sent(0, Message::RemovedDeviceId(a.id.clone())),
        the_end(),
    ];
    (vec![a, b], script)
}

async fn double_of(devices: Vec<Device>, watches: Vec<Script>) -> Double {
    Double::start(World { devices, watches: watches.into(), ..World::default() }).await
}

#[tokio::test]
async fn changes_are_json_lines() {
    let (devices, script) = story();
    let double = double_of(devices, vec![script]).await;
    let ended = Workbench::at(&double).run("get devices --watch -o json").await;
    assert_eq!(ended.code, 4, "{}", ended.error);
    let told: Vec<(String, String)> = ended
        .output
        .lines()
        .map(|line| {
            let change: serde_json::Value = serde_json::from_str(line).unwrap();
            let device = &change["device"];
            let shown = device["name"].as_str().zip(device["link"]["state"].as_str());
            (change["type"].as_str().unwrap().to_owned(), shown.map_or(String::new(), |(n, s)| format!("{n} {s}")))
        })
        .collect();
    let told: Vec<(&str, &str)> = told.iter().map(|(kind, device)| (kind.as_str(), device.as_str())).collect();
    assert_eq!(
        told,
        [
            ("present", "attic online"),
            ("present", "barn online"),
            ("caught_up", ""),
            ("changed", "barn offline"),
            ("added", "cellar offline"),
            ("removed", "attic online"),
        ]
    );
}

#[tokio::test]
async fn changes_in_a_pipe_are_rows() {
    let (devices, script) = story();
    let double = double_of(devices, vec![script]).await;
    let ended = Workbench::at(&double).run("get devices -w").await;
    assert_snapshot!(ended.output);
}

#[tokio::test]
async fn a_broken_stream_is_opened_again_and_only_differences_are_told() {
    let (a, b) = (device(1, "attic"), device(2, "barn"));
    let first = vec![
        sent(0, Message::Device(a.clone())),
        sent(0, Message::Device(b.clone())),
        caught_up(0),
        Err(Status::unavailable("The server is going down.")),
    ];
    let second = vec![sent(0, Message::Device(gone_offline(&b))), caught_up(0), the_end()];
    let double = double_of(vec![a, b], vec![first, second]).await;
    let ended = Workbench::at(&double).run("get devices -w").await;
    assert_eq!(ended.code, 4);
    assert!(ended.error.starts_with("warning: cannot follow the changes: The server is going down; trying again"));
    assert!(ended.error.contains("\nThe changes are followed again.\n"), "{}", ended.error);
    let told: Vec<&str> =
        ended.output.lines().map(|line| line.split_once("  link").map_or(line, |(row, _)| row)).collect();
    assert_eq!(told.len(), 5, "{}", ended.output);
    assert!(told[3].starts_with("changed  barn"), "{}", ended.output);
    assert!(told[4].starts_with("removed  attic"), "{}", ended.output);
}

#[tokio::test]
async fn a_large_fleet_is_followed_page_by_page() {
    let devices: Vec<Device> = (1..=501).map(|number| silent(number, &format!("box-{number:03}"))).collect();
    let script = vec![
        sent(0, Message::Device(devices[0].clone())),
        order(0, &[&devices[0]], "500"),
        caught_up(0),
        sent(1, Message::Device(devices[500].clone())),
        order(1, &[&devices[500]], ""),
        caught_up(1),
        the_end(),
    ];
    let double = double_of(devices, vec![script]).await;
    let ended = Workbench::at(&double).run("get devices -w -o json -l !retired").await;
    assert_eq!(ended.output.lines().count(), 3, "{}", ended.output);
    let watch = double.calls().into_iter().find(|call| call.starts_with("watch"));
    assert_eq!(
        watch.as_deref(),
        Some("watch: 0 list 500 from \"\" \"!retired\", 1 list 500 from \"500\" \"!retired\"")
    );
}

#[tokio::test]
async fn single_devices_are_followed_by_id() {
    let devices = vec![device(1, "attic"), device(2, "barn")];
    let script = vec![
        sent(0, Message::Device(devices[0].clone())),
        sent(1, Message::Device(devices[1].clone())),
        caught_up(0),
        caught_up(1),
        the_end(),
    ];
    let double = double_of(devices, vec![script]).await;
    let ended = Workbench::at(&double).run("get device attic barn -w -o json").await;
    assert_eq!(ended.output.lines().count(), 3, "{}", ended.output);
    assert_eq!(double.calls().last(), Some(&format!("watch: 0 device {}, 1 device {}", id(1), id(2))));
}

#[tokio::test]
async fn a_limit_is_for_the_watch_as_well() {
    let a = device(1, "attic");
    let script = vec![sent(0, Message::Device(a.clone())), order(0, &[&a], "1"), caught_up(0), the_end()];
    let double = double_of(vec![a, device(2, "barn")], vec![script]).await;
    let ended = Workbench::at(&double).run("get devices -w -o json --limit 1").await;
    assert_eq!(ended.output.lines().count(), 2, "{}", ended.output);
    assert_eq!(double.calls(), ["watch: 0 list 1 from \"\" \"\""]);
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_the_watch() {
    let (devices, mut script) = story();
    script.pop();
    let double = double_of(devices, vec![script]).await;
    let mut workbench = Workbench::at(&double);
    workbench.reader_leaves_after = Some(10);
    let ended = workbench.run("get devices -w -o json").await;
    assert_eq!((ended.code, ended.error.as_str()), (0, ""));
}

#[tokio::test]
async fn names_cannot_be_watched() {
    let double = double_of(Vec::new(), Vec::new()).await;
    assert_eq!(Workbench::at(&double).run("get devices -w -o name").await.code, 2);
}

#[tokio::test]
async fn on_a_terminal_the_table_stays_in_place() {
    let (a, b) = (device(1, "attic"), device(2, "barn"));
    let first = vec![
        order(0, &[&a, &b], ""),
        sent(0, Message::Device(a.clone())),
        sent(0, Message::Device(b.clone())),
        caught_up(0),
        Err(Status::unavailable("Gone for a moment.")),
    ];
    let second = vec![
        order(0, &[&a, &b], ""),
        sent(0, Message::Device(a.clone())),
        sent(0, Message::Device(gone_offline(&b))),
        caught_up(0),
        Err(Status::unavailable("Gone again.")),
    ];
    let double = double_of(vec![a, b], vec![first, second]).await;
    let mut workbench = Workbench::at(&double);
    workbench.screen = Screen::Fixed { columns: 80, rows: 10 };
    let ended = workbench.run("get devices -w --color never").await;
    assert_eq!(ended.code, 4);
    assert!(!ended.error.contains("warning"), "nothing may be written into the table: {}", ended.error);
    let screen = replay(&ended.output);
    assert_eq!(screen.len(), 4, "{screen:?}");
    assert!(screen[0].starts_with("NAME "), "{screen:?}");
    assert!(screen[1].starts_with("attic  online"), "{screen:?}");
    assert!(screen[2].starts_with("barn   offline"), "{screen:?}");
    assert!(screen[3].contains("Gone again; trying again"), "{screen:?}");
    assert_eq!(ended.output.matches("attic").count(), 1, "a row that did not change is not written again");
}

/// Does what a terminal would: the lines that stand on it in the end.
fn replay(output: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut row = 0_usize;
    let mut rest = output;
    while let Some(character) = rest.chars().next() {
        if let Some(sequence) = rest.strip_prefix("\u{1b}[") {
            let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
            let number = sequence[..end].parse().unwrap_or(1_usize);
            match &sequence[end..=end] {
                "F" => row -= number,
                "K" => lines.resize(lines.len().max(row + 1), String::new()),
                "J" => lines.truncate(row),
                other => panic!("unknown sequence {other}"),
            }
            if &sequence[..=end] == "2K" {
                lines[row].clear();
            }
            rest = &sequence[end + 1..];
            continue;
        }
        match character {
            '\r' => {}
            '\n' => row += 1,
            _ => lines[row].push(character),
        }
        rest = &rest[character.len_utf8()..];
    }
    lines
}

#[tokio::test]
async fn a_watch_outlives_the_token_that_it_began_with() {
    let a = device(1, "attic");
    let run_out = || Err(Status::unauthenticated("This token has run out."));
    let first = vec![order(0, &[&a], ""), sent(0, Message::Device(a.clone())), caught_up(0), run_out()];
    let second = vec![order(0, &[&a], ""), sent(0, Message::Device(gone_offline(&a))), caught_up(0), the_end()];
    let double = double_of(vec![a], vec![first.clone(), second]).await;
    double.world().logins = Logins::signed_in();
    double.world().organizations = vec![organization(1, "Acme", Role::Viewer)];
    let workbench = Workbench::signed_in(&double, "watch-renewal", 900);
    let ended = workbench.run("get devices --watch -o json").await;
    assert!(ended.code == 4 && ended.error.contains("Your session has ended"), "{ended:?}");
    assert!(ended.output.contains("\"changed\""), "{}", ended.output);
    assert!(!ended.error.contains("warning"), "it happens all 15 minutes, and is nothing to tell: {}", ended.error);

    // With an API token there is no other.
    double.world().watches = [first].into();
    let ended = Workbench::at(&double).run("get devices --watch -o json").await;
    assert!(ended.code == 4 && ended.error.contains("has run out"), "{ended:?}");
}
