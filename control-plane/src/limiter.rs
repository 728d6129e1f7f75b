//! Bounds how often a source may do what costs much or can be guessed.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Most sources remembered. When there are more, those that are allowed everything again are forgotten first.
const SOURCES_MAX: usize = 10_000;

/// A token bucket for each source.
pub(crate) struct Limiter<K> {
    sources_max: usize,
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
        Self::for_many(SOURCES_MAX, burst, interval)
    }

    /// The same for so many sources at work at once.
    pub(crate) fn for_many(sources_max: usize, burst: u32, interval: Duration) -> Self {
        let per_second = 1.0 / interval.as_secs_f64();
        Self { sources_max, burst: f64::from(burst), per_second, buckets: Mutex::new(HashMap::new()) }
    }

    /// Whether the source's bucket holds one. Nothing is taken.
    ///
    /// # Errors
    /// The bucket is empty: how long to wait.
    pub(crate) fn has_one(&self, source: &K, now: Instant) -> Result<(), Duration> {
        let buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let level = buckets.get(source).map_or(self.burst, |bucket| self.level(bucket, now));
        if level >= 1.0 { Ok(()) } else { Err(self.wait(level)) }
    }

    /// Takes one from the source's bucket.
    ///
    /// # Errors
    /// The bucket is empty: how long to wait.
    pub(crate) fn take(&self, source: &K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if buckets.len() >= self.sources_max && !buckets.contains_key(source) {
            buckets.retain(|_source, bucket| self.level(bucket, now) < self.burst);
            if buckets.len() >= self.sources_max {
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
        Err(self.wait(bucket.tokens))
    }

    /// Gives one back that was taken: what it was taken for was harmless.
    pub(crate) fn give_back(&self, source: &K) {
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(source) {
            bucket.tokens = (bucket.tokens + 1.0).min(self.burst);
        }
    }

    /// How long it takes until there is a whole one.
    fn wait(&self, level: f64) -> Duration {
        Duration::from_secs_f64((1.0 - level) / self.per_second)
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
        assert_eq!(limiter.has_one(&"a", start), Ok(()));
        assert_eq!(limiter.take(&"a", start), Ok(()));
        assert_eq!(limiter.has_one(&"a", start), Ok(()));
        assert_eq!(limiter.take(&"a", start), Ok(()));
        assert_eq!(limiter.has_one(&"a", start), Err(Duration::from_secs(10)));
        assert_eq!(limiter.take(&"a", start), Err(Duration::from_secs(10)));
        assert_eq!(limiter.take(&"b", start), Ok(()));
        assert_eq!(limiter.take(&"a", start + Duration::from_secs(10)), Ok(()));
        assert!(limiter.take(&"a", start + Duration::from_secs(11)).is_err());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_no_more() {
        let limiter = Limiter::new(2, Duration::from_secs(10));
        let start = Instant::now();
        limiter.give_back(&"a");
        for _ in 0..5 {
            assert_eq!(limiter.take(&"a", start), Ok(()));
            limiter.give_back(&"a");
        }
        limiter.give_back(&"a");
        assert_eq!((limiter.take(&"a", start), limiter.take(&"a", start)), (Ok(()), Ok(())));
        assert!(limiter.take(&"a", start).is_err(), "never more than at the beginning");
    }
}
