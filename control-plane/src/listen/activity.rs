//! Whether a connection is used: one that is not, is ended.

use axum::body::Body;
use http::Response;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The requests of one connection.
#[derive(Clone)]
pub(crate) struct Activity {
    requests: Arc<watch::Sender<Requests>>,
}

#[derive(Clone, Copy, Default)]
struct Requests {
    /// Requests whose answer is not yet sent whole.
    under_way: usize,
    /// All that ever began. A short one may come and go between two looks.
    begun: u64,
}

/// A request that is under way until this is dropped.
pub(crate) struct UnderWay {
    requests: Arc<watch::Sender<Requests>>,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self { requests: Arc::new(watch::Sender::new(Requests::default())) }
    }

    /// A request begins.
    pub(crate) fn begin(&self) -> UnderWay {
        self.requests.send_modify(|requests| {
            requests.under_way += 1;
            requests.begun += 1;
        });
        UnderWay { requests: Arc::clone(&self.requests) }
    }

    /// Resolves when the connection had no request under way for so long: `first` from the start, `idle` after a request.
    pub(crate) async fn is_over(&self, first: Duration, idle: Duration) {
        let mut requests = self.requests.subscribe();
        let mut patience = first;
        loop {
            // An error would say that the sender is gone, and it is in `self`.
            let Ok(seen) = requests.wait_for(|requests| requests.under_way == 0).await.map(|requests| requests.begun)
            else {
                return;
            };
            if tokio::time::timeout(patience, requests.wait_for(|requests| requests.begun != seen)).await.is_err() {
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
        self.requests.send_modify(|requests| requests.under_way = requests.under_way.saturating_sub(1));
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
