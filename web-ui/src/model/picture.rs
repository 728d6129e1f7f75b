//! What one subscription shows: put together from the messages of the watch stream, and told again to a tab that comes later.

use kaliun_proto::fleet::v1::watch_response::Message;
use kaliun_proto::fleet::v1::{CaughtUp, Device, DeviceListOrder, DeviceSummary};

/// The present state of a subscription.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Picture {
    /// A list rather than a map: a page has some dozens, and each kind of map is 10 kB to download.
    devices: Vec<Device>,
    order: Vec<String>,
    next_page_token: String,
    summary: Option<DeviceSummary>,
    is_complete: bool,
    /// While the present state is being sent anew: what of it has come. What has not by its end is no longer there.
    arriving: Option<Vec<String>>,
}

/// What a message changed, so that only that is drawn again.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// One device.
    Device(Box<Device>),
    /// Which devices there are, or their order.
    Rows,
    /// The counts.
    Summary,
    /// The present state is complete.
    Complete,
    /// Nothing.
    Nothing,
}

impl Picture {
    /// A stream was opened anew: the present state comes once more. What is shown stays until it is replaced.
    pub fn restart(&mut self) {
        self.arriving = Some(Vec::new());
    }

    /// Takes in one message.
    pub fn apply(&mut self, message: Message) -> Change {
        match message {
            Message::Device(device) => {
                if let Some(arriving) = &mut self.arriving {
                    arriving.push(device.id.clone());
                }
                match self.devices.iter_mut().find(|known| known.id == device.id) {
                    Some(known) if *known == device => return Change::Nothing,
                    Some(known) => *known = device.clone(),
                    None => self.devices.push(device.clone()),
                }
                Change::Device(Box::new(device))
            }
            Message::RemovedDeviceId(id) => {
                let before = self.devices.len();
                self.devices.retain(|device| device.id != id);
                self.order.retain(|other| *other != id);
                if self.devices.len() < before { Change::Rows } else { Change::Nothing }
            }
            Message::Order(DeviceListOrder { device_ids, next_page_token }) => {
                if self.order == device_ids && self.next_page_token == next_page_token {
                    return Change::Nothing;
                }
                self.order = device_ids;
                self.next_page_token = next_page_token;
                Change::Rows
            }
            Message::Summary(summary) => {
                if self.summary == Some(summary) {
                    return Change::Nothing;
                }
                self.summary = Some(summary);
                Change::Summary
            }
            Message::CaughtUp(CaughtUp {}) => {
                if let Some(arrived) = self.arriving.take() {
                    self.devices.retain(|device| arrived.contains(&device.id));
                    self.order.retain(|id| arrived.contains(id));
                }
                self.is_complete = true;
                Change::Complete
            }
            Message::KeepAlive(_) => Change::Nothing,
        }
    }

    /// The ids of the devices in the order of the list.
    #[must_use]
    pub fn rows(&self) -> Vec<String> {
        let mut rows: Vec<String> = self.order.iter().filter(|id| self.knows(id)).cloned().collect();
        // A device may come before the order that names it; until then it stands at the end.
        rows.extend(
            self.devices.iter().filter(|device| !self.order.contains(&device.id)).map(|device| device.id.clone()),
        );
        rows
    }

    fn knows(&self, id: &str) -> bool {
        self.devices.iter().any(|device| device.id == id)
    }

    /// Where the next page begins; empty on the last one.
    #[must_use]
    pub fn next_page_token(&self) -> &str {
        &self.next_page_token
    }

    /// The counts, once they came.
    #[must_use]
    pub const fn summary(&self) -> Option<DeviceSummary> {
        self.summary
    }

    /// Whether the present state was complete at least once.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// All of it as messages, for a tab that comes later; nothing while it is not complete.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        if !self.is_complete || self.arriving.is_some() {
            return Vec::new();
        }
        let mut messages: Vec<Message> = self.devices.iter().cloned().map(Message::Device).collect();
        messages.push(Message::Order(DeviceListOrder {
            device_ids: self.rows(),
            next_page_token: self.next_page_token.clone(),
        }));
        messages.extend(self.summary.map(Message::Summary));
        messages.push(Message::CaughtUp(CaughtUp {}));
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str, version: u64) -> Message {
        Message::Device(Device { id: id.to_owned(), name: format!("box-{id}"), version, ..Device::default() })
    }

    fn order(ids: &[&str]) -> Message {
        let device_ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Message::Order(DeviceListOrder { device_ids, next_page_token: String::new() })
    }

    fn picture(messages: Vec<Message>) -> Picture {
        let mut picture = Picture::default();
        for message in messages {
            picture.apply(message);
        }
        picture
    }

    #[test]
    fn rows_follow_the_servers_order() {
        let mut shown =
            picture(vec![device("2", 1), device("1", 1), order(&["2", "1"]), Message::CaughtUp(CaughtUp {})]);
        assert_eq!(shown.rows(), ["2", "1"]);
        assert!(matches!(shown.apply(device("1", 2)), Change::Device(_)));
        assert_eq!(shown.apply(device("1", 2)), Change::Nothing);
        assert_eq!(shown.apply(order(&["1", "2"])), Change::Rows);
        assert_eq!(shown.apply(Message::RemovedDeviceId("1".to_owned())), Change::Rows);
        assert_eq!(shown.rows(), ["2"]);
    }

    #[test]
    fn a_device_before_its_place_stands_at_the_end() {
        let shown = picture(vec![device("9", 1), order(&["9"]), device("3", 1), device("2", 1)]);
        assert_eq!(shown.rows(), ["9", "3", "2"]);
    }

    #[test]
    fn a_restart_keeps_what_is_shown_and_drops_what_is_gone() {
        let mut shown =
            picture(vec![device("1", 1), device("2", 1), order(&["1", "2"]), Message::CaughtUp(CaughtUp {})]);
        shown.restart();
        shown.apply(device("2", 1));
        assert_eq!(shown.rows(), ["1", "2"]);
        shown.apply(order(&["2"]));
        shown.apply(Message::CaughtUp(CaughtUp {}));
        assert_eq!(shown.rows(), ["2"]);
    }

    #[test]
    fn a_later_tab_sees_the_same() {
        let first = picture(vec![
            device("1", 1),
            device("2", 1),
            order(&["2", "1"]),
            Message::Summary(DeviceSummary { total: 2, ..DeviceSummary::default() }),
            Message::CaughtUp(CaughtUp {}),
        ]);
        assert_eq!(picture(first.messages()), first);
        assert_eq!(Picture::default().messages(), vec![]);
    }
}
