//! Waiting for a state.

use anyhow::bail;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// How long a state may take that comes soon on an idle machine; this one may be compiling.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Looks until `look` returns something, at most for `patience`. Its errors count as "not yet", and the last one is told.
///
/// # Errors
/// The state was not reached in time.
pub async fn until<T, F>(what: &str, patience: Duration, mut look: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let deadline = Instant::now() + patience;
    loop {
        let last = match look().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => "not yet".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        if Instant::now() >= deadline {
            bail!("{what}: not within {patience:?}; last: {last}");
        }
        tokio::time::sleep(LOOK).await;
    }
}
