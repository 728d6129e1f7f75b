//! The connections of known devices: few for each. The newest has right of way, for a box whose line broke comes back before the
//! server can know that the old one is dead.

use crate::listen::connection::ConnectionHandle;
use kaliun_types::id::DeviceId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections in all: 33 kB each, so 8 GB.
const IN_ALL: usize = 250_000;
/// Of one device: its link, one that is half open and not noticed yet, a second connection, and room for a retry.
const FOR_EACH: usize = 4;

/// All of them.
#[derive(Default)]
pub(super) struct DeviceConnections {
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    total: usize,
    /// Oldest first.
    by_device: HashMap<DeviceId, Vec<ConnectionHandle>>,
}

/// One of them, until it is dropped.
pub(super) struct DeviceConnection {
    held: Arc<Mutex<Held>>,
    device: DeviceId,
    connection: ConnectionHandle,
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DeviceConnections {
    /// Adds a connection, and cuts the oldest one of a device that has too many. None when the server is full.
    pub(super) fn add(&self, device: DeviceId, connection: ConnectionHandle) -> Option<DeviceConnection> {
        let mut held = lock(&self.held);
        if held.total >= IN_ALL {
            return None;
        }
        held.total += 1;
        // Most devices have one: a vector's first growth would make room for four.
        let of_device = held.by_device.entry(device).or_insert_with(|| Vec::with_capacity(1));
        of_device.push(connection.clone());
        if of_device.len() > FOR_EACH {
            of_device.remove(0).cut();
        }
        drop(held);
        Some(DeviceConnection { held: Arc::clone(&self.held), device, connection })
    }
}

impl Drop for DeviceConnection {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        held.total = held.total.saturating_sub(1);
        let Some(of_device) = held.by_device.get_mut(&self.device) else { return };
        of_device.retain(|connection| !connection.is(&self.connection));
        if of_device.is_empty() {
            held.by_device.remove(&self.device);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn the_oldest_gives_way_and_nobody_is_remembered() {
        let connections = DeviceConnections::default();
        let device = DeviceId::new();
        let handles: Vec<_> = (0..5).map(|_| ConnectionHandle::new()).collect();
        let held: Vec<_> = handles.iter().map(|handle| connections.add(device, handle.clone())).collect();
        let cut: Vec<bool> = handles.iter().map(|handle| handle.is_cut().now_or_never().is_some()).collect();
        assert_eq!(cut, [true, false, false, false, false]);
        assert!(held.iter().all(Option::is_some));
        let other = connections.add(DeviceId::new(), ConnectionHandle::new());
        assert_eq!(lock(&connections.held).total, 6);
        drop((held, other));
        assert_eq!(lock(&connections.held).total, 0);
        assert!(lock(&connections.held).by_device.is_empty());
    }
}
