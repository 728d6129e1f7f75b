//! The sessions that this process holds: one for each device at most.

use crate::sessions::handle::SessionHandle;
use kaliun_types::id::DeviceId;
use kaliun_types::reason::ReasonCode;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An end that was told is remembered for this long: longer than a session takes to begin.
const ENDS_KEPT: Duration = Duration::from_secs(60);
/// Most ends remembered, some 40 bytes each. Ends are told by people, one at a time.
const ENDS_MAX: usize = 100_000;

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
    /// Ends that were told, the oldest first: a session that was on its way to begin when its end was told must not begin.
    ends: VecDeque<End>,
    closed: bool,
}

struct End {
    device: DeviceId,
    reason: ReasonCode,
    told_at: Instant,
}

impl Registry {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a session and ends the older one of the same device. A session that is older than the one held is refused, and so is one whose
    /// end was told since `began`, when it was asked for.
    ///
    /// # Errors
    /// The reason why the session must not begin.
    pub(crate) fn insert(&self, session: Arc<SessionHandle>, began: Instant) -> Result<(), ReasonCode> {
        let mut inner = self.inner();
        if inner.closed {
            return Err(ReasonCode::LinkServerStopped);
        }
        if inner.sessions.get(&session.device).is_some_and(|held| held.epoch > session.epoch) {
            return Err(ReasonCode::LinkSuperseded);
        }
        let mut told = inner.ends.iter().rev().take_while(|end| end.told_at >= began);
        if let Some(end) = told.find(|end| end.device == session.device) {
            return Err(end.reason);
        }
        let older = inner.sessions.insert(session.device, session);
        inner.leaving.extend(older.clone());
        drop(inner);
        if let Some(older) = older {
            older.close(ReasonCode::LinkSuperseded);
        }
        Ok(())
    }

    /// Ends a device's session, also one that is about to begin. Answers the session that is here.
    pub(crate) fn end(&self, device: DeviceId, reason: ReasonCode) -> Option<Arc<SessionHandle>> {
        let mut inner = self.inner();
        let told_at = Instant::now();
        let is_old = |end: &End| told_at.duration_since(end.told_at) > ENDS_KEPT;
        while inner.ends.len() >= ENDS_MAX || inner.ends.front().is_some_and(is_old) {
            inner.ends.pop_front();
        }
        inner.ends.push_back(End { device, reason, told_at });
        let session = inner.sessions.get(&device).cloned();
        drop(inner);
        if let Some(session) = &session {
            session.close(reason);
        }
        session
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

    /// Whether a device's session is here.
    pub(crate) fn holds(&self, device: DeviceId) -> bool {
        self.inner().sessions.contains_key(&device)
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::listen::ConnectionHandle;
    use crate::sessions::handle::SessionBegin;
    use kaliun_store::SessionOpen;
    use kaliun_types::id::{BootId, OrganizationId, SessionEpoch};
    use std::time::SystemTime;

    pub(crate) fn session(device: DeviceId, epoch: i64) -> Arc<SessionHandle> {
        let open = SessionOpen {
            device,
            key_hash: [0; 32],
            source: "::1".to_owned(),
            boot_id: "018f3c1e-7d2a-4c3b-9f10-2b6f0c9a5d11".parse::<BootId>().unwrap(),
            agent_version: "1".to_owned(),
            trust_version: 1,
            shown_authority: 1,
            certificate_serial: Vec::new(),
            certificate_expires_at: SystemTime::now(),
            certificate_organization: None,
            known_epoch: 0,
            known_incarnation: 0,
        };
        let begin = SessionBegin {
            connection: ConnectionHandle::new(),
            certificate_expires_at: SystemTime::now(),
            credit_bytes: 0,
            organization: OrganizationId::new(),
        };
        SessionHandle::new(&open, SessionEpoch(epoch), begin)
    }

    #[test]
    fn a_session_whose_end_was_told_while_it_began_does_not_begin() {
        let (registry, device, other) = (Registry::default(), DeviceId::new(), DeviceId::new());
        let began = Instant::now();
        registry.end(device, ReasonCode::PeerDeviceRevoked);
        registry.end(other, ReasonCode::PeerDeviceDeleted);
        assert_eq!(registry.insert(session(device, 1), began), Err(ReasonCode::PeerDeviceRevoked));
        assert_eq!(registry.len(), 0);
        // One that began after it was told, for whatever it was told, is for the database to judge.
        let later = Instant::now() + Duration::from_millis(1);
        assert_eq!(registry.insert(session(device, 2), later), Ok(()));
        assert_eq!(registry.insert(session(DeviceId::new(), 1), began), Ok(()));
    }

    #[test]
    fn a_session_that_is_there_ends_with_the_reason() {
        let (registry, device) = (Registry::default(), DeviceId::new());
        let held = session(device, 1);
        registry.insert(Arc::clone(&held), Instant::now()).unwrap();
        registry.end(device, ReasonCode::PeerDeviceRevoked);
        assert_eq!(held.closing(), Some(ReasonCode::PeerDeviceRevoked));
    }

    #[test]
    fn ends_are_forgotten_when_there_are_too_many() {
        let registry = Registry::default();
        for _ in 0..ENDS_MAX + 10 {
            registry.end(DeviceId::new(), ReasonCode::PeerDeviceRevoked);
        }
        assert_eq!(registry.inner().ends.len(), ENDS_MAX);
    }
}
