//! Room for boxes that wait for somebody's yes: a stream each, which lives in a stranger's connection.

use crate::listen::places::{Place, Places};
use crate::listen::source_places::{SourcePlace, SourcePlaces, SourceShares};
use std::net::IpAddr;

/// Boxes that show a code at once. Of one source: a workshop that claims its boxes by hand.
const BY_CODE: SourceShares = SourceShares { in_all: 1_000, for_source: 100, for_site: 250 };
/// Boxes that wait for an operator over a stream at once, and of one join token. The others wait without one and ask now and then.
const BY_TOKEN_MAX: usize = 500;
const BY_TOKEN_FOR_EACH: u32 = 100;

/// The room. Those who wait by code and those who wait by token have their own, for the second may wait for days.
pub(super) struct Room {
    by_code: SourcePlaces,
    by_token: Places<[u8; 32]>,
}

/// A place that is given back when it is dropped.
pub(super) enum Waits {
    ByCode { _place: SourcePlace },
    ByToken { _place: Place<[u8; 32]> },
}

impl Room {
    pub(super) fn new(sources_are_known: bool) -> Self {
        Self {
            by_code: SourcePlaces::new(BY_CODE, sources_are_known),
            by_token: Places::new(BY_TOKEN_MAX, BY_TOKEN_FOR_EACH),
        }
    }

    /// For a box that shows a code.
    pub(super) fn by_code(&self, source: IpAddr) -> Option<Waits> {
        Some(Waits::ByCode { _place: self.by_code.take(source)? })
    }

    /// For a box that an operator has to take in, by the hash of its join token's secret.
    pub(super) fn by_token(&self, secret_hash: [u8; 32]) -> Option<Waits> {
        Some(Waits::ByToken { _place: self.by_token.take(secret_hash)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_of_one_token_leave_room_for_claims_and_for_other_tokens() {
        let room = Room::new(true);
        let held: Vec<_> = (0..2_000).map_while(|_| room.by_token([1; 32])).collect();
        assert_eq!(held.len(), 100);
        assert!(room.by_token([2; 32]).is_some());
        assert!(room.by_code(IpAddr::from([192, 0, 2, 1])).is_some());
    }
}
