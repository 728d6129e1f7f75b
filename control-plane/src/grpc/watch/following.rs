//! All that a watch follows. It is told hints and rows, and says what to read and what to send; it does neither itself.
//!
//! A hint that names a shown device costs reading that device alone. Only when its place is another one then, or when a hint names
//! a device that no followed page of the list shows, other devices may belong on a page; then it is read as a whole, at its pace.

use super::super::convert::device::summary_to_proto;
use super::super::device::DevicePageQuery;
use super::super::status;
use super::part::{Part, What};
use kaliun_domain::device::{Device, Summary};
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::watch_response::Message;
use kaliun_store::DeviceFilter;
use kaliun_types::id::DeviceId;
use kaliun_types::limits::WATCH_SUBSCRIPTIONS_MAX;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tonic::Status;

/// Everything is read again this often even without a hint: a box that falls silent turns stale without a word.
const REFRESH: Duration = Duration::from_secs(5);
/// A page is not read again sooner than this for what hints say of devices that are not on it: in a large fleet somebody reports
/// all the time, and that is nearly never a reason for another page.
const PAGE_PERIOD: Duration = Duration::from_secs(1);
/// A watch reads no more pages than one in this time, however many it follows: 2,000 devices a second.
const PAGE_PAUSE: Duration = Duration::from_millis(250);

/// All that one watch follows.
pub(super) struct Following {
    parts: Vec<Part>,
    /// A page is read again this much later at the earliest, and at the latest.
    page_period: Duration,
    refresh: Duration,
}

impl Following {
    /// Checks what is asked for. All of it is due.
    pub(super) fn new(subscriptions: Vec<proto::Subscription>, now: Instant) -> Result<Self, Status> {
        if subscriptions.is_empty() || subscriptions.len() > WATCH_SUBSCRIPTIONS_MAX {
            return Err(status::invalid("subscriptions", format!("must be 1 to {WATCH_SUBSCRIPTIONS_MAX}")));
        }
        let parts: Vec<Part> =
            subscriptions.into_iter().map(|subscription| Part::new(subscription, now)).collect::<Result<_, _>>()?;
        let ids: HashSet<&str> = parts.iter().map(|part| part.id.as_str()).collect();
        if ids.len() != parts.len() {
            return Err(status::invalid("subscriptions.id", "must be unique in the request"));
        }
        let pages = parts.iter().filter(|part| part.page().is_some()).count();
        let all_pages = PAGE_PAUSE * u32::try_from(pages).unwrap_or(u32::MAX);
        Ok(Self { parts, page_period: PAGE_PERIOD.max(all_pages), refresh: REFRESH.max(all_pages) })
    }

    /// Most devices that can be shown.
    pub(super) fn room(&self) -> usize {
        self.parts.iter().map(|part| part.page().map_or(1, |page| page.size)).sum()
    }

    /// Whether the present state of everything was told.
    pub(super) fn is_caught_up(&self) -> bool {
        self.parts.iter().all(Part::is_caught_up)
    }

    /// A device changed. Answers whether that matters here.
    pub(super) fn hear(&mut self, device: DeviceId, now: Instant) -> bool {
        let mut lists_that_show_it = Vec::new();
        let mut matters = false;
        for part in &mut self.parts {
            let is_named = match &part.what {
                What::Page(page) => {
                    let is_shown = part.shown.holds(device);
                    lists_that_show_it.extend(is_shown.then_some(page.list));
                    is_shown
                }
                What::Device(followed) => *followed == device,
            };
            if is_named {
                part.named.insert(device);
                matters = true;
            }
        }
        for part in &mut self.parts {
            let What::Page(page) = &mut part.what else { continue };
            matters = true;
            page.counts.want(now);
            // Where it is on another page of the same list, it is this page's business only if it moves.
            if !lists_that_show_it.contains(&page.list) {
                part.due_at = part.due_at.min(page.soon(now, self.page_period));
            }
        }
        matters
    }

    /// More devices changed than could be told.
    pub(super) fn hear_too_much(&mut self, now: Instant) {
        for part in &mut self.parts {
            let due_at = match &mut part.what {
                What::Page(page) => {
                    page.counts.want(now);
                    page.soon(now, self.page_period)
                }
                What::Device(_) => now,
            };
            part.due_at = part.due_at.min(due_at);
        }
    }

    /// When to look again.
    pub(super) fn due_at(&self, now: Instant) -> Option<Instant> {
        let of_part = |part: &Part| {
            let counts = part.page().and_then(|page| page.counts.wanted_at.map(|_| page.counts.due_at));
            let named = (!part.named.is_empty()).then_some(now);
            [Some(part.due_at), counts, named].into_iter().flatten().min()
        };
        self.parts.iter().filter_map(of_part).min()
    }

    /// A page that is due.
    pub(super) fn due_page(&self, now: Instant) -> Option<(usize, Arc<DevicePageQuery>)> {
        let due = self.parts.iter().enumerate().filter(|(_, part)| part.due_at <= now);
        due.filter_map(|(index, part)| Some((index, Arc::clone(&part.page()?.query)))).next()
    }

    /// A page was read, beginning at `read_at`. Answers what to say.
    pub(super) fn page_read(
        &mut self,
        index: usize,
        found: (Vec<Device>, String),
        read_at: Instant,
        now: SystemTime,
    ) -> Vec<proto::WatchResponse> {
        let Some(part) = self.parts.get_mut(index) else { return Vec::new() };
        let What::Page(page) = &mut part.what else { return Vec::new() };
        part.due_at = read_at + self.refresh;
        part.named.clear();
        let messages = page.read(&mut part.shown, found, read_at, now);
        part.say(messages)
    }

    /// Devices to read by themselves, at most so many.
    pub(super) fn due_devices(&self, now: Instant, most: usize) -> Vec<DeviceId> {
        let mut ids = HashSet::new();
        for part in &self.parts {
            if let What::Device(id) = part.what
                && part.due_at <= now
            {
                ids.insert(id);
            }
            ids.extend(part.named.iter().take(most));
            if ids.len() >= most {
                break;
            }
        }
        ids.into_iter().take(most).collect()
    }

    /// Devices were read, beginning at `read_at`: those of the asked ones that are there. Answers what to say.
    pub(super) fn devices_read(
        &mut self,
        asked: &[DeviceId],
        found: Vec<Device>,
        read_at: Instant,
        now: SystemTime,
    ) -> Vec<proto::WatchResponse> {
        let found: HashMap<DeviceId, Device> = found.into_iter().map(|device| (device.id, device)).collect();
        let mut changed_lists = Vec::new();
        let mut responses = Vec::new();
        for part in &mut self.parts {
            let ids: Vec<DeviceId> = asked.iter().filter(|id| part.wants(**id)).copied().collect();
            let mut messages = Vec::new();
            for id in &ids {
                let told = part.show(*id, found.get(id), now);
                messages.extend(told.message);
                if told.has_moved {
                    changed_lists.extend(part.page().map(|page| page.list));
                }
            }
            if part.page().is_none() && !ids.is_empty() {
                part.due_at = read_at + self.refresh;
                messages.extend(part.catch_up());
            }
            responses.extend(part.say(messages));
        }
        for part in &mut self.parts {
            if let What::Page(page) = &part.what
                && changed_lists.contains(&page.list)
            {
                part.due_at = part.due_at.min(page.soon(read_at, self.page_period));
            }
        }
        responses
    }

    /// Counts that are due: of which pages, over what, and of what time or later.
    pub(super) fn due_counts(&self, now: Instant) -> Vec<(usize, &DeviceFilter, Instant)> {
        let parts = self.parts.iter().enumerate();
        let pages = parts.filter_map(|(index, part)| Some((index, part.page()?)));
        let due = pages.filter(|(_, page)| page.counts.due_at <= now);
        due.filter_map(|(index, page)| Some((index, &page.query.filter, page.counts.wanted_at?))).collect()
    }

    /// The counts over a page's list were read. `due_at` says when to read them again, if they are older than what is wanted.
    pub(super) fn counts_read(
        &mut self,
        index: usize,
        summary: Summary,
        due_at: Option<Instant>,
    ) -> Vec<proto::WatchResponse> {
        let Some(part) = self.parts.get_mut(index) else { return Vec::new() };
        let What::Page(page) = &mut part.what else { return Vec::new() };
        match due_at {
            Some(due_at) => page.counts.due_at = due_at,
            None => page.counts.wanted_at = None,
        }
        let mut messages = Vec::new();
        if page.counts.said.replace(summary) != Some(summary) {
            messages.push(Message::Summary(summary_to_proto(summary)));
        }
        messages.extend(part.catch_up());
        part.say(messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_domain::device::{Link, Report};
    use kaliun_proto::fleet::v1::subscription::What as Asked;
    use kaliun_types::health::Verdict;

    /// A look: what was said, in short.
    fn words(responses: Vec<proto::WatchResponse>) -> Vec<String> {
        let word = |response: proto::WatchResponse| {
            let said = match response.message.unwrap() {
                Message::Device(device) => device.name,
                Message::RemovedDeviceId(_) => "removed".to_owned(),
                Message::Order(order) => format!("order of {}", order.device_ids.len()),
                Message::Summary(summary) => format!("{} in all", summary.total),
                Message::CaughtUp(_) => "caught up".to_owned(),
                Message::KeepAlive(_) => "alive".to_owned(),
            };
            format!("{}: {said}", response.subscription_id)
        };
        responses.into_iter().map(word).collect()
    }

    fn device(name: &str) -> Device {
        Device {
            id: DeviceId::new(),
            name: name.to_owned(),
            labels: [("site", "graz"), ("env", "lab"), ("rack", "7")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            installation: None,
            key_hash: vec![7; 32],
            certificate_expires_at: SystemTime::UNIX_EPOCH,
            recovery_extended_until: None,
            revoked_at: None,
            decommissioned_at: None,
            parked_at: None,
            enrolled_at: SystemTime::UNIX_EPOCH,
            version: 1,
            link: Link { online: true, since: SystemTime::UNIX_EPOCH, reason: "link.connected".to_owned() },
            agent_version: String::new(),
            report: None,
            facts: None,
        }
    }

    fn reported(device: &Device, verdict: Verdict, now: SystemTime) -> Device {
        let report = Report { sampled_at: now, stored_at: now, values: Vec::new(), verdict, health: Vec::new() };
        Device { report: Some(report), ..device.clone() }
    }

    fn page(id: &str, list: proto::DeviceListSubscription) -> proto::Subscription {
        proto::Subscription { id: id.to_owned(), what: Some(Asked::DeviceList(list)) }
    }

    fn by(order: proto::DeviceOrder) -> proto::DeviceListSubscription {
        proto::DeviceListSubscription { order: order.into(), page_size: 2, ..Default::default() }
    }

    /// What is followed, and the times at which it is looked at: by the clock of the machine, and by that of the rows.
    struct Look {
        following: Following,
        began: Instant,
        now: SystemTime,
    }

    impl Look {
        fn at(subscriptions: Vec<proto::Subscription>) -> Self {
            let began = Instant::now();
            let following = Following::new(subscriptions, began).unwrap();
            Self { following, began, now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) }
        }

        fn ms(&self, ms: u64) -> Instant {
            self.began + Duration::from_millis(ms)
        }

        fn page(&mut self, index: usize, devices: &[&Device], at: Instant) -> Vec<String> {
            let devices = devices.iter().map(|device| (*device).clone()).collect();
            words(self.following.page_read(index, (devices, String::new()), at, self.now))
        }

        fn devices(&mut self, asked: &[&Device], found: &[&Device], at: Instant) -> Vec<String> {
            let asked: Vec<DeviceId> = asked.iter().map(|device| device.id).collect();
            let found = found.iter().map(|device| (*device).clone()).collect();
            words(self.following.devices_read(&asked, found, at, self.now))
        }

        fn page_is_due(&self, at: Instant) -> Option<usize> {
            self.following.due_page(at).map(|(index, _)| index)
        }

        fn devices_are_due(&self, at: Instant) -> HashSet<DeviceId> {
            self.following.due_devices(at, 500).into_iter().collect()
        }
    }

    #[test]
    fn the_present_state_comes_first() {
        let (attic, cellar) = (device("attic"), device("cellar"));
        let alone = Asked::Device(proto::DeviceSubscription { device_id: cellar.id.to_string() });
        let alone = proto::Subscription { id: "b".to_owned(), what: Some(alone) };
        let mut look = Look::at(vec![page("a", by(proto::DeviceOrder::Name)), alone]);
        let began = look.began;
        assert_eq!(look.following.room(), 3);
        assert_eq!(look.page_is_due(began), Some(0));
        assert_eq!(look.page(0, &[&attic, &cellar], began), ["a: attic", "a: cellar", "a: order of 2"]);
        assert_eq!(look.page_is_due(began), None);
        assert_eq!(look.devices_are_due(began), HashSet::from([cellar.id]));
        assert_eq!(look.devices(&[&cellar], &[&cellar], began), ["b: cellar", "b: caught up"]);
        assert!(!look.following.is_caught_up());
        assert_eq!(look.following.due_counts(began).len(), 1);
        let summary = Summary { total: 2, ..Summary::default() };
        assert_eq!(words(look.following.counts_read(0, summary, None)), ["a: 2 in all", "a: caught up"]);
        assert!(look.following.is_caught_up());
        assert!(look.following.due_counts(look.ms(4_999)).is_empty());
        assert_eq!(look.following.due_at(began), Some(began + REFRESH));
        assert_eq!(look.page(0, &[&attic, &cellar], look.ms(5_000)), [""; 0], "nothing is different");
    }

    #[test]
    fn an_empty_list_says_its_order_too() {
        let mut look = Look::at(vec![page("a", by(proto::DeviceOrder::Name))]);
        assert_eq!(look.page(0, &[], look.began), ["a: order of 0"]);
    }

    #[test]
    fn a_hint_for_a_shown_device_costs_that_device() {
        let (attic, cellar) = (device("attic"), device("cellar"));
        let mut look = Look::at(vec![page("a", by(proto::DeviceOrder::Name))]);
        look.page(0, &[&attic, &cellar], look.began);
        look.following.counts_read(0, Summary::default(), None);
        let at = look.ms(100);
        assert!(look.following.hear(cellar.id, at));
        assert_eq!(look.following.due_at(at), Some(at));
        assert_eq!(look.devices_are_due(at), HashSet::from([cellar.id]));
        let cellar_now = reported(&cellar, Verdict::Ok, look.now);
        assert_eq!(look.devices(&[&cellar], &[&cellar_now], at), ["a: cellar"]);
        assert!(look.devices_are_due(at).is_empty());
        look.following.hear(cellar.id, at);
        assert_eq!(look.devices(&[&cellar], &[&cellar_now], at), [""; 0], "it is known");
        assert_eq!(look.page_is_due(look.ms(4_999)), None, "no page was read for it");
    }

    #[test]
    fn a_hint_for_another_device_costs_a_page_at_its_pace() {
        let (attic, cellar) = (device("attic"), device("cellar"));
        let mut look = Look::at(vec![page("a", by(proto::DeviceOrder::Name))]);
        look.page(0, &[&cellar], look.began);
        for ms in [100, 200, 300] {
            assert!(look.following.hear(attic.id, look.ms(ms)));
            assert!(look.devices_are_due(look.ms(ms)).is_empty());
            assert_eq!(look.page_is_due(look.ms(999)), None);
        }
        assert_eq!(look.page_is_due(look.ms(1_000)), Some(0));
        assert_eq!(look.page(0, &[&attic, &cellar], look.ms(1_000)), ["a: attic", "a: order of 2"]);
        look.following.hear_too_much(look.ms(1_100));
        assert_eq!(look.page_is_due(look.ms(1_999)), None);
        assert_eq!(look.page_is_due(look.ms(2_000)), Some(0));
    }

    #[test]
    fn a_device_that_moves_or_leaves_makes_all_pages_of_its_list_due() {
        let other_list =
            proto::DeviceListSubscription { selector: "site=graz".to_owned(), ..by(proto::DeviceOrder::Name) };
        for order in [proto::DeviceOrder::Name, proto::DeviceOrder::Health, proto::DeviceOrder::LinkSince] {
            let online = proto::DeviceListSubscription { link_state: proto::LinkState::Online.into(), ..by(order) };
            let (attic, cellar) = (device("attic"), device("cellar"));
            let mut look = Look::at(vec![page("a", online.clone()), page("b", online), page("c", other_list.clone())]);
            look.page(0, &[&attic], look.began);
            look.page(1, &[&cellar], look.began);
            look.page(2, &[&attic, &cellar], look.began);
            let now = look.now;
            let moved = match order {
                proto::DeviceOrder::Health => reported(&attic, Verdict::Critical, now),
                proto::DeviceOrder::LinkSince => {
                    Device { link: Link { since: now, ..attic.link.clone() }, ..attic.clone() }
                }
                proto::DeviceOrder::Unspecified | proto::DeviceOrder::Name | proto::DeviceOrder::Enrolled => {
                    Device { name: "zenith".to_owned(), ..attic.clone() }
                }
            };
            look.following.hear(attic.id, look.ms(100));
            assert_eq!(look.page_is_due(look.ms(1_000)), None, "{order:?}: it is on a page of each list");
            let name = moved.name.as_str();
            assert_eq!(look.devices(&[&attic], &[&moved], look.ms(100)), [format!("a: {name}"), format!("c: {name}")]);
            assert_eq!(look.page_is_due(look.ms(999)), None, "{order:?}");
            assert_eq!(look.page_is_due(look.ms(1_000)), Some(0), "{order:?}");
            look.page(0, &[&moved], look.ms(1_000));
            assert_eq!(look.page_is_due(look.ms(1_000)), Some(1), "{order:?}");
            look.page(1, &[&cellar], look.ms(1_000));
            let also_there = (order == proto::DeviceOrder::Name).then_some(2);
            assert_eq!(look.page_is_due(look.ms(1_000)), also_there, "{order:?}");

            // It is not on a list of those online any more, but still on the other.
            look.following.hear(attic.id, look.ms(1_100));
            let offline = Device { link: Link { online: false, ..moved.link.clone() }, ..moved.clone() };
            assert_eq!(
                look.devices(&[&attic], &[&offline], look.ms(1_100)),
                ["a: removed".to_owned(), format!("c: {name}")]
            );
            assert_eq!(look.page_is_due(look.ms(2_000)), Some(0), "{order:?}");
        }
    }

    #[test]
    fn a_deleted_device_goes_at_once() {
        let cellar = device("cellar");
        let alone = Asked::Device(proto::DeviceSubscription { device_id: cellar.id.to_string() });
        let alone = proto::Subscription { id: "b".to_owned(), what: Some(alone) };
        let mut look = Look::at(vec![page("a", by(proto::DeviceOrder::Name)), alone]);
        look.page(0, &[&cellar], look.began);
        look.devices(&[&cellar], &[&cellar], look.began);
        look.following.hear(cellar.id, look.ms(100));
        assert_eq!(look.devices(&[&cellar], &[], look.ms(100)), ["a: removed", "b: removed"]);
        assert_eq!(look.page(0, &[], look.ms(1_000)), [""; 0], "whoever watches knows already that the list is empty");
    }

    #[test]
    fn a_device_that_comes_back_gets_its_place() {
        let (attic, cellar) = (device("attic"), device("cellar"));
        let mut look = Look::at(vec![page("a", by(proto::DeviceOrder::Name))]);
        look.page(0, &[&attic, &cellar], look.began);
        look.following.hear(attic.id, look.ms(100));
        assert_eq!(look.devices(&[&attic], &[], look.ms(100)), ["a: removed"]);
        assert_eq!(look.page(0, &[&attic, &cellar], look.ms(1_000)), ["a: attic", "a: order of 2"]);
    }

    #[test]
    fn many_pages_are_read_at_a_bounded_pace() {
        let pages = (0..32).map(|number| page(&number.to_string(), by(proto::DeviceOrder::Name))).collect();
        let mut look = Look::at(pages);
        for index in 0..32 {
            look.page(index, &[], look.began);
        }
        look.following.hear(DeviceId::new(), look.ms(100));
        assert_eq!(look.page_is_due(look.ms(7_999)), None);
        assert_eq!(look.page_is_due(look.ms(8_000)), Some(0));
    }

    #[test]
    fn counts_that_are_too_old_are_read_again_when_they_may_be() {
        let mut look = Look::at(vec![page("a", by(proto::DeviceOrder::Name))]);
        look.page(0, &[], look.began);
        let wanted = |look: &Look, ms: u64| -> Vec<Instant> {
            look.following.due_counts(look.ms(ms)).into_iter().map(|(_, _, wanted_at)| wanted_at).collect()
        };
        assert_eq!(wanted(&look, 0), [look.began]);
        let said = words(look.following.counts_read(0, Summary::default(), Some(look.ms(700))));
        assert_eq!(said, ["a: 0 in all", "a: caught up"]);
        look.following.hear(DeviceId::new(), look.ms(100));
        assert!(wanted(&look, 699).is_empty());
        assert_eq!(look.following.due_at(look.ms(100)), Some(look.ms(700)));
        assert_eq!(wanted(&look, 700), [look.ms(100)]);
        assert_eq!(words(look.following.counts_read(0, Summary::default(), None)), [""; 0]);
        assert!(wanted(&look, 900).is_empty());
    }
}
