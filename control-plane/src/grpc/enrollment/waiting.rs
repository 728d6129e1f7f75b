//! Boxes that wait for somebody's decision, and how they hear of it, and of somebody having entered their code.
//!
//! What this process does is told at once, and other replicas are told over the database. What was lost on that way is found by one
//! look for all that wait here.

use kaliun_store::{StoreError, SystemStore};
use kaliun_types::id::EnrollmentId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{broadcast, mpsc};

/// Decisions that a waiting box may be behind before it looks for itself.
const DECISIONS_MAX: usize = 256;

/// All that wait in this process.
#[derive(Clone)]
pub(crate) struct Waiting {
    decisions: broadcast::Sender<EnrollmentId>,
    /// What waits for each. Bounded by the places that waiting boxes have.
    here: Arc<Mutex<HashMap<EnrollmentId, Here>>>,
    /// What other replicas are to be told.
    others: mpsc::Sender<EnrollmentId>,
}

/// What waits here for one.
#[derive(Debug, Clone, Copy, Default)]
struct Here {
    streams: usize,
    /// Streams whose box was told that somebody entered its code.
    told: usize,
}

/// Listens for decisions.
pub(super) struct Decisions {
    decisions: broadcast::Receiver<EnrollmentId>,
    waiting: Waiting,
}

/// One that waits; no longer when it is dropped.
pub(super) struct Waiter<'a> {
    decisions: &'a mut broadcast::Receiver<EnrollmentId>,
    waiting: Waiting,
    id: EnrollmentId,
    is_told: bool,
}

impl Waiting {
    /// What is decided here goes to `others`; whoever reads there tells it to the other replicas.
    pub(crate) fn new() -> (Self, mpsc::Receiver<EnrollmentId>) {
        let (others, to_tell) = mpsc::channel(DECISIONS_MAX);
        (Self { decisions: broadcast::Sender::new(DECISIONS_MAX), here: Arc::default(), others }, to_tell)
    }

    fn here(&self) -> MutexGuard<'_, HashMap<EnrollmentId, Here>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells that this one was decided, or its code entered: here, and to the other replicas.
    pub(crate) fn decided(&self, enrollment: EnrollmentId) {
        // When there is much to tell, the others find out by looking.
        let _full = self.others.try_send(enrollment);
        self.heard(enrollment);
    }

    /// Another replica told so.
    pub(crate) fn heard(&self, enrollment: EnrollmentId) {
        // An error says that nobody waits.
        let _nobody = self.decisions.send(enrollment);
    }

    /// Looks for decisions that nobody told of.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn look(&self, store: &SystemStore) -> Result<(), StoreError> {
        let (here, told): (Vec<EnrollmentId>, Vec<bool>) =
            self.here().iter().map(|(id, here)| (*id, here.told == here.streams)).unzip();
        if here.is_empty() {
            return Ok(());
        }
        store.enrollments_decided(&here, &told).await?.into_iter().for_each(|decided| self.heard(decided));
        Ok(())
    }

    /// Listens from now on. Before the row is read, so that nothing falls between.
    pub(super) fn listen(&self) -> Decisions {
        Decisions { decisions: self.decisions.subscribe(), waiting: self.clone() }
    }
}

impl Decisions {
    /// Waits as this one.
    pub(super) fn wait_as(&mut self, id: EnrollmentId) -> Waiter<'_> {
        self.waiting.here().entry(id).or_default().streams += 1;
        Waiter { decisions: &mut self.decisions, waiting: self.waiting.clone(), id, is_told: false }
    }
}

impl Waiter<'_> {
    /// The box was told that somebody entered its code: that is not to be looked for any more.
    pub(super) fn told(&mut self) {
        if !self.is_told {
            self.is_told = true;
            if let Some(here) = self.waiting.here().get_mut(&self.id) {
                here.told += 1;
            }
        }
    }

    /// Resolves when there may be a decision.
    pub(super) async fn decided(&mut self) {
        loop {
            match self.decisions.recv().await {
                Ok(decided) if decided != self.id => {}
                // This one, or too many to know.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut here = self.waiting.here();
        if let Some(counted) = here.get_mut(&self.id) {
            counted.streams -= 1;
            counted.told -= usize::from(self.is_told);
            if counted.streams == 0 {
                here.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn a_waiter_hears_of_its_own_decision_only() {
        let (waiting, mut to_tell) = Waiting::new();
        let (mine, other) = (EnrollmentId::new(), EnrollmentId::new());
        let mut decisions = waiting.listen();
        // Decided between the listening and the waiting.
        waiting.decided(mine);
        let mut waiter = decisions.wait_as(mine);
        assert!(waiter.decided().now_or_never().is_some());
        waiting.decided(other);
        assert!(waiter.decided().now_or_never().is_none());
        waiter.told();
        waiter.told();
        assert_eq!(waiting.here().values().map(|here| (here.streams, here.told)).collect::<Vec<_>>(), [(1, 1)]);
        drop(waiter);
        assert!(waiting.here().is_empty());
        assert_eq!((to_tell.try_recv(), to_tell.try_recv()), (Ok(mine), Ok(other)));
        assert!(to_tell.try_recv().is_err());
    }
}
