//! An event.

use super::some_text;
use crate::output::listed::{Listed, Moment};
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Event {
    /// A text, for numbers beyond 2^53 are not exact in every reader of JSON.
    pub(crate) id: String,
    pub(crate) device: Option<DeviceReference>,
    pub(crate) code: String,
    pub(crate) message: Option<String>,
    pub(crate) happened_at: Option<Time>,
    pub(crate) stored_at: Option<Time>,
}

/// The device that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DeviceReference {
    pub(crate) id: String,
    pub(crate) name: String,
}

impl From<proto::Event> for Event {
    fn from(event: proto::Event) -> Self {
        Self {
            id: event.id.to_string(),
            device: some_text(event.device_id).map(|id| DeviceReference { id, name: event.device_name }),
            code: event.code,
            message: some_text(event.message),
            happened_at: Time::from_ms(event.happened_at_ms),
            stored_at: Time::from_ms(event.stored_at_ms),
        }
    }
}

impl Listed for Event {
    const NOUN: &'static str = "event";
    const PLURAL: &'static str = "events";
    const COLUMNS: &'static [Column] = &[
        Column::new("HAPPENED"),
        Column::new("DEVICE"),
        Column::new("CODE"),
        Column::new("ID").wide().right(),
        Column::new("STORED").wide(),
        Column::new("MESSAGE").elastic(),
    ];

    fn reference(&self) -> &str {
        &self.id
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        vec![
            moment.cell(self.happened_at),
            Cell::optional(self.device.as_ref().map(|device| &device.name)),
            Cell::new(&self.code),
            Cell::new(&self.id),
            moment.cell(self.stored_at),
            Cell::optional(self.message.as_ref()),
        ]
    }
}
