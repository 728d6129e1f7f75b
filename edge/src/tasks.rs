//! The one place of this crate that spawns: every task is tracked, ends when its owner does, and can be awaited.

use std::future::Future;
use std::io;
use tokio::runtime::Handle;
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

/// Runs a future on a thread where it may stand still for a while. It ends at its next await when nobody waits for it any more.
///
/// # Errors
/// It panicked, or the whole program is ending.
pub(crate) async fn where_it_may_block<F>(future: F) -> io::Result<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let abandoned = CancellationToken::new();
    let _abandon_on_drop = abandoned.clone().drop_guard();
    let runtime = Handle::current();
    let thread = tokio::task::spawn_blocking(move || runtime.block_on(abandoned.run_until_cancelled_owned(future)));
    thread.await?.ok_or_else(|| io::ErrorKind::Interrupted.into())
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn what_may_block_runs_elsewhere_and_ends_with_whoever_waits() {
        let here = std::thread::current().id();
        let there = where_it_may_block(async { std::thread::current().id() }).await.unwrap();
        assert_ne!(here, there);
        assert!(where_it_may_block(async { panic!("a key of somebody else's making") }).await.is_err());

        let (begun, has_begun) = oneshot::channel();
        let (kept, ended) = oneshot::channel::<()>();
        let forever = where_it_may_block(async move {
            begun.send(()).unwrap();
            std::future::pending::<()>().await;
            drop(kept);
        });
        tokio::select! {
            _ = forever => panic!("it never ends"),
            begun = has_begun => begun.unwrap(),
        }
        assert!(ended.await.is_err(), "it was let go");
    }
}
