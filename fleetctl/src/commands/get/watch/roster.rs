//! What is known of the devices that are followed, and what a message changes in it. Pure.

use crate::view::device::Device;
use kaliun_proto::fleet::v1::{DeviceSummary, WatchResponse, watch_response::Message};
use std::collections::{BTreeMap, BTreeSet};

/// A change, as programs read it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(super) struct Change {
    #[serde(rename = "type")]
    pub(super) kind: ChangeKind,
    /// As it is now, or was last when it is removed; null for `caught_up`.
    pub(super) device: Option<Device>,
}

/// Kinds of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChangeKind {
    /// It was there when following began.
    Present,
    /// It is new on the list.
    Added,
    /// Something about it is different.
    Changed,
    /// It is no longer on the list.
    Removed,
    /// The list was sent in full; what follows are changes.
    CaughtUp,
}

impl ChangeKind {
    /// As a word for people.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::CaughtUp => "caught-up",
        }
    }
}

/// What the subscriptions of a stream are.
#[derive(Debug)]
pub(super) enum Parts {
    /// Pages of one list.
    Pages {
        /// Where each begins; empty for the first.
        tokens: Vec<String>,
        /// Whether the list may go on behind the last one.
        open_end: bool,
    },
    /// So many single devices.
    Devices(usize),
}

/// One subscription: a page of the list, or one device.
#[derive(Debug, Default)]
struct Part {
    /// Ids on it, in order as far as the server has said.
    order: Vec<String>,
    caught_up: bool,
}

/// All that is followed.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// By id.
    devices: BTreeMap<String, Device>,
    /// One for each subscription; its index is the subscription's id.
    parts: Vec<Part>,
    /// For each part where the next one begins, as the stream was opened; `None` where that does not matter.
    following: Vec<Option<String>>,
    /// Ids sent since the stream was opened, until all of it was sent.
    seen: BTreeSet<String>,
    summary: Option<DeviceSummary>,
    caught_up_once: bool,
    moved: bool,
}

impl Roster {
    /// Gets ready for a stream that was opened (again). What is known stays, so that only differences count.
    pub(super) fn begin(&mut self, parts: Parts) {
        self.following = match parts {
            Parts::Pages { tokens, open_end } => {
                let end = if open_end { None } else { Some(String::new()) };
                tokens.into_iter().skip(1).map(Some).chain(std::iter::once(end)).collect()
            }
            Parts::Devices(count) => vec![None; count],
        };
        self.parts = self.following.iter().map(|_| Part::default()).collect();
        self.seen.clear();
        self.moved = false;
    }

    /// Whether the pages begin elsewhere by now, so that the stream must be opened anew.
    pub(super) fn has_moved(&self) -> bool {
        self.moved && self.is_caught_up()
    }

    /// Whether everything was sent in full.
    pub(super) fn is_caught_up(&self) -> bool {
        self.parts.iter().all(|part| part.caught_up)
    }

    /// Counts over all that the selector matches.
    pub(super) fn summary(&self) -> Option<&DeviceSummary> {
        self.summary.as_ref()
    }

    /// The devices in order.
    pub(super) fn devices(&self) -> impl Iterator<Item = &Device> {
        self.parts.iter().flat_map(|part| &part.order).filter_map(|id| self.devices.get(id))
    }

    /// Takes a message in and says what it changes.
    pub(super) fn apply(&mut self, response: WatchResponse) -> Vec<Change> {
        let index = response.subscription_id.parse::<usize>().ok().filter(|index| *index < self.parts.len());
        let (Some(index), Some(message)) = (index, response.message) else { return Vec::new() };
        match message {
            Message::Device(device) => self.device(index, device.into()),
            Message::RemovedDeviceId(id) => self.removed(index, &id),
            Message::Order(order) => {
                let following = self.following.get(index).and_then(Option::as_ref);
                self.moved |= following.is_some_and(|token| *token != order.next_page_token);
                if let Some(part) = self.parts.get_mut(index) {
                    part.order = order.device_ids;
                }
                Vec::new()
            }
            Message::Summary(summary) => {
                self.summary = Some(summary);
                Vec::new()
            }
            Message::CaughtUp(_) => self.caught_up(index),
            Message::KeepAlive(_) => Vec::new(),
        }
    }

    fn device(&mut self, index: usize, device: Device) -> Vec<Change> {
        self.seen.insert(device.id.clone());
        if let Some(part) = self.parts.get_mut(index)
            && !part.order.contains(&device.id)
        {
            part.order.push(device.id.clone());
        }
        let kind = match self.devices.insert(device.id.clone(), device.clone()) {
            Some(known) if known == device => return Vec::new(),
            Some(_) => ChangeKind::Changed,
            None if self.caught_up_once => ChangeKind::Added,
            None => ChangeKind::Present,
        };
        vec![Change { kind, device: Some(device) }]
    }

    fn removed(&mut self, index: usize, id: &str) -> Vec<Change> {
        if let Some(part) = self.parts.get_mut(index) {
            part.order.retain(|known| known != id);
        }
        let next_page = self.following.get(index).and_then(Option::as_ref).is_some_and(|token| !token.is_empty());
        if next_page {
            // It may have slid to the next page, which still begins where it began before: only all pages together tell.
            self.moved = true;
            return Vec::new();
        }
        self.forget(id)
    }

    fn caught_up(&mut self, index: usize) -> Vec<Change> {
        if let Some(part) = self.parts.get_mut(index) {
            part.caught_up = true;
        }
        if !self.is_caught_up() {
            return Vec::new();
        }
        self.caught_up_once = true;
        let gone: Vec<String> = self.devices.keys().filter(|id| !self.seen.contains(*id)).cloned().collect();
        let mut changes: Vec<Change> = gone.iter().flat_map(|id| self.forget(id)).collect();
        changes.push(Change { kind: ChangeKind::CaughtUp, device: None });
        changes
    }

    fn forget(&mut self, id: &str) -> Vec<Change> {
        let known = self.devices.remove(id);
        known.map(|device| Change { kind: ChangeKind::Removed, device: Some(device) }).into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
