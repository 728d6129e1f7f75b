//! What replicas tell each other so that nobody has to wait for a look: hints, and the rows are the truth.

use crate::grpc::enrollment::Waiting;
use crate::grpc::status;
use crate::rights::{Holder, Rights};
use crate::sessions::handle::SessionHandle;
use crate::sessions::registry::Registry;
use crate::tasks::Tasks;
use kaliun_store::{StoreError, SystemStore, WakeupSource};
use kaliun_types::id::{DeviceId, EnrollmentId};
use kaliun_types::reason::ReasonCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tonic::Status;
use tracing::Instrument;

/// How long a broken connection waits before it is made anew. Meanwhile others are found by looking, within seconds.
const RETRY: Duration = Duration::from_secs(1);
/// Longest wait for what the database says of a device whose link is to end: the link ends then without its word.
const STANDING_TIMEOUT: Duration = Duration::from_millis(300);
/// Hints that are heeded at once. Each may wait so long for the database; the others wait for their turn.
const HEEDED_AT_ONCE: usize = 16;
/// A box that is told to go has so long to read that. Then its connection is cut, whether it reads or not.
const TOLD_TO_GO: Duration = Duration::from_millis(500);

/// One hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wakeup {
    /// A device's session is to end, wherever it is. The reason is for replicas of an older version: others read it.
    Close(DeviceId, ReasonCode),
    /// Somebody decided about a waiting box, or entered its code.
    Enrollment(EnrollmentId),
    /// Somebody's rights may be others now.
    Rights(Holder),
}

impl Wakeup {
    pub(crate) fn encode(self) -> String {
        match self {
            Self::Close(device, reason) => format!("close {device} {}", reason.code()),
            Self::Enrollment(enrollment) => format!("enrollment {enrollment}"),
            Self::Rights(holder) => format!("rights {}", holder.encode()),
        }
    }

    /// None for what a newer version says.
    fn decode(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        match (words.next()?, words.next(), words.next(), words.next()) {
            ("close", Some(device), Some(reason), None) => {
                Some(Self::Close(device.parse().ok()?, ReasonCode::from_code(reason)?))
            }
            ("rights", Some(kind), Some(id), None) => Some(Self::Rights(Holder::decode(kind, id)?)),
            ("enrollment", Some(enrollment), None, None) => Some(Self::Enrollment(enrollment.parse().ok()?)),
            _ => None,
        }
    }
}

/// Tells all replicas.
#[derive(Clone)]
pub(crate) struct Waker {
    tasks: Tasks,
    store: SystemStore,
    registry: Arc<Registry>,
}

impl Waker {
    pub(crate) fn new(tasks: Tasks, store: SystemStore, registry: Arc<Registry>) -> Self {
        Self { tasks, store, registry }
    }

    /// Makes a change that ends a device's session when `is_made` says so, and ends it. By itself: whoever asked may hang up at any
    /// moment, and the change is made and told all the same.
    ///
    /// # Errors
    /// The change failed, as a status.
    pub(crate) async fn close_after<T: Send + 'static>(
        &self,
        device: DeviceId,
        reason: ReasonCode,
        change: impl Future<Output = Result<T, StoreError>> + Send + 'static,
        is_made: impl FnOnce(&T) -> bool + Send + 'static,
    ) -> Result<T, Status> {
        let waker = self.clone();
        let (say, said) = oneshot::channel();
        let change = async move {
            let changed = change.await;
            if changed.as_ref().is_ok_and(is_made) {
                waker.close(device, reason).await;
            }
            let _nobody_waits = say.send(changed);
        };
        self.tasks.spawn_small(change.in_current_span());
        said.await.map_err(|_ended| status::busy(RETRY))?.map_err(status::store)
    }

    /// Ends a device's session, here at once and at the other replicas within a moment.
    async fn close(&self, device: DeviceId, reason: ReasonCode) {
        let session = self.registry.end(device, reason);
        cut_soon(&self.tasks, session);
        let store = self.store.clone();
        // By itself: whoever asked for this may hang up, and the others are told all the same.
        let (say, said) = oneshot::channel();
        self.tasks.spawn_small(async move {
            if let Err(error) = store.wake(&Wakeup::Close(device, reason).encode()).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(device.id = %device, error, "other replicas were not told; they find out within seconds");
            }
            let _nobody_waits = say.send(());
        });
        let _stopping = said.await;
    }
}

/// Does what a hint says, and no more than that: a box may delete its identity because of the reason that its link ends with, and
/// whoever may speak to the database may give a hint.
async fn heed(
    tasks: &Tasks,
    store: &SystemStore,
    registry: &Registry,
    waiting: &Waiting,
    rights: &Rights,
    wakeup: Wakeup,
) {
    match wakeup {
        Wakeup::Close(device, told) => {
            tracing::debug!(device.id = %device, told = told.code(), "told to end a session");
            // Of a device that is not here only its hello may be on its way, and the box of that comes again.
            let standing = if registry.holds(device) { standing(store, device).await } else { None };
            cut_soon(tasks, registry.end(device, standing.unwrap_or(ReasonCode::LinkDecided)));
        }
        Wakeup::Enrollment(enrollment) => waiting.heard(enrollment),
        Wakeup::Rights(holder) => rights.heard(holder),
    }
}

/// Cuts the connection of a session that was told to end, if it does not go by itself. A stolen box that does not read is one, too.
pub(crate) fn cut_soon(tasks: &Tasks, session: Option<Arc<SessionHandle>>) {
    let Some(session) = session else { return };
    tasks.spawn_small(async move {
        tokio::time::sleep(TOLD_TO_GO).await;
        session.connection.cut();
    });
}

/// Why a device may not connect, as its row says. None when it may, and when that cannot be read: the box is told why when it comes
/// again.
async fn standing(store: &SystemStore, device: DeviceId) -> Option<ReasonCode> {
    match tokio::time::timeout(STANDING_TIMEOUT, store.device_refusal(device)).await {
        Ok(Ok(reason)) => reason,
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(device.id = %device, error, "why a session is to end cannot be read; it ends without");
            None
        }
        Err(_elapsed) => {
            tracing::warn!(device.id = %device, "the database does not say why a session is to end; it ends without");
            None
        }
    }
}

/// Tells the other replicas of boxes that wait for a decision: the box may wait at any of them.
pub(crate) fn tell_decisions(tasks: &Tasks, store: SystemStore, mut decided: mpsc::Receiver<EnrollmentId>) {
    let stopping = tasks.stopping();
    tasks.spawn("decisions", async move {
        let tell = async {
            while let Some(enrollment) = decided.recv().await {
                if let Err(error) = store.wake(&Wakeup::Enrollment(enrollment).encode()).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(enrollment.id = %enrollment, error, "other replicas were not told; they find out within seconds");
                }
            }
        };
        tokio::select! {
            () = tell => {}
            () = stopping.cancelled() => {}
        }
    });
}

/// Heeds what other replicas tell.
pub(crate) fn start(
    tasks: &Tasks,
    source: WakeupSource,
    store: SystemStore,
    registry: Arc<Registry>,
    waiting: Waiting,
    rights: Rights,
) {
    let (stopping, small) = (tasks.stopping(), tasks.clone());
    tasks.spawn("wakeups", async move {
        let turns = Arc::new(Semaphore::new(HEEDED_AT_ONCE));
        let listen = async {
            loop {
                let ended = match source.connect().await {
                    Ok(mut wakeups) => loop {
                        match wakeups.next().await {
                            Ok(text) => match Wakeup::decode(&text) {
                                Some(wakeup) => {
                                    let turn = Arc::clone(&turns).acquire_owned().await;
                                    let (store, registry) = (store.clone(), Arc::clone(&registry));
                                    let (tasks, waiting, rights) = (small.clone(), waiting.clone(), rights.clone());
                                    small.spawn_small(async move {
                                        heed(&tasks, &store, &registry, &waiting, &rights, wakeup).await;
                                        drop(turn);
                                    });
                                }
                                None => tracing::debug!(text, "a wake-up that this version does not know"),
                            },
                            Err(error) => break error,
                        }
                    },
                    Err(error) => error,
                };
                tracing::warn!(
                    error = &ended as &dyn std::error::Error,
                    "wake-ups of other replicas do not come; what they change is found by looking"
                );
                tokio::time::sleep(RETRY).await;
            }
        };
        tokio::select! {
            () = listen => {}
            () = stopping.cancelled() => {}
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::handle::Next;
    use crate::sessions::registry::tests::session;
    use kaliun_types::id::AccountId;

    /// The stream of a box that does not read never gets to its end.
    #[tokio::test(start_paused = true)]
    async fn a_box_that_does_not_read_is_cut_within_a_second() {
        let (registry, tasks, device) = (Registry::default(), Tasks::new(), DeviceId::new());
        let session = session(device, 1);
        registry.insert(Arc::clone(&session), std::time::Instant::now()).unwrap();
        session.beat(1);
        let told = tokio::time::Instant::now();
        cut_soon(&tasks, registry.end(device, ReasonCode::PeerDeviceRevoked));
        session.connection.is_cut().await;
        assert!(told.elapsed() < Duration::from_secs(1), "{:?}", told.elapsed());
        let next = session.next(std::task::Waker::noop());
        assert!(matches!(next, Next::Close(ReasonCode::PeerDeviceRevoked)), "nothing is said to it any more");
    }

    #[test]
    fn wakeups_read_back_and_newer_ones_are_passed_over() {
        let close = Wakeup::Close(DeviceId::new(), ReasonCode::PeerDeviceRevoked);
        assert_eq!(Wakeup::decode(&close.encode()), Some(close));
        let decided = Wakeup::Enrollment(EnrollmentId::new());
        assert_eq!(Wakeup::decode(&decided.encode()), Some(decided));
        let rights = Wakeup::Rights(Holder::Account(AccountId::new()));
        assert_eq!(Wakeup::decode(&rights.encode()), Some(rights));
        for text in [
            "",
            "close",
            "enrollment",
            "enrollment x",
            "close x peer.device_revoked",
            "explode now",
            &format!("{} more", close.encode()),
        ] {
            assert_eq!(Wakeup::decode(text), None, "{text:?}");
        }
    }
}
