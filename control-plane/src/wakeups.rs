//! What replicas tell each other so that nobody has to wait for a look: hints, and the rows are the truth.

use crate::grpc::enrollment::Waiting;
use crate::sessions::registry::Registry;
use crate::tasks::Tasks;
use kaliun_store::{SystemStore, WakeupSource};
use kaliun_types::id::{DeviceId, EnrollmentId};
use kaliun_types::reason::ReasonCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long a broken connection waits before it is made anew. Meanwhile others are found by looking, within seconds.
const RETRY: Duration = Duration::from_secs(1);

/// One hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wakeup {
    /// A device's session is to end, wherever it is.
    Close(DeviceId, ReasonCode),
    /// Somebody decided about a waiting box, or entered its code.
    Enrollment(EnrollmentId),
}

impl Wakeup {
    fn encode(self) -> String {
        match self {
            Self::Close(device, reason) => format!("close {device} {}", reason.code()),
            Self::Enrollment(enrollment) => format!("enrollment {enrollment}"),
        }
    }

    /// None for what a newer version says.
    fn decode(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        match (words.next()?, words.next(), words.next(), words.next()) {
            ("close", Some(device), Some(reason), None) => {
                Some(Self::Close(device.parse().ok()?, ReasonCode::from_code(reason)?))
            }
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

    /// Ends a device's session, here at once and at the other replicas within a moment.
    pub(crate) async fn close(&self, device: DeviceId, reason: ReasonCode) {
        self.registry.end(device, reason);
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

/// Does what a hint says.
fn heed(registry: &Registry, waiting: &Waiting, wakeup: Wakeup) {
    match wakeup {
        Wakeup::Close(device, reason) => registry.end(device, reason),
        Wakeup::Enrollment(enrollment) => waiting.heard(enrollment),
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
pub(crate) fn start(tasks: &Tasks, source: WakeupSource, registry: Arc<Registry>, waiting: Waiting) {
    let stopping = tasks.stopping();
    tasks.spawn("wakeups", async move {
        let listen = async {
            loop {
                let ended = match source.connect().await {
                    Ok(mut wakeups) => loop {
                        match wakeups.next().await {
                            Ok(text) => match Wakeup::decode(&text) {
                                Some(wakeup) => heed(&registry, &waiting, wakeup),
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

    #[test]
    fn wakeups_read_back_and_newer_ones_are_passed_over() {
        let close = Wakeup::Close(DeviceId::new(), ReasonCode::PeerDeviceRevoked);
        assert_eq!(Wakeup::decode(&close.encode()), Some(close));
        let decided = Wakeup::Enrollment(EnrollmentId::new());
        assert_eq!(Wakeup::decode(&decided.encode()), Some(decided));
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
