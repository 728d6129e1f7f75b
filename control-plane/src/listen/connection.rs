//! A handle to one connection, to cut it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use tokio::sync::Notify;

/// Cuts a connection from anywhere. Two handles are equal when they are of the same connection.
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
}

impl PartialEq for ConnectionHandle {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.cut, &other.cut)
    }
}

impl Eq for ConnectionHandle {}

impl Hash for ConnectionHandle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.cut).hash(state);
    }
}
