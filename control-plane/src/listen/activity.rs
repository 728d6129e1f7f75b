//! Whether a connection is used: one that is not, is ended.

use axum::body::Body;
use http::Response;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// The requests of one connection. Small, for there is one for each box.
#[derive(Clone)]
pub(crate) struct Activity {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Requests whose answer is not yet sent whole.
    under_way: AtomicUsize,
    /// All that ever began. A short one may come and go between two looks.
    begun: AtomicUsize,
    /// Told after each change, to the one that waits in [`Activity::is_over`]. What is told while it looks is kept for it.
    changed: Notify,
}

/// A request that is under way until this is dropped.
pub(crate) struct UnderWay {
    state: Arc<State>,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self { state: Arc::default() }
    }

    /// A request begins.
    pub(crate) fn begin(&self) -> UnderWay {
        self.state.under_way.fetch_add(1, Ordering::AcqRel);
        self.state.begun.fetch_add(1, Ordering::AcqRel);
        self.state.changed.notify_one();
        UnderWay { state: Arc::clone(&self.state) }
    }

    /// Whether no request is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.under_way.load(Ordering::Acquire) == 0
    }

    /// Resolves when the connection had no request under way for so long: `first` from the start, `idle` after a request. For one
    /// waiter, the connection's task.
    pub(crate) async fn is_over(&self, first: Duration, idle: Duration) {
        let state = &self.state;
        let mut patience = first;
        loop {
            while state.under_way.load(Ordering::Acquire) > 0 {
                state.changed.notified().await;
            }
            let seen = state.begun.load(Ordering::Acquire);
            let begins = async {
                while state.begun.load(Ordering::Acquire) == seen {
                    state.changed.notified().await;
                }
            };
            if tokio::time::timeout(patience, begins).await.is_err() {
                return;
            }
            patience = idle;
        }
    }
}

impl UnderWay {
    /// Stays under way until the answer's body is sent or given up.
    pub(crate) fn until_sent(self, response: Response<Body>) -> Response<Body> {
        response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _held = &self;
                frame
            }))
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.state.under_way.fetch_sub(1, Ordering::AcqRel);
        self.state.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    const FIRST: Duration = Duration::from_secs(15);
    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_asks_nothing_is_over_soon() {
        let begun = tokio::time::Instant::now();
        Activity::new().is_over(FIRST, IDLE).await;
        assert_eq!(begun.elapsed(), FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_answer_keeps_it_and_a_short_one_counts() {
        let activity = Activity::new();
        let begun = tokio::time::Instant::now();
        let long = activity.begin();
        drop(activity.begin());
        let mut over = Box::pin(activity.is_over(FIRST, IDLE));
        assert!(over.as_mut().now_or_never().is_none());
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(over.as_mut().now_or_never().is_none(), "an answer is under way");
        drop(long);
        assert!(over.as_mut().now_or_never().is_none());
        tokio::time::advance(Duration::from_secs(50)).await;
        drop(activity.begin());
        assert!(over.as_mut().now_or_never().is_none());
        over.await;
        assert_eq!(begun.elapsed(), Duration::from_secs(3600 + 50) + IDLE);
    }
}
