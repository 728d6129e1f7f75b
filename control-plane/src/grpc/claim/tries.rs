//! Bounds how many codes that no box has somebody may enter, by who they are and by where they are.
//!
//! Each try takes a place before the code is looked at and gives it back when a box waits under it: tries at the same time cannot
//! all pass on the last place, and whoever reads codes off screens is not held up.

use crate::grpc::auth::{Caller, Source};
use crate::grpc::status;
use crate::limiter::Limiter;
use crate::listen::source::limited_as;
use kaliun_types::id::OrganizationId;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tonic::Status;

/// Wrong codes at once, and how often one more: a person who mistypes each code ten times a minute, all day.
const BURST: u32 = 30;
const INTERVAL: Duration = Duration::from_secs(6);

type Account = (OrganizationId, String);

/// Places for wrong codes.
pub(super) struct Tries {
    by_account: Limiter<Account>,
    by_source: Limiter<IpAddr>,
}

/// One code that is being tried. Counts as wrong unless it is said to be right.
pub(super) struct Try<'a> {
    tries: &'a Tries,
    account: Account,
    source: Option<IpAddr>,
}

impl Tries {
    pub(super) fn new() -> Self {
        Self { by_account: Limiter::new(BURST, INTERVAL), by_source: Limiter::new(BURST, INTERVAL) }
    }

    /// Takes a place. Where it is not known where somebody is, only who they are counts.
    ///
    /// # Errors
    /// Too many codes were wrong: how long to wait.
    pub(super) fn begin(&self, caller: &Caller, source: Option<Source>) -> Result<Try<'_>, Status> {
        let account = (caller.scope().organization(), caller.actor().name);
        let source = source.map(|Source(address)| limited_as(address));
        self.take(account, source, Instant::now()).map_err(status::too_often)
    }

    fn take(&self, account: Account, source: Option<IpAddr>, now: Instant) -> Result<Try<'_>, Duration> {
        self.by_account.take(&account, now)?;
        if let Some(source) = source
            && let Err(wait) = self.by_source.take(&source, now)
        {
            self.by_account.give_back(&account);
            return Err(wait);
        }
        Ok(Try { tries: self, account, source })
    }
}

impl Try<'_> {
    /// A box waits under the code.
    pub(super) fn was_right(self) {
        self.tries.by_account.give_back(&self.account);
        if let Some(source) = &self.source {
            self.tries.by_source.give_back(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn wrong_codes_count_against_account_and_source_and_right_ones_against_nobody() {
        let tries = Tries::new();
        let now = Instant::now();
        let organization = OrganizationId::new();
        let account = |name: &str| (organization, name.to_owned());
        let address = |last| Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
        for _ in 0..100 {
            tries.take(account("careful"), address(1), now).expect("right codes are never too many").was_right();
        }
        for last in 0..30 {
            tries.take(account("guesser"), address(100 + last), now).expect("a place is left");
        }
        assert!(tries.take(account("guesser"), address(1), now).is_err(), "from wherever");
        for number in 0..30 {
            tries.take(account(&format!("one of many {number}")), address(2), now).expect("a place is left");
        }
        assert!(tries.take(account("the next"), address(2), now).is_err(), "as whomever");
        // Being refused for the place costs the account nothing.
        for last in 0..30 {
            tries.take(account("the next"), address(200 + last), now).expect("its own places are all there");
        }
    }

    /// All begin before the first one ends: each holds its place meanwhile.
    #[test]
    fn tries_at_once_share_the_places() {
        let tries = Tries::new();
        let now = Instant::now();
        let account = (OrganizationId::new(), "guesser".to_owned());
        let under_way: Vec<_> = (0..100).filter_map(|_| tries.take(account.clone(), None, now).ok()).collect();
        assert_eq!(under_way.len(), usize::try_from(BURST).unwrap_or_default());
        under_way.into_iter().for_each(Try::was_right);
        assert!(tries.take(account, None, now).is_ok());
    }
}
