//! The sessions that this process holds: one for each device at most.

use crate::sessions::handle::SessionHandle;
use kaliun_types::id::DeviceId;
use kaliun_types::reason::ReasonCode;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All sessions by device. A stop closes the door, so that none begins after the last was ended.
#[derive(Default)]
pub(crate) struct Registry {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    sessions: HashMap<DeviceId, Arc<SessionHandle>>,
    /// Sessions that a newer one replaced and whose stream has not ended yet: as many as connections allow.
    leaving: Vec<Arc<SessionHandle>>,
    closed: bool,
}

impl Registry {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a session and ends the older one of the same device. A session that is older than the one held is refused.
    ///
    /// # Errors
    /// The reason why the session must not begin.
    pub(crate) fn insert(&self, session: Arc<SessionHandle>) -> Result<(), ReasonCode> {
        let mut inner = self.inner();
        if inner.closed {
            return Err(ReasonCode::LinkServerStopped);
        }
        if inner.sessions.get(&session.device).is_some_and(|held| held.epoch > session.epoch) {
            return Err(ReasonCode::LinkSuperseded);
        }
        let older = inner.sessions.insert(session.device, session);
        inner.leaving.extend(older.clone());
        drop(inner);
        if let Some(older) = older {
            older.close(ReasonCode::LinkSuperseded);
        }
        Ok(())
    }

    /// Removes a session, if it is still the one that is held.
    pub(crate) fn remove(&self, session: &Arc<SessionHandle>) {
        let mut inner = self.inner();
        if inner.sessions.get(&session.device).is_some_and(|held| Arc::ptr_eq(held, session)) {
            inner.sessions.remove(&session.device);
        } else {
            inner.leaving.retain(|leaving| !Arc::ptr_eq(leaving, session));
        }
    }

    /// The session of a device.
    pub(crate) fn get(&self, device: DeviceId) -> Option<Arc<SessionHandle>> {
        self.inner().sessions.get(&device).cloned()
    }

    /// Sessions that are to end because a newer one is there.
    pub(crate) fn leaving(&self) -> Vec<Arc<SessionHandle>> {
        self.inner().leaving.clone()
    }

    /// All sessions now.
    pub(crate) fn all(&self) -> Vec<Arc<SessionHandle>> {
        self.inner().sessions.values().cloned().collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.inner().sessions.len()
    }

    /// Lets no session begin any more.
    pub(crate) fn shut(&self) {
        self.inner().closed = true;
    }
}
