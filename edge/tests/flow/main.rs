//! Enrolment and link against a test double that speaks the real protocol over real TLS.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that meets the unexpected fails")]

mod boxed;
mod clock;
mod decommission;
mod double;
mod enrolling;
mod full_disk;
mod keys;
mod linking;
mod refusals;
mod renewal;
mod settings;
mod strangers;
mod unreadable;

use std::future::Future;
use std::time::Duration;

/// No test waits longer for anything.
const LIMIT: Duration = Duration::from_secs(30);

/// Lets so much time pass at once for all who sleep. What is on the wire meanwhile goes its way.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(LIMIT, future).await.expect("it never came")
}
