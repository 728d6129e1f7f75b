//! A handle to one connection of a box.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Cuts a connection from anywhere, and knows whether it was ever used.
#[derive(Clone)]
pub(crate) struct ConnectionHandle {
    shared: Arc<Shared>,
}

struct Shared {
    cut: Notify,
    is_used: AtomicBool,
}

impl ConnectionHandle {
    pub(crate) fn new() -> Self {
        Self { shared: Arc::new(Shared { cut: Notify::new(), is_used: AtomicBool::new(false) }) }
    }

    /// Ends the connection now.
    pub(crate) fn cut(&self) {
        self.shared.cut.notify_one();
    }

    /// For the connection's task: resolves when it shall end.
    pub(crate) async fn is_cut(&self) {
        self.shared.cut.notified().await;
    }

    /// Notes that something was asked for.
    pub(crate) fn use_it(&self) {
        self.shared.is_used.store(true, Ordering::Relaxed);
    }

    /// For the connection's task: resolves when nothing was asked for in this time, and never when something was.
    pub(crate) async fn stays_unused(&self, patience: Duration) {
        tokio::time::sleep(patience).await;
        if self.shared.is_used.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}
