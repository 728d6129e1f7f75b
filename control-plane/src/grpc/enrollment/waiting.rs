//! Boxes that wait for somebody's decision, and how they hear of it.
//!
//! A decision made by this process is told at once. One made by another replica, or whose word was lost, is found by one look at
//! the database for all that wait here.

use kaliun_store::{StoreError, SystemStore};
use kaliun_types::id::EnrollmentId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// Decisions that a waiting box may be behind before it looks for itself.
const DECISIONS_MAX: usize = 256;

/// All that wait in this process.
#[derive(Clone)]
pub(crate) struct Waiting {
    decisions: broadcast::Sender<EnrollmentId>,
    /// How many streams wait for each. Bounded by the places that waiting boxes have.
    here: Arc<Mutex<HashMap<EnrollmentId, usize>>>,
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
}

impl Waiting {
    pub(crate) fn new() -> Self {
        Self { decisions: broadcast::Sender::new(DECISIONS_MAX), here: Arc::default() }
    }

    fn here(&self) -> MutexGuard<'_, HashMap<EnrollmentId, usize>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells that this one was decided.
    pub(crate) fn decided(&self, enrollment: EnrollmentId) {
        // An error says that nobody waits.
        let _nobody = self.decisions.send(enrollment);
    }

    /// Looks for decisions that nobody told of.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn look(&self, store: &SystemStore) -> Result<(), StoreError> {
        let here: Vec<EnrollmentId> = self.here().keys().copied().collect();
        if here.is_empty() {
            return Ok(());
        }
        store.enrollments_decided(&here).await?.into_iter().for_each(|decided| self.decided(decided));
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
        *self.waiting.here().entry(id).or_default() += 1;
        Waiter { decisions: &mut self.decisions, waiting: self.waiting.clone(), id }
    }
}

impl Waiter<'_> {
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
        if let Some(count) = here.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
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
        let waiting = Waiting::new();
        let (mine, other) = (EnrollmentId::new(), EnrollmentId::new());
        let mut decisions = waiting.listen();
        // Decided between the listening and the waiting.
        waiting.decided(mine);
        let mut waiter = decisions.wait_as(mine);
        assert!(waiter.decided().now_or_never().is_some());
        waiting.decided(other);
        assert!(waiter.decided().now_or_never().is_none());
        assert_eq!(waiting.here().len(), 1);
        drop(waiter);
        assert!(waiting.here().is_empty());
    }
}
