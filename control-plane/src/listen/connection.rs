//! A handle to one connection of a box.

use std::sync::Arc;
use tokio::sync::Notify;

/// Cuts a connection from anywhere.
#[derive(Clone)]
pub(crate) struct ConnectionHandle {
    cut: Arc<Notify>,
}

impl ConnectionHandle {
    pub(crate) fn new() -> Self {
        Self { cut: Arc::new(Notify::new()) }
    }

    /// Ends the connection now.
    pub(crate) fn cut(&self) {
        self.cut.notify_one();
    }

    /// For the connection's task: resolves when it shall end.
    pub(crate) async fn is_cut(&self) {
        self.cut.notified().await;
    }

    /// Whether both are of the same connection.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.cut, &other.cut)
    }
}
