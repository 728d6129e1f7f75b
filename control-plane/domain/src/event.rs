//! Facts in time.

use kaliun_types::id::DeviceId;
use std::time::SystemTime;

/// An event as it is stored.
#[derive(Debug, Clone)]
pub struct Event {
    /// Grows with time of storing.
    pub id: i64,
    /// The device it is about, with its name.
    pub device: Option<(DeviceId, String)>,
    /// A reason code.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
    /// When it happened, by the clock of who saw it.
    pub happened_at: SystemTime,
    /// When it was stored.
    pub stored_at: SystemTime,
}
