//! What this tab shows of the live stream, as signals: a device that changes redraws itself and nothing else.

use crate::model::by_id::ById;
use crate::model::picture::{Change, Picture};
use kaliun_proto::fleet::v1::watch_response::Message;
use kaliun_proto::fleet::v1::{Device, DeviceSummary};
use leptos::prelude::*;
use std::sync::Arc;

/// Pictures kept after their page was left, so that going back shows them at once.
const KEPT_MAX: usize = 6;
/// Devices kept beyond those on the screen: some pages of the list.
const DEVICES_MAX: usize = 1_000;

/// One device as it was seen last; nothing before it was.
pub(crate) type DeviceCell = ArcRwSignal<Option<Arc<Device>>>;

/// What one subscription shows.
#[derive(Clone)]
pub(crate) struct Shown {
    /// The ids in order.
    pub(crate) rows: ArcRwSignal<Vec<String>>,
    /// The counts, once they came.
    pub(crate) summary: ArcRwSignal<Option<DeviceSummary>>,
    /// Where the next page begins; empty on the last one.
    pub(crate) next_page_token: ArcRwSignal<String>,
    /// Whether the present state was complete at least once.
    pub(crate) is_complete: ArcRwSignal<bool>,
    /// Why the server does not answer it; nothing when it does.
    pub(crate) problem: ArcRwSignal<Option<String>>,
}

/// All pictures of this tab. Bounded: those in use, and `KEPT_MAX` more.
#[derive(Default)]
pub(crate) struct ShownPictures {
    open: ById<(Picture, Shown)>,
    /// Ids that are not in use, the oldest first.
    kept: Vec<String>,
    devices: ById<DeviceCell>,
}

impl ShownPictures {
    /// The picture of a subscription, old or new.
    pub(crate) fn open(&mut self, id: &str) -> Shown {
        self.kept.retain(|kept| kept != id);
        if let Some((_, shown)) = self.open.get(id) {
            return shown.clone();
        }
        let shown = Shown {
            rows: ArcRwSignal::new(Vec::new()),
            summary: ArcRwSignal::new(None),
            next_page_token: ArcRwSignal::new(String::new()),
            is_complete: ArcRwSignal::new(false),
            problem: ArcRwSignal::new(None),
        };
        self.open.set(id, (Picture::default(), shown.clone()));
        shown
    }

    /// A subscription is no longer in use. Its picture is kept for a while; it is brought up to date when it is opened again.
    pub(crate) fn close(&mut self, id: &str, is_in_use: impl Fn(&str) -> bool) {
        if let Some((picture, _)) = self.open.get_mut(id) {
            picture.restart();
            self.kept.push(id.to_owned());
        }
        if self.kept.len() > KEPT_MAX {
            let oldest = self.kept.remove(0);
            self.open.remove(&oldest);
        }
        if self.devices.len() > DEVICES_MAX {
            let mut on_screen = Vec::new();
            for (id, (picture, _)) in self.open.iter() {
                if is_in_use(id) {
                    on_screen.extend(picture.rows());
                }
            }
            self.devices.retain(|id, _| on_screen.iter().any(|shown| shown == id));
        }
    }

    /// One device's signal.
    pub(crate) fn device(&mut self, id: &str) -> DeviceCell {
        if let Some(cell) = self.devices.get(id) {
            return cell.clone();
        }
        let cell = ArcRwSignal::new(None);
        self.devices.set(id, cell.clone());
        cell
    }

    /// The present state of everything comes anew.
    pub(crate) fn restart(&mut self) {
        for (picture, _) in self.open.values_mut() {
            picture.restart();
        }
    }

    /// The server does not answer a subscription.
    pub(crate) fn refused(&mut self, id: &str, sentence: String) {
        if let Some((_, shown)) = self.open.get(id) {
            shown.problem.set(Some(sentence));
        }
    }

    /// Takes in one message; messages for what this tab does not show are left alone.
    pub(crate) fn apply(&mut self, id: &str, message: Message) {
        let Some((picture, shown)) = self.open.get_mut(id) else {
            return;
        };
        let change = picture.apply(message);
        match change {
            Change::Device(device) => {
                // A new row is drawn when the order names it or when all has come: never one by one.
                let device = Arc::new(*device);
                match self.devices.get(&device.id) {
                    Some(cell) => cell.set(Some(device)),
                    None => {
                        self.devices.set(&device.id, ArcRwSignal::new(Some(Arc::clone(&device))));
                    }
                }
                let known = shown.is_complete.get_untracked();
                if known && picture.rows().len() != shown.rows.with_untracked(Vec::len) {
                    shown.rows.set(picture.rows());
                }
            }
            Change::Rows | Change::Complete => {
                let rows = picture.rows();
                if picture.is_complete() && shown.rows.with_untracked(|shown| *shown != rows) {
                    shown.rows.set(rows);
                }
                let next = picture.next_page_token();
                if shown.next_page_token.with_untracked(|shown| shown != next) {
                    shown.next_page_token.set(next.to_owned());
                }
                if picture.is_complete() && !shown.is_complete.get_untracked() {
                    shown.is_complete.set(true);
                }
            }
            Change::Summary => shown.summary.set(picture.summary()),
            Change::Nothing => {}
        }
    }
}
