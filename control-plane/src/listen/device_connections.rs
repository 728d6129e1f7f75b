//! The connections of known devices: few for each. The newest has right of way, for a box whose line broke comes back before the
//! server can know that the old one is dead. One on which nothing is under way goes first: what only connects cannot end a link.

use crate::listen::activity::Activity;
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
    by_device: HashMap<DeviceId, Vec<(ConnectionHandle, Activity)>>,
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
    /// Adds a connection, and cuts an older one of a device that has too many. None when the server is full.
    pub(super) fn add(
        &self,
        device: DeviceId,
        connection: ConnectionHandle,
        activity: Activity,
    ) -> Option<DeviceConnection> {
        let mut held = lock(&self.held);
        if held.total >= IN_ALL {
            return None;
        }
        held.total += 1;
        // Most devices have one: a vector's first growth would make room for four.
        let of_device = held.by_device.entry(device).or_insert_with(|| Vec::with_capacity(1));
        if of_device.len() >= FOR_EACH {
            let idle = of_device.iter().position(|(_, activity)| activity.is_idle());
            of_device.remove(idle.unwrap_or(0)).0.cut();
        }
        of_device.push((connection.clone(), activity));
        drop(held);
        Some(DeviceConnection { held: Arc::clone(&self.held), device, connection })
    }
}

impl Drop for DeviceConnection {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        held.total = held.total.saturating_sub(1);
        let Some(of_device) = held.by_device.get_mut(&self.device) else { return };
        of_device.retain(|(connection, _)| !connection.is(&self.connection));
        if of_device.is_empty() {
            held.by_device.remove(&self.device);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn is_cut(handle: &ConnectionHandle) -> bool {
        handle.is_cut().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_gives_way_and_nobody_is_remembered() {
        let connections = DeviceConnections::default();
        let device = DeviceId::new();
        let add = |device| {
            let (handle, activity) = (ConnectionHandle::new(), Activity::new());
            let held = connections.add(device, handle.clone(), activity.clone()).unwrap();
            (handle, activity.begin(), held)
        };
        let held: Vec<_> = (0..5).map(|_| add(device)).collect();
        assert_eq!(
            held.iter().map(|(handle, ..)| is_cut(handle)).collect::<Vec<_>>(),
            [true, false, false, false, false]
        );
        let other = add(DeviceId::new());
        assert_eq!(lock(&connections.held).total, 6);
        drop((held, other));
        assert_eq!(lock(&connections.held).total, 0);
        assert!(lock(&connections.held).by_device.is_empty());
    }

    #[test]
    fn an_idle_one_gives_way_before_an_older_link() {
        let connections = DeviceConnections::default();
        let device = DeviceId::new();
        let (link, activity) = (ConnectionHandle::new(), Activity::new());
        let _held = connections.add(device, link.clone(), activity.clone());
        let _under_way = activity.begin();
        let idle: Vec<_> = (0..9).map(|_| ConnectionHandle::new()).collect();
        let _all: Vec<_> = idle.iter().map(|handle| connections.add(device, handle.clone(), Activity::new())).collect();
        assert!(!is_cut(&link));
        assert_eq!(idle.iter().filter(|handle| is_cut(handle)).count(), 6);
    }
}
