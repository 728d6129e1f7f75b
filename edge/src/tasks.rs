//! The one place of this crate that spawns: every task is tracked, ends when its owner does, and can be awaited.

use std::future::Future;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// The tasks of one owner. Dropping it ends them all.
#[derive(Debug)]
pub struct Tasks {
    spawner: Spawner,
    _cancel_on_drop: DropGuard,
}

/// Spawns into the [`Tasks`] it came from.
#[derive(Debug, Clone)]
pub struct Spawner {
    tracker: TaskTracker,
    cancelled: CancellationToken,
}

impl Tasks {
    /// Makes an owner without tasks.
    #[must_use]
    pub fn new() -> Self {
        let cancelled = CancellationToken::new();
        Self {
            _cancel_on_drop: cancelled.clone().drop_guard(),
            spawner: Spawner { tracker: TaskTracker::new(), cancelled },
        }
    }

    /// A handle that spawns into this owner.
    #[must_use]
    pub fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Ends all tasks at their next await and waits until they are gone.
    pub async fn stop(self) {
        self.spawner.cancelled.cancel();
        self.spawner.tracker.close();
        self.spawner.tracker.wait().await;
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Spawner {
    /// Runs a future until it ends or its owner does.
    pub fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let cancelled = self.cancelled.clone();
        self.tracker.spawn(async move {
            cancelled.run_until_cancelled_owned(future).await;
        });
    }
}

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        self.spawn(async move {
            future.await;
        });
    }
}
