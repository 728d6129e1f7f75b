//! How much is watched at once: in all, and by one organization, so that one cannot take what the others need.

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
    /// Pages of one organization that were read and are not taken yet.
    pub(super) pages_for_each: usize,
}

/// A browser has one watch, whatever its number of tabs, and shows 50 devices in each. What is shown takes about 100 bytes a device,
/// so it is 50 MB in all. An organization's share is a page of 500 in each of its watches, or six terminals on a fleet of 16,000.
/// A page that was read takes 1.5 MB, and 15 MB when every box of it says as much as it may: 120 MB for an organization that sets
/// out to fill them all and does not read.
pub(super) const BOUNDS: Bounds =
    Bounds { watches: 1_000, watches_for_each: 200, shown: 500_000, shown_for_each: 100_000, pages_for_each: 8 };

/// One watch can always be opened.
const _: () = assert!(WATCH_SUBSCRIPTIONS_MAX * PAGE_SIZE_MAX as usize <= BOUNDS.shown_for_each);

/// Longest wait for a page's turn. Then the watch does what else is due, and waits again.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// Gives out places.
pub(super) struct Room {
    bounds: Bounds,
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
}

/// Room for one watch, given back when it is dropped.
pub(super) struct Place {
    held: Arc<Mutex<Held>>,
    organization: OrganizationId,
    shown: usize,
    pages: Arc<Semaphore>,
}

impl Room {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, held: Arc::default() }
    }

    /// Takes room for a watch that shows so many devices at the most.
    pub(super) fn take(&self, organization: OrganizationId, shown: usize) -> Result<Place, Status> {
        let Bounds { watches, watches_for_each, shown: shown_in_all, shown_for_each, pages_for_each } = self.bounds;
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
            pages: Arc::new(Semaphore::new(pages_for_each)),
        });
        share.watches += 1;
        share.shown += shown;
        let pages = Arc::clone(&share.pages);
        drop(held);
        Ok(Place { held: Arc::clone(&self.held), organization, shown, pages })
    }
}

impl Place {
    /// Waits for a turn to have a page in memory, which lasts until it is dropped.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit, Status> {
        let turn = tokio::time::timeout(TURN_TIMEOUT, Arc::clone(&self.pages).acquire_owned()).await;
        let busy =
            || Status::unavailable("too many watches of this organization wait to be read; try again in a moment");
        turn.ok().and_then(Result::ok).ok_or_else(busy)
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
        let bounds = Bounds { watches: 3, watches_for_each: 2, shown: 100, shown_for_each: 60, pages_for_each: 1 };
        let room = Room::new(bounds);
        let (one, other, third) = (OrganizationId::new(), OrganizationId::new(), OrganizationId::new());
        let why = |taken: Result<Place, Status>| taken.map(|_| ()).expect_err("there is no room").message().to_owned();
        let first = room.take(one, 40).unwrap();
        assert!(why(room.take(one, 21)).contains("20 are left; close some watches"), "{}", why(room.take(one, 21)));
        let second = room.take(one, 20).unwrap();
        assert!(why(room.take(one, 0)).contains("2 watches open"));
        assert!(why(room.take(other, 41)).starts_with("this server"));
        let of_other = room.take(other, 40).unwrap();
        assert!(why(room.take(third, 0)).starts_with("this server"), "all places");
        drop(first);
        let again = room.take(one, 40).unwrap();
        drop((second, of_other, again));
        let held = lock(&room.held);
        assert_eq!((held.watches, held.shown, held.shares.len()), (0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_pages_of_one_organization_take_turns() {
        let room = Room::new(Bounds { pages_for_each: 1, ..BOUNDS });
        let (one, other) = (OrganizationId::new(), OrganizationId::new());
        let places = [room.take(one, 1).unwrap(), room.take(one, 1).unwrap(), room.take(other, 1).unwrap()];
        let turn = places[0].turn().await.unwrap();
        assert_eq!(places[1].turn().await.map(|_| ()).unwrap_err().code(), tonic::Code::Unavailable);
        drop(places[2].turn().await.unwrap());
        drop(turn);
        assert!(places[1].turn().await.is_ok());
    }
}
