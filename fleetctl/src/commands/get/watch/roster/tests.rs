use super::*;
use kaliun_proto::fleet::v1 as proto;

fn message(index: usize, message: Message) -> WatchResponse {
    WatchResponse { subscription_id: index.to_string(), message: Some(message) }
}

fn device(id: &str, version: u64) -> Message {
    Message::Device(proto::Device { id: id.to_owned(), name: id.to_owned(), version, ..proto::Device::default() })
}

fn order(ids: &[&str], next: &str) -> Message {
    Message::Order(proto::DeviceListOrder {
        device_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        next_page_token: next.to_owned(),
    })
}

fn pages(tokens: &[&str], open_end: bool) -> Parts {
    Parts::Pages { tokens: tokens.iter().map(|token| (*token).to_owned()).collect(), open_end }
}

fn caught_up() -> Message {
    Message::CaughtUp(proto::CaughtUp {})
}

fn check(roster: &mut Roster, index: usize, sent: Message, expected: &[(ChangeKind, &str)]) {
    let shown = format!("{sent:?}");
    let changes = roster.apply(message(index, sent));
    let changes: Vec<(ChangeKind, &str)> = changes
        .iter()
        .map(|change| (change.kind, change.device.as_ref().map_or("", |device| device.id.as_str())))
        .collect();
    assert_eq!(changes, expected, "{shown}");
}

fn names(roster: &Roster) -> Vec<&str> {
    roster.devices().map(|device| device.id.as_str()).collect()
}

#[test]
fn one_page_from_its_first_state_to_its_changes() {
    let mut roster = Roster::default();
    roster.begin(pages(&[""], false));
    check(&mut roster, 0, order(&["b", "a"], ""), &[]);
    check(&mut roster, 0, device("a", 1), &[(ChangeKind::Present, "a")]);
    check(&mut roster, 0, device("b", 1), &[(ChangeKind::Present, "b")]);
    check(&mut roster, 0, caught_up(), &[(ChangeKind::CaughtUp, "")]);
    check(&mut roster, 0, device("a", 1), &[]);
    check(&mut roster, 0, device("a", 2), &[(ChangeKind::Changed, "a")]);
    check(&mut roster, 0, device("c", 1), &[(ChangeKind::Added, "c")]);
    assert_eq!(names(&roster), ["b", "a", "c"]);
    check(&mut roster, 0, Message::RemovedDeviceId("b".to_owned()), &[(ChangeKind::Removed, "b")]);
    assert_eq!(names(&roster), ["a", "c"]);
    assert!(!roster.has_moved());
}

#[test]
fn after_a_broken_stream_only_differences_count() {
    let mut roster = Roster::default();
    roster.begin(pages(&[""], false));
    for sent in [device("a", 1), device("b", 1), caught_up()] {
        roster.apply(message(0, sent));
    }
    roster.begin(pages(&[""], false));
    check(&mut roster, 0, device("b", 2), &[(ChangeKind::Changed, "b")]);
    check(&mut roster, 0, device("c", 1), &[(ChangeKind::Added, "c")]);
    check(&mut roster, 0, caught_up(), &[(ChangeKind::Removed, "a"), (ChangeKind::CaughtUp, "")]);
}

#[test]
fn a_device_that_slides_to_the_next_page_is_not_removed() {
    let mut roster = Roster::default();
    roster.begin(pages(&["", "after-b"], false));
    for (index, sent) in [(0, device("a", 1)), (0, device("b", 1)), (1, device("c", 1))] {
        roster.apply(message(index, sent));
    }
    check(&mut roster, 0, order(&["a", "b"], "after-b"), &[]);
    check(&mut roster, 0, caught_up(), &[]);
    check(&mut roster, 1, caught_up(), &[(ChangeKind::CaughtUp, "")]);
    assert!(!roster.has_moved());

    check(&mut roster, 0, device("aa", 1), &[(ChangeKind::Added, "aa")]);
    check(&mut roster, 0, Message::RemovedDeviceId("b".to_owned()), &[]);
    check(&mut roster, 0, order(&["a", "aa"], "after-aa"), &[]);
    assert!(roster.has_moved());

    roster.begin(pages(&["", "after-aa"], false));
    for (index, sent) in [(0, device("a", 1)), (0, device("aa", 1)), (0, caught_up()), (1, device("b", 1))] {
        check(&mut roster, index, sent, &[]);
    }
    check(&mut roster, 1, device("c", 1), &[]);
    check(&mut roster, 1, caught_up(), &[(ChangeKind::CaughtUp, "")]);
}

#[test]
fn what_lies_behind_the_limit_does_not_matter() {
    let mut roster = Roster::default();
    roster.begin(pages(&[""], true));
    check(&mut roster, 0, order(&["a"], "after-a"), &[]);
    check(&mut roster, 0, caught_up(), &[(ChangeKind::CaughtUp, "")]);
    assert!(!roster.has_moved());
}

#[test]
fn a_device_that_is_followed_alone_can_be_removed() {
    let mut roster = Roster::default();
    roster.begin(Parts::Devices(2));
    for (index, sent) in [(0, device("a", 1)), (1, device("b", 1)), (0, caught_up()), (1, caught_up())] {
        roster.apply(message(index, sent));
    }
    check(&mut roster, 1, Message::RemovedDeviceId("b".to_owned()), &[(ChangeKind::Removed, "b")]);
    assert!(!roster.has_moved());
}

#[test]
fn messages_for_nobody_change_nothing() {
    let mut roster = Roster::default();
    roster.begin(pages(&[""], false));
    check(&mut roster, 7, device("a", 1), &[]);
    assert_eq!(roster.apply(WatchResponse { subscription_id: "x".to_owned(), message: None }), []);
}
