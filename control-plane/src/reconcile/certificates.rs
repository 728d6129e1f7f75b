//! Looks when certificates run out, for whoever watches over the whole fleet.

use crate::clock;
use crate::metrics::Metrics;
use kaliun_store::{StoreError, SystemStore};
use std::time::{Duration, SystemTime};

/// Below this much life a certificate should have been renewed days ago: that happens with 9 to 12 of 30 days left.
const SOON: Duration = Duration::from_secs(7 * 24 * 3600);

/// Measures it, by the clock that certificates go by. The same at each replica, for it is about the fleet and not about the process.
pub(super) async fn look(store: &SystemStore, metrics: &Metrics, now: SystemTime) -> Result<(), StoreError> {
    let found = store.certificate_expiry(now, now + SOON).await?;
    metrics.certificate_next_expiry.set(found.next_at.map_or(0, |at| clock::to_ms(at) / 1_000));
    metrics.certificates_expiring.set(found.expiring);
    metrics.certificates_expired.set(found.expired);
    Ok(())
}
