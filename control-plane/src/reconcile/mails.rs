//! The outbox of mails is looked after, also where no mail server is configured.

use crate::metrics::Metrics;
use kaliun_domain::mail::ATTEMPTS_OVER_AFTER;
use kaliun_store::{StoreError, SystemStore};
use std::time::{Duration, SystemTime};

/// Mails are kept so long, for whoever asks where one is; they are personal data and no archive.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Most rows that one run changes of each sort.
const BATCH: i64 = 1_000;

/// Gives up what nobody could send, deletes what is old, and counts what waits.
pub(super) async fn look(store: &SystemStore, metrics: &Metrics, now: SystemTime) -> Result<(), StoreError> {
    let given_up = store.mail_give_up_before(now - ATTEMPTS_OVER_AFTER, BATCH).await?;
    if given_up > 0 {
        metrics.mails.given_up.inc_by(given_up);
        tracing::warn!(given_up, "mails that could not be sent within three days are given up");
    }
    store.mail_delete_before(now - KEPT, BATCH).await?;
    store.mailed_secret_delete_expired(BATCH).await?;
    let backlog = store.mail_backlog().await?;
    metrics.mails.waiting.set(i64::try_from(backlog.waiting).unwrap_or(i64::MAX));
    let age = backlog.oldest_at.and_then(|oldest| now.duration_since(oldest).ok()).unwrap_or_default();
    metrics.mails.oldest_waiting.set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
    Ok(())
}
