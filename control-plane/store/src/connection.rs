//! A connection that was taken from a pool, and goes back into it unless the database went silent on it.

use crate::error::StoreError;
use deadpool_postgres::{ClientWrapper, Object};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest wait for an answer. The database ends a statement before that, so beyond it nobody is there to do so.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection for one transaction.
pub(crate) struct PooledConnection {
    /// There until it is dropped.
    object: Option<Object>,
    silence: Silence,
}

/// Whether the database did not answer. What comes on such a connection later belongs to nobody, and who takes it next would wait
/// as long for nothing.
#[derive(Debug, Default)]
pub(crate) struct Silence(AtomicBool);

impl PooledConnection {
    pub(crate) fn new(object: Object) -> Self {
        Self { object: Some(object), silence: Silence::default() }
    }

    /// The connection, and where to note that nothing came back on it.
    pub(crate) fn parts(&mut self) -> (&mut ClientWrapper, &Silence) {
        let object = self.object.as_mut().expect("only dropping takes it out");
        (object, &self.silence)
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if self.silence.0.load(Ordering::Relaxed)
            && let Some(object) = self.object.take()
        {
            // Out of the pool, which makes another one, and closed.
            drop(Object::take(object));
        }
    }
}

impl Silence {
    /// Waits for the database's answer, but not for ever.
    pub(crate) async fn answered<T>(
        &self,
        operation: &'static str,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(answer) => answer.map_err(StoreError::at(operation)),
            Err(_elapsed) => {
                self.0.store(true, Ordering::Relaxed);
                Err(StoreError::Silent { operation })
            }
        }
    }
}
