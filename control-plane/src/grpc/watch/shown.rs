//! What a watcher was shown of devices: of each only two hashes, about 100 bytes with everything around them, where the device
//! itself takes 3 kB and may take 30. The chance that a change goes unseen for equal hashes is one in 2^64.

use super::super::convert::device::device_to_proto;
use kaliun_domain::device::{Device, effective_verdict, verdict_number};
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::watch_response::Message;
use kaliun_types::id::DeviceId;
use prost::Message as _;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem;
use std::time::SystemTime;

/// A device as it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    look: u64,
    place: u64,
}

/// A device that was read, as a list in some order shows it.
pub(super) struct Seen {
    message: proto::Device,
    shown: Shown,
}

/// What showing a device amounts to.
pub(super) struct Told {
    /// What to say; nothing when the watcher knows it.
    pub(super) message: Option<Message>,
    /// Whether it was shown before and belongs elsewhere in its list now.
    pub(super) has_moved: bool,
}

/// The devices of one subscription that were shown.
#[derive(Default)]
pub(super) struct ShownDevices {
    by_id: HashMap<DeviceId, Shown>,
}

impl Seen {
    pub(super) fn new(device: Device, order: proto::DeviceOrder, now: SystemTime) -> Self {
        let place = place(&device, order, now);
        let mut message = device_to_proto(device, now);
        let look = look(&mut message);
        Self { message, shown: Shown { look, place } }
    }
}

impl ShownDevices {
    pub(super) fn holds(&self, id: DeviceId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// Shows a device.
    pub(super) fn show(&mut self, id: DeviceId, seen: Seen) -> Told {
        let before = self.by_id.insert(id, seen.shown);
        let is_known = before.is_some_and(|before| before.look == seen.shown.look);
        Told {
            message: (!is_known).then_some(Message::Device(seen.message)),
            has_moved: before.is_some_and(|before| before.place != seen.shown.place),
        }
    }

    /// Takes a device away, if it was shown.
    pub(super) fn remove(&mut self, id: DeviceId) -> Option<Message> {
        self.by_id.remove(&id).map(|_| Message::RemovedDeviceId(id.to_string()))
    }

    /// Takes away what is not among these.
    pub(super) fn keep_only(&mut self, ids: &[DeviceId]) -> Vec<Message> {
        let stay: HashSet<DeviceId> = ids.iter().copied().collect();
        let gone: Vec<DeviceId> = self.by_id.keys().filter(|id| !stay.contains(id)).copied().collect();
        gone.into_iter().filter_map(|id| self.remove(id)).collect()
    }
}

/// Everything that a watcher sees of a device.
fn look(device: &mut proto::Device) -> u64 {
    // Labels are encoded in any order.
    let labels = mem::take(&mut device.labels);
    let mut sorted: Vec<_> = labels.iter().collect();
    sorted.sort_unstable();
    let look = hash_of(&(sorted, device.encode_to_vec()));
    device.labels = labels;
    look
}

/// What decides where a device stands in a list, beside what never changes.
fn place(device: &Device, order: proto::DeviceOrder, now: SystemTime) -> u64 {
    match order {
        proto::DeviceOrder::Unspecified | proto::DeviceOrder::Name => hash_of(&device.name),
        proto::DeviceOrder::Health => {
            let is_revoked = device.revoked_at.is_some();
            hash_of(&(is_revoked, verdict_number(effective_verdict(device.report.as_ref(), now)), &device.name))
        }
        proto::DeviceOrder::LinkSince => hash_of(&device.link.since),
        proto::DeviceOrder::Enrolled => hash_of(&device.enrolled_at),
    }
}

/// The same for the same, in this process.
pub(super) fn hash_of(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
