//! How long something took, many times.

use anyhow::{Context as _, ensure};
use serde::Serialize;
use std::time::Duration;

/// What many times come to, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Latency {
    /// How many.
    pub(crate) count: usize,
    /// Half took no longer.
    pub(crate) p50_ms: f64,
    /// Ninety-nine of a hundred took no longer.
    pub(crate) p99_ms: f64,
    /// The longest.
    pub(crate) max_ms: f64,
}

impl Latency {
    /// Of at least one.
    pub(crate) fn of(mut times: Vec<Duration>) -> anyhow::Result<Self> {
        ensure!(!times.is_empty(), "nothing was measured");
        times.sort_unstable();
        Ok(Self {
            count: times.len(),
            p50_ms: ms(rank(&times, 50)?),
            p99_ms: ms(rank(&times, 99)?),
            max_ms: ms(rank(&times, 100)?),
        })
    }
}

/// The smallest of sorted times that so many of a hundred do not exceed: the nearest rank.
fn rank(sorted: &[Duration], hundredths: usize) -> anyhow::Result<Duration> {
    let rank = (sorted.len() * hundredths).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().context("there is none of that rank")
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest() {
        let latency = Latency::of((1..=200).rev().map(Duration::from_millis).collect()).unwrap();
        assert_eq!(latency, Latency { count: 200, p50_ms: 100.0, p99_ms: 198.0, max_ms: 200.0 });
        let one = Latency::of(vec![Duration::from_millis(7)]).unwrap();
        assert_eq!(one, Latency { count: 1, p50_ms: 7.0, p99_ms: 7.0, max_ms: 7.0 });
        assert!(Latency::of(Vec::new()).is_err());
    }
}
