//! The one place that spawns: every task is counted, and waited for at the end.

use std::future::Future;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// The tasks of this process.
#[derive(Clone)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self { tracker: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// Runs a task until it ends by itself. It looks at [`Tasks::stopping`] where it waits.
    #[expect(clippy::disallowed_methods, reason = "this is the place that spawns")]
    pub(crate) fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.tracker.track_future(task.instrument(tracing::info_span!("task", name))));
    }

    /// Runs one of very many small tasks, such as a connection: counted, but without a span of its own.
    #[expect(clippy::disallowed_methods, reason = "this is the place that spawns")]
    pub(crate) fn spawn_small(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.tracker.track_future(task));
    }

    /// Resolves when the process shall stop.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Tells all tasks to stop and waits for them, at most this long. Answers whether all ended.
    pub(crate) async fn stop(&self, patience: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(patience, self.tracker.wait()).await.is_ok()
    }
}

/// Lets hyper spawn its streams here.
impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.spawn_small(future);
    }
}
