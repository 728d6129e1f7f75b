//! One subscription: a page of a list, or a device.

use super::super::device::DevicePageQuery;
use super::super::{page, status};
use super::shown::{Seen, ShownDevices, Told, hash_of};
use kaliun_domain::device::{Device, Summary};
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::watch_response::Message;
use kaliun_store::DeviceFilter;
use kaliun_types::id::DeviceId;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tonic::Status;

/// One subscription.
pub(super) struct Part {
    pub(super) id: String,
    pub(super) what: What,
    /// What the watcher was shown last, so that only changes are sent.
    pub(super) shown: ShownDevices,
    /// Devices that hints have named since; those of a page are among the shown ones.
    pub(super) named: HashSet<DeviceId>,
    /// When all of it is to be read.
    pub(super) due_at: Instant,
    is_caught_up: bool,
}

/// What it follows.
pub(super) enum What {
    Page(Page),
    Device(DeviceId),
}

/// A page of a list.
pub(super) struct Page {
    pub(super) query: Arc<DevicePageQuery>,
    order: proto::DeviceOrder,
    /// Most devices on it.
    pub(super) size: usize,
    /// A hash of filter and order: pages of the same list have the same.
    pub(super) list: u64,
    /// As they were said; nothing before.
    ids: Option<Vec<DeviceId>>,
    next_page_token: String,
    read_at: Option<Instant>,
    pub(super) counts: Counts,
}

/// The counts over a page's list.
pub(super) struct Counts {
    pub(super) said: Option<Summary>,
    /// They are to be those of this time or later; nothing when they are.
    pub(super) wanted_at: Option<Instant>,
    pub(super) due_at: Instant,
}

impl Part {
    /// Checks what is asked for.
    pub(super) fn new(subscription: proto::Subscription, now: Instant) -> Result<Self, Status> {
        use proto::subscription::What as Asked;
        if subscription.id.is_empty() || subscription.id.len() > 64 {
            return Err(status::invalid("subscriptions.id", "must have 1 to 64 bytes"));
        }
        let what = match subscription.what {
            Some(Asked::DeviceList(list)) => What::Page(Page::new(list, now)?),
            Some(Asked::Device(device)) => What::Device(
                device.device_id.parse().map_err(|error| status::invalid("subscriptions.device_id", error))?,
            ),
            None => return Err(status::invalid("subscriptions", "name what to follow: a device list or a device")),
        };
        Ok(Self {
            id: subscription.id,
            what,
            shown: ShownDevices::default(),
            named: HashSet::new(),
            due_at: now,
            is_caught_up: false,
        })
    }

    pub(super) fn page(&self) -> Option<&Page> {
        match &self.what {
            What::Page(page) => Some(page),
            What::Device(_) => None,
        }
    }

    /// Whether the present state was told.
    pub(super) fn is_caught_up(&self) -> bool {
        self.is_caught_up
    }

    /// The present state was told. Answers what to say if it was not before.
    pub(super) fn catch_up(&mut self) -> Option<Message> {
        let is_first = !std::mem::replace(&mut self.is_caught_up, true);
        is_first.then_some(Message::CaughtUp(proto::CaughtUp {}))
    }

    /// Whether a device that is read by itself is read for this part.
    pub(super) fn wants(&self, id: DeviceId) -> bool {
        match self.what {
            What::Page(_) => self.named.contains(&id),
            What::Device(followed) => followed == id,
        }
    }

    /// Shows a device that was read by itself, if it is there. `has_moved` says that other devices may belong on the page now.
    pub(super) fn show(&mut self, id: DeviceId, device: Option<&Device>, now: SystemTime) -> Told {
        self.named.remove(&id);
        let order = self.page().map_or(proto::DeviceOrder::Unspecified, |page| page.order);
        let selected = device.filter(|device| self.page().is_none_or(|page| selects(&page.query.filter, device)));
        match selected {
            Some(device) => self.shown.show(id, Seen::new(device.clone(), order, now)),
            None => {
                if let What::Page(page) = &mut self.what {
                    page.forget(id);
                }
                Told { message: self.shown.remove(id), has_moved: true }
            }
        }
    }

    pub(super) fn say(&self, messages: Vec<Message>) -> Vec<proto::WatchResponse> {
        messages
            .into_iter()
            .map(|message| proto::WatchResponse { subscription_id: self.id.clone(), message: Some(message) })
            .collect()
    }
}

impl Page {
    fn new(list: proto::DeviceListSubscription, now: Instant) -> Result<Self, Status> {
        let (order, size) = (list.order(), page::size(list.page_size, page::DEFAULT)?);
        let query = DevicePageQuery::new(proto::ListDevicesRequest {
            selector: list.selector,
            name_contains: list.name_contains,
            order: list.order,
            page_size: list.page_size,
            page_token: list.page_token,
            link_state: list.link_state,
        })?;
        Ok(Self {
            order,
            size: usize::try_from(size).unwrap_or(usize::MAX),
            list: hash_of(&format!("{order:?} {:?}", query.filter)),
            query: Arc::new(query),
            ids: None,
            next_page_token: String::new(),
            read_at: None,
            counts: Counts { said: None, wanted_at: None, due_at: now },
        })
    }

    /// The earliest time to read it again.
    pub(super) fn soon(&self, now: Instant, period: Duration) -> Instant {
        self.read_at.map_or(now, |read_at| now.max(read_at + period))
    }

    /// A device was said to be gone, and the watcher took it out: when it comes back, its place is to be said anew.
    fn forget(&mut self, id: DeviceId) {
        if let Some(ids) = &mut self.ids {
            ids.retain(|shown| *shown != id);
        }
    }

    /// All of it was read, beginning at `read_at`.
    pub(super) fn read(
        &mut self,
        shown: &mut ShownDevices,
        (devices, next_page_token): (Vec<Device>, String),
        read_at: Instant,
        now: SystemTime,
    ) -> Vec<Message> {
        self.read_at = Some(read_at);
        self.counts.want(read_at);
        let ids: Vec<DeviceId> = devices.iter().map(|device| device.id).collect();
        let mut messages = Vec::new();
        for device in devices {
            let (id, seen) = (device.id, Seen::new(device, self.order, now));
            messages.extend(shown.show(id, seen).message);
        }
        messages.extend(shown.keep_only(&ids));
        if self.ids.as_ref() != Some(&ids) || self.next_page_token != next_page_token {
            let device_ids = ids.iter().map(ToString::to_string).collect();
            self.ids = Some(ids);
            self.next_page_token.clone_from(&next_page_token);
            messages.push(Message::Order(proto::DeviceListOrder { device_ids, next_page_token }));
        }
        messages
    }
}

impl Counts {
    /// They may be other ones from this time on.
    pub(super) fn want(&mut self, at: Instant) {
        if self.wanted_at.replace(at).is_none() {
            self.due_at = at;
        }
    }
}

/// Whether a list has a device, on whatever page.
fn selects(filter: &DeviceFilter, device: &Device) -> bool {
    let DeviceFilter { selector, name_contains, online } = filter;
    selector.matches(&device.labels)
        && device.name.contains(name_contains)
        && online.is_none_or(|online| online == device.link.online && device.revoked_at.is_none())
}
