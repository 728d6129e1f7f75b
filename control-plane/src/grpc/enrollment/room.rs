//! Room for boxes that wait for somebody's yes: a stream each, which lives in a stranger's connection.

use crate::listen::places::{Place, Places};
use crate::listen::source_places::{SourcePlace, SourcePlaces, SourceShares};
use std::net::IpAddr;

/// Boxes that show a code at once. Of one source: a workshop that claims its boxes by hand.
const BY_CODE: SourceShares = SourceShares { in_all: 1_000, for_source: 100, for_site: 250 };
/// Boxes that wait for an operator over a stream at once. Of one source: a factory with two tokens. The others wait without one and ask
/// now and then.
const BY_TOKEN: SourceShares = SourceShares { in_all: 500, for_source: 200, for_site: 300 };
/// Of one join token.
const FOR_TOKEN: u32 = 100;
/// Of one key: a box whose old connection is half open comes once more.
const FOR_KEY: u32 = 2;

/// The room. Those who wait by code and those who wait by token have their own, for the second may wait for days.
pub(super) struct Room {
    by_code: SourcePlaces,
    by_token: SourcePlaces,
    tokens: Places<[u8; 32]>,
    keys: Places<[u8; 32]>,
}

/// A place that is given back when it is dropped.
pub(super) enum Waits {
    ByCode { _source: SourcePlace },
    ByToken { _source: SourcePlace, _token: Place<[u8; 32]>, _key: Place<[u8; 32]> },
}

impl Room {
    pub(super) fn new(sources_are_known: bool) -> Self {
        Self {
            by_code: SourcePlaces::new(BY_CODE, sources_are_known),
            by_token: SourcePlaces::new(BY_TOKEN, sources_are_known),
            tokens: Places::new(BY_TOKEN.in_all, FOR_TOKEN),
            keys: Places::new(BY_TOKEN.in_all, FOR_KEY),
        }
    }

    /// For a box that shows a code.
    pub(super) fn by_code(&self, source: IpAddr) -> Option<Waits> {
        Some(Waits::ByCode { _source: self.by_code.take(source)? })
    }

    /// For a box that an operator has to take in, by the hashes of its join token's secret and of its key.
    pub(super) fn by_token(&self, source: IpAddr, secret_hash: [u8; 32], key_hash: [u8; 32]) -> Option<Waits> {
        Some(Waits::ByToken {
            _source: self.by_token.take(source)?,
            _token: self.tokens.take(secret_hash)?,
            _key: self.keys.take(key_hash)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    /// How many boxes with keys of their own find room, of one that would fill any.
    fn fill(room: &Room, source: IpAddr, token: u8) -> Vec<Waits> {
        let key = |number: u16| {
            let mut key = [token; 32];
            key[..2].copy_from_slice(&number.to_be_bytes());
            key
        };
        (0..2_000).map_while(|number| room.by_token(source, [token; 32], key(number))).collect()
    }

    #[test]
    fn boxes_of_one_token_leave_room_for_claims_and_for_other_tokens() {
        let room = Room::new(true);
        let held = fill(&room, HERE, 1);
        assert_eq!(held.len(), 100);
        assert!(room.by_token(HERE, [2; 32], [2; 32]).is_some());
        assert!(room.by_code(HERE).is_some());
    }

    #[test]
    fn whoever_has_many_tokens_leaves_room_for_those_elsewhere() {
        let room = Room::new(true);
        let held: Vec<_> = (1..=5).map(|token| fill(&room, HERE, token)).collect();
        assert_eq!(held.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 0, 0, 0]);
        assert_eq!(fill(&room, THERE, 6).len(), 100);
    }

    #[test]
    fn one_key_has_two_places() {
        let room = Room::new(true);
        let held: Vec<_> = (0..9).map_while(|_| room.by_token(HERE, [1; 32], [1; 32])).collect();
        assert_eq!(held.len(), 2);
        assert!(room.by_token(HERE, [1; 32], [2; 32]).is_some());
    }
}
