//! The one place of this crate that spawns.

use std::future::Future;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// Spawns a task whose handle the caller keeps and awaits at the end.
pub(crate) fn spawn<F>(name: &'static str, task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    #[expect(clippy::disallowed_methods, reason = "this is the tracked helper the rule asks for")]
    tokio::spawn(task.instrument(tracing::info_span!("task", name)))
}
