//! Keeps passwords from being guessed, without keeping anybody out who knows theirs.
//!
//! Only wrong tries count, and only against the source that made them. Whoever tries from elsewhere is not held up, so nobody can lock
//! an account for its owner. Where it is not known where somebody is, only the time that a check takes holds guessing up.

use crate::grpc::auth::Source;
use crate::grpc::status;
use crate::limiter::Limiter;
use crate::listen::source::{limited_as, site_of};
use crate::listen::turns::{Turn, TurnLimits, Turns};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};
use tonic::Status;

/// Password checks at once. Each takes 19 MB and about 20 ms of a core: one core stays free for the devices. Those of one site wait
/// for each other, so that the others get their turn.
const CHECKS: TurnLimits = TurnLimits { in_all: 1, for_each: 1, members_for_each: 16 };
/// The same where all seem to come from one place.
const CHECKS_OF_ALL: TurnLimits = TurnLimits { in_all: 1, for_each: 1, members_for_each: 32 };
/// Longest wait for a turn: what a person waits for a page.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);
/// When somebody shall come back who got no turn.
const TURN_RETRY: Duration = Duration::from_secs(2);

/// Mails that one source may cause, by signing up or by forgetting passwords: a school class at once, then one each half minute. How many go
/// to one address is bounded by the outbox.
const ASKING_BURST: u32 = 30;
const ASKING_INTERVAL: Duration = Duration::from_secs(30);

/// Counts wrong tries and hands out turns.
pub(super) struct Guard {
    /// Of one source: mails that it causes.
    asking: Limiter<IpAddr>,
    /// Of one source: an office where many mistype theirs on a Monday.
    by_source: Limiter<IpAddr>,
    /// Of one source for one address.
    by_address: Limiter<(IpAddr, String)>,
    turns: Turns<IpAddr>,
}

/// One try to sign in.
pub(super) struct Try<'a> {
    guard: &'a Guard,
    source: Option<IpAddr>,
    address: String,
    _turn: Turn<IpAddr>,
}

impl Guard {
    pub(super) fn new(sources_are_known: bool) -> Self {
        Self {
            asking: Limiter::new(ASKING_BURST, ASKING_INTERVAL),
            by_source: Limiter::new(20, Duration::from_secs(3)),
            by_address: Limiter::new(10, Duration::from_secs(6)),
            turns: Turns::new(if sources_are_known { CHECKS } else { CHECKS_OF_ALL }),
        }
    }

    /// Waits for a turn to check a password for an address.
    ///
    /// # Errors
    /// The source failed too often, or too many wait.
    pub(super) async fn begin(&self, source: Option<Source>, address: &str) -> Result<Try<'_>, Status> {
        let site = source.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Source(source)| site_of(source));
        let source = source.map(|Source(source)| limited_as(source));
        let address = address.to_lowercase();
        // Looked at before the queue too: who failed too often takes nobody's place in it.
        self.may_try(source, &address)?;
        let turn = self.turn_of(site).await?;
        // And again with the turn in hand: those of one source come one after another, so none slips past the count.
        self.may_try(source, &address)?;
        Ok(Try { guard: self, source, address, _turn: turn })
    }

    /// Waits for a turn to hash a password that somebody sets.
    ///
    /// # Errors
    /// Too many wait.
    pub(super) async fn turn(&self, source: Option<Source>) -> Result<Turn<IpAddr>, Status> {
        self.turn_of(source.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Source(source)| site_of(source))).await
    }

    async fn turn_of(&self, site: IpAddr) -> Result<Turn<IpAddr>, Status> {
        let turn = tokio::time::timeout(TURN_TIMEOUT, self.turns.take(site)).await.ok().flatten();
        turn.ok_or_else(|| status::too_often(TURN_RETRY))
    }

    /// Counts what makes us send a mail to somebody whom we do not know.
    ///
    /// # Errors
    /// The source asked too often: how long to wait.
    pub(super) fn may_ask(&self, source: Option<Source>) -> Result<(), Status> {
        let Some(Source(source)) = source else { return Ok(()) };
        self.asking.take(&limited_as(source), Instant::now()).map_err(status::too_often)
    }

    fn may_try(&self, source: Option<IpAddr>, address: &str) -> Result<(), Status> {
        let Some(source) = source else { return Ok(()) };
        let now = Instant::now();
        self.by_source.has_one(&source, now).map_err(status::too_often)?;
        self.by_address.has_one(&(source, address.to_owned()), now).map_err(status::too_often)
    }
}

impl Try<'_> {
    /// The password was wrong.
    pub(super) fn failed(self) {
        if let Some(source) = self.source {
            let now = Instant::now();
            // Full counts mean a flood from everywhere; whoever knows the password still gets in.
            let _uncounted = self.guard.by_source.take(&source, now);
            let _uncounted = self.guard.by_address.take(&(source, self.address), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(last: u8) -> Option<Source> {
        Some(Source(IpAddr::from([192, 0, 2, last])))
    }

    #[tokio::test]
    async fn only_wrong_tries_count_and_only_against_who_made_them() {
        let guard = Guard::new(true);
        for _ in 0..100 {
            assert!(guard.begin(from(1), "a@example.org").await.is_ok(), "a right try costs nothing");
        }
        for _ in 0..10 {
            guard.begin(from(1), "a@example.org").await.unwrap().failed();
        }
        assert!(guard.begin(from(1), "A@Example.org").await.is_err(), "the same address in other letters");
        assert!(guard.begin(from(1), "b@example.org").await.is_ok());
        assert!(guard.begin(from(2), "a@example.org").await.is_ok(), "the owner is elsewhere");
        for _ in 0..10 {
            guard.begin(from(1), "b@example.org").await.unwrap().failed();
        }
        assert!(guard.begin(from(1), "c@example.org").await.is_err(), "a source tries one address after another");
    }

    #[tokio::test]
    async fn where_nobody_is_known_nobody_is_locked_out() {
        let guard = Guard::new(false);
        for _ in 0..100 {
            guard.begin(None, "a@example.org").await.unwrap().failed();
        }
        assert!(guard.begin(None, "a@example.org").await.is_ok());
    }

    #[tokio::test]
    async fn one_source_waits_for_itself_only() {
        let guard = Guard::new(true);
        let mut waiting = Vec::new();
        let held = guard.begin(from(1), "a@example.org").await.unwrap();
        for _ in 0..15 {
            let mut next = Box::pin(guard.begin(from(1), "a@example.org"));
            assert!(futures_util::poll!(&mut next).is_pending());
            waiting.push(next);
        }
        assert!(guard.begin(from(1), "a@example.org").await.is_err(), "its queue is full");
        let mut other = Box::pin(guard.begin(from(2), "b@example.org"));
        assert!(futures_util::poll!(&mut other).is_pending(), "there is one turn in all");
        drop(held);
        assert!(other.await.is_ok(), "it comes before those of the first source, who wait for each other");
        drop(waiting);
    }
}
