//! How much is watched at once: in all, and by one organization, so that one cannot take what the others need.

use crate::grpc::auth::Credential;
use kaliun_types::id::OrganizationId;
use kaliun_types::limits::{PAGE_SIZE_MAX, WATCH_SUBSCRIPTIONS_MAX};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

/// The bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Watches in all.
    pub(super) watches: usize,
    /// Of one organization.
    pub(super) watches_for_each: usize,
    /// Devices that all watches show.
    pub(super) shown: usize,
    /// That those of one organization show. One watch shows 32 pages of 500 at the most, by the contract.
    pub(super) shown_for_each: usize,
    /// Pages that were read and are not taken yet, of all watches.
    pub(super) pages: usize,
    /// Of one organization.
    pub(super) pages_for_each: usize,
    /// Of one credential.
    pub(super) pages_for_credential: usize,
}

/// A browser has one watch, whatever its number of tabs, and shows 50 devices in each. What is shown takes about 100 bytes a device,
/// so it is 50 MB in all. An organization's share is a page of 500 in each of its watches, or six terminals on a fleet of 16,000.
/// A page that was read takes 1.5 MB, and 15 MB when every box of it says as much as it may: 50 MB in all, and half a gigabyte when
/// four organizations set out to fill them all and do not read. Whoever reads gives a page back within milliseconds; who does not
/// holds up those with the same credential and, with three more like it, the organization, until its watch is ended.
pub(super) const BOUNDS: Bounds = Bounds {
    watches: 1_000,
    watches_for_each: 200,
    shown: 500_000,
    shown_for_each: 100_000,
    pages: 32,
    pages_for_each: 8,
    pages_for_credential: 2,
};

/// One watch can always be opened.
const _: () = assert!(WATCH_SUBSCRIPTIONS_MAX * PAGE_SIZE_MAX as usize <= BOUNDS.shown_for_each);

/// Longest wait for a page's turn. Then the look is given up, and repeated a moment later.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// Gives out places.
pub(super) struct Room {
    bounds: Bounds,
    pages: Arc<Semaphore>,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    watches: usize,
    shown: usize,
    shares: HashMap<OrganizationId, Share>,
}

struct Share {
    watches: usize,
    shown: usize,
    pages: Arc<Semaphore>,
    /// How many watches of each credential there are, and their pages.
    credentials: HashMap<Credential, (usize, Arc<Semaphore>)>,
}

/// Room for one watch, given back when it is dropped.
pub(super) struct Place {
    held: Arc<Mutex<Held>>,
    organization: OrganizationId,
    credential: Credential,
    shown: usize,
    /// Of the credential, of the organization, and of all: in the order in which they are waited for, so that whoever waits for
    /// their own holds up nobody else.
    pages: [Arc<Semaphore>; 3],
}

/// A turn to have a page in memory, over when it is dropped.
pub(super) struct Turn {
    _of: [OwnedSemaphorePermit; 3],
}

impl Room {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, pages: Arc::new(Semaphore::new(bounds.pages)), held: Arc::default() }
    }

    /// Takes room for a watch that shows so many devices at the most.
    pub(super) fn take(
        &self,
        organization: OrganizationId,
        credential: Credential,
        shown: usize,
    ) -> Result<Place, Status> {
        let Bounds { watches, watches_for_each, shown: shown_in_all, shown_for_each, .. } = self.bounds;
        let mut held = lock(&self.held);
        let (of_organization, shown_by_it) =
            held.shares.get(&organization).map_or((0, 0), |share| (share.watches, share.shown));
        if of_organization >= watches_for_each {
            return Err(Status::resource_exhausted(format!(
                "this organization has {watches_for_each} watches open, which is as many as it may; close some and try again"
            )));
        }
        if shown_by_it + shown > shown_for_each {
            return Err(Status::resource_exhausted(format!(
                "the watches of this organization may show {shown_for_each} devices together, and {} are left; close some \
                 watches, or ask for fewer or smaller pages",
                shown_for_each.saturating_sub(shown_by_it)
            )));
        }
        if held.watches >= watches || held.shown + shown > shown_in_all {
            return Err(Status::resource_exhausted("this server has no room for another watch now; try again later"));
        }
        held.watches += 1;
        held.shown += shown;
        let share = held.shares.entry(organization).or_insert_with(|| Share {
            watches: 0,
            shown: 0,
            pages: Arc::new(Semaphore::new(self.bounds.pages_for_each)),
            credentials: HashMap::new(),
        });
        share.watches += 1;
        share.shown += shown;
        let for_credential = self.bounds.pages_for_credential;
        let (count, of_credential) =
            share.credentials.entry(credential).or_insert_with(|| (0, Arc::new(Semaphore::new(for_credential))));
        *count += 1;
        let pages = [Arc::clone(of_credential), Arc::clone(&share.pages), Arc::clone(&self.pages)];
        drop(held);
        Ok(Place { held: Arc::clone(&self.held), organization, credential, shown, pages })
    }
}

impl Place {
    /// Waits for a turn to have a page in memory, which lasts until it is dropped.
    pub(super) async fn turn(&self) -> Result<Turn, Status> {
        let [of_credential, of_organization, of_all] = self.pages.each_ref().map(Arc::clone);
        let turn = async {
            let of_credential = of_credential.acquire_owned().await.ok()?;
            let of_organization = of_organization.acquire_owned().await.ok()?;
            let of_all = of_all.acquire_owned().await.ok()?;
            Some(Turn { _of: [of_credential, of_organization, of_all] })
        };
        let busy =
            || Status::unavailable("too many watches wait to be read; read those you have, and try again in a moment");
        tokio::time::timeout(TURN_TIMEOUT, turn).await.ok().flatten().ok_or_else(busy)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        held.watches = held.watches.saturating_sub(1);
        held.shown = held.shown.saturating_sub(self.shown);
        if let Some(share) = held.shares.get_mut(&self.organization) {
            share.watches = share.watches.saturating_sub(1);
            share.shown = share.shown.saturating_sub(self.shown);
            if let Some((count, _pages)) = share.credentials.get_mut(&self.credential) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    share.credentials.remove(&self.credential);
                }
            }
            if share.watches == 0 {
                held.shares.remove(&self.organization);
            }
        }
    }
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_has_its_share_and_all_together_no_more_than_there_is() {
        let bounds = Bounds { watches: 3, watches_for_each: 2, shown: 100, shown_for_each: 60, ..BOUNDS };
        let room = Room::new(bounds);
        let (one, other, third) = (OrganizationId::new(), OrganizationId::new(), OrganizationId::new());
        let take = |organization, shown| room.take(organization, token(1), shown);
        let why = |taken: Result<Place, Status>| taken.map(|_| ()).expect_err("there is no room").message().to_owned();
        let first = take(one, 40).unwrap();
        assert!(why(take(one, 21)).contains("20 are left; close some watches"), "{}", why(take(one, 21)));
        let second = take(one, 20).unwrap();
        assert!(why(take(one, 0)).contains("2 watches open"));
        assert!(why(take(other, 41)).starts_with("this server"));
        let of_other = take(other, 40).unwrap();
        assert!(why(take(third, 0)).starts_with("this server"), "all places");
        drop(first);
        let again = take(one, 40).unwrap();
        drop((second, of_other, again));
        let held = lock(&room.held);
        assert_eq!((held.watches, held.shown, held.shares.len()), (0, 0, 0));
    }

    fn token(number: u8) -> Credential {
        Credential::ApiToken([number; 32])
    }

    async fn is_busy(place: &Place) -> bool {
        place.turn().await.is_err_and(|status| status.code() == tonic::Code::Unavailable)
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_holds_up_their_own_first() {
        let room = Room::new(Bounds { pages: 3, pages_for_each: 2, pages_for_credential: 1, ..BOUNDS });
        let (one, other) = (OrganizationId::new(), OrganizationId::new());
        let take = |organization, number| room.take(organization, token(number), 1).unwrap();
        let first = take(one, 1);
        let turn = first.turn().await.unwrap();
        assert!(is_busy(&take(one, 1)).await, "the same credential waits");
        let second = take(one, 2);
        let second_turn = second.turn().await.unwrap();
        assert!(is_busy(&take(one, 3)).await, "the organization has its share");
        let third = take(other, 4);
        let third_turn = third.turn().await.unwrap();
        assert!(is_busy(&take(other, 5)).await, "and all together no more than there is");
        drop(turn);
        assert!(first.turn().await.is_ok());
        drop((second_turn, third_turn, first, second, third));
        assert!(lock(&room.held).shares.is_empty());
        assert_eq!(room.pages.available_permits(), 3);
    }
}
