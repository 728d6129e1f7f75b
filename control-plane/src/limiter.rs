//! Bounds how often a source may do what costs much or can be guessed.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Most sources remembered. When there are more, those that are allowed everything again are forgotten first.
const SOURCES_MAX: usize = 10_000;

/// A token bucket for each source.
pub(crate) struct Limiter<K> {
    burst: f64,
    per_second: f64,
    buckets: Mutex<HashMap<K, Bucket>>,
}

struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl<K: Eq + Hash + Clone> Limiter<K> {
    /// Allows `burst` at once and one more each `interval`.
    pub(crate) fn new(burst: u32, interval: Duration) -> Self {
        Self { burst: f64::from(burst), per_second: 1.0 / interval.as_secs_f64(), buckets: Mutex::new(HashMap::new()) }
    }

    /// Takes one from the source's bucket.
    ///
    /// # Errors
    /// The bucket is empty: how long to wait.
    pub(crate) fn take(&self, source: &K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if buckets.len() >= SOURCES_MAX && !buckets.contains_key(source) {
            buckets.retain(|_source, bucket| self.level(bucket, now) < self.burst);
            if buckets.len() >= SOURCES_MAX {
                // So many sources at work at once are a flood.
                return Err(Duration::from_secs(10));
            }
        }
        let bucket = buckets.entry(source.clone()).or_insert(Bucket { tokens: self.burst, filled_at: now });
        bucket.tokens = self.level(bucket, now);
        bucket.filled_at = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - bucket.tokens) / self.per_second))
    }

    fn level(&self, bucket: &Bucket, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(bucket.filled_at).as_secs_f64();
        (bucket.tokens + elapsed * self.per_second).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills() {
        let limiter = Limiter::new(2, Duration::from_secs(10));
        let start = Instant::now();
        assert_eq!(limiter.take(&"a", start), Ok(()));
        assert_eq!(limiter.take(&"a", start), Ok(()));
        assert_eq!(limiter.take(&"a", start), Err(Duration::from_secs(10)));
        assert_eq!(limiter.take(&"b", start), Ok(()));
        assert_eq!(limiter.take(&"a", start + Duration::from_secs(10)), Ok(()));
        assert!(limiter.take(&"a", start + Duration::from_secs(11)).is_err());
    }
}
