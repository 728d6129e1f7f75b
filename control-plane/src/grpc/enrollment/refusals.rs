//! Counts enrolments that come to nothing, in memory, and writes the sums now and then: a flood costs the database as much as one try.
//!
//! What was counted and not written yet is lost when the process dies: at most what came within [`PERIOD`].

use crate::listen::source::limited_as;
use kaliun_store::{EnrollmentRefusals, StoreError, SystemStore};
use kaliun_types::id::OrganizationId;
use kaliun_types::reason::ReasonCode;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often the sums are written.
pub(crate) const PERIOD: Duration = Duration::from_secs(10);

/// Sources, organizations and reasons that are told apart between two writings, of some 64 bytes each. What comes from others then
/// counts as from elsewhere.
const PLACES_MAX: usize = 1_000;

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    /// None for elsewhere, and where sources are not known.
    source: Option<IpAddr>,
    organization: Option<OrganizationId>,
    reason: ReasonCode,
}

/// The counts of this process. Clones are the same thing.
#[derive(Debug, Clone)]
pub(crate) struct Refusals {
    sources_are_known: bool,
    counts: Arc<Mutex<HashMap<Place, i64>>>,
}

impl Refusals {
    pub(crate) fn new(sources_are_known: bool) -> Self {
        Self { sources_are_known, counts: Arc::default() }
    }

    /// Counts one. `organization` is whose join token was shown.
    pub(crate) fn count(&self, source: IpAddr, organization: Option<OrganizationId>, reason: ReasonCode) {
        let source = self.sources_are_known.then(|| limited_as(source));
        self.add(Place { source, organization, reason }, 1);
    }

    fn add(&self, place: Place, count: i64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        // Elsewhere has few places: each reason, for nobody. Whose token it was is not told apart there either.
        let is_told_apart = counts.contains_key(&place) || counts.len() < PLACES_MAX;
        let place = if is_told_apart { place } else { Place { source: None, organization: None, ..place } };
        let sum = counts.entry(place).or_default();
        *sum = sum.saturating_add(count);
    }

    /// Writes the sums and begins anew. What could not be written is kept.
    pub(crate) async fn write(&self, store: &SystemStore) -> Result<(), StoreError> {
        let counts = std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        if counts.is_empty() {
            return Ok(());
        }
        let sums: Vec<EnrollmentRefusals> = counts.iter().map(|(place, count)| sum(*place, *count)).collect();
        let written = store.enrollment_refusals_add(&sums).await;
        if written.is_err() {
            counts.into_iter().for_each(|(place, count)| self.add(place, count));
        }
        written
    }
}

fn sum(place: Place, count: i64) -> EnrollmentRefusals {
    let source = place.source.map(source_text).unwrap_or_default();
    EnrollmentRefusals { source, organization: place.organization, reason: place.reason, count }
}

/// A source as people read it.
fn source_text(source: IpAddr) -> String {
    if source.is_ipv6() { format!("{source}/64") } else { source.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn sums(refusals: &Refusals) -> Vec<(String, i64)> {
        let counts = refusals.counts.lock().unwrap();
        let mut sums: Vec<(String, i64)> =
            counts.iter().map(|(place, count)| (sum(*place, *count).source, *count)).collect();
        sums.sort();
        sums
    }

    #[test]
    fn a_source_is_counted_and_not_remembered_try_by_try() {
        let refusals = Refusals::new(true);
        for host in 0..10_000_u32 {
            let address = Ipv6Addr::from_bits((0x2001_0db8 << 96) | u128::from(host));
            refusals.count(address.into(), None, ReasonCode::EnrollmentTokenInvalid);
        }
        refusals.count([192, 0, 2, 7].into(), None, ReasonCode::EnrollmentTokenInvalid);
        assert_eq!(sums(&refusals), [("192.0.2.7".to_owned(), 1), ("2001:db8::/64".to_owned(), 10_000)]);
    }

    #[test]
    fn a_flood_from_everywhere_keeps_its_bound_and_every_count() {
        let refusals = Refusals::new(true);
        for host in 0..50_000_u32 {
            refusals.count(Ipv4Addr::from_bits(host).into(), None, ReasonCode::EnrollmentTokenInvalid);
        }
        let sums = sums(&refusals);
        assert_eq!(sums.len(), PLACES_MAX + 1);
        assert_eq!(sums.iter().map(|(_source, count)| count).sum::<i64>(), 50_000);
        assert_eq!(sums[0], (String::new(), 50_000 - i64::try_from(PLACES_MAX).unwrap()));
    }

    #[test]
    fn where_sources_are_not_known_all_is_one() {
        let refusals = Refusals::new(false);
        for host in 0..3 {
            refusals.count([192, 0, 2, host].into(), None, ReasonCode::EnrollmentTokenInvalid);
        }
        assert_eq!(sums(&refusals), [(String::new(), 3)]);
    }
}
