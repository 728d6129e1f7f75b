//! Enrolment and link against a test double that speaks the real protocol over real TLS.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that meets the unexpected fails")]

mod boxed;
mod decommission;
mod double;
mod enrolling;
mod full_disk;
mod keys;
mod linking;
mod refusals;
mod renewal;
mod settings;

use std::future::Future;
use std::time::Duration;

/// No test waits longer for anything.
const LIMIT: Duration = Duration::from_secs(30);

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(LIMIT, future).await.expect("it never came")
}
