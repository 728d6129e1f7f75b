//! Places that are shared between those who come from somewhere: a source has its share, and so has the site that it is in.

use crate::listen::places::{Place, Places};
use crate::listen::source::{limited_as, site_of};
use std::net::IpAddr;

/// How many places there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceShares {
    pub(crate) in_all: usize,
    /// Of an IPv4 address or an IPv6 /64.
    pub(crate) for_source: u32,
    /// Of an IPv6 /48: a home has up to 256 sources, an office 65,536.
    pub(crate) for_site: u32,
}

/// Places for those who come from somewhere.
pub(crate) struct SourcePlaces {
    sources: Places<IpAddr>,
    sites: Places<IpAddr>,
}

/// A place that is given back when it is dropped.
pub(crate) struct SourcePlace {
    _source: Place<IpAddr>,
    _site: Place<IpAddr>,
}

impl SourcePlaces {
    /// With shares, or without where all seem to come from one place.
    pub(crate) fn new(shares: SourceShares, sources_are_known: bool) -> Self {
        let SourceShares { in_all, for_source, for_site } = shares;
        let (for_source, for_site) = if sources_are_known { (for_source, for_site) } else { (u32::MAX, u32::MAX) };
        Self { sources: Places::new(in_all, for_source), sites: Places::new(in_all, for_site) }
    }

    /// Takes a place. None when all are taken, or where somebody comes from has its share.
    pub(crate) fn take(&self, address: IpAddr) -> Option<SourcePlace> {
        let source = self.sources.take(limited_as(address))?;
        Some(SourcePlace { _source: source, _site: self.sites.take(site_of(address))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const SHARES: SourceShares = SourceShares { in_all: 100, for_source: 10, for_site: 25 };

    /// A home that uses ten of its prefixes.
    fn home(prefix: u16) -> IpAddr {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 7, prefix, 0, 0, 0, 1))
    }

    #[test]
    fn a_home_with_many_prefixes_leaves_room_for_others() {
        let places = SourcePlaces::new(SHARES, true);
        let mut held = Vec::new();
        for prefix in 0..10 {
            held.extend((0..20).filter_map(|_| places.take(home(prefix))));
        }
        assert_eq!(held.len(), 25, "the share of a site");
        let mut others = Vec::new();
        for last in 1..=7 {
            let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
            others.extend((0..20).filter_map(|_| places.take(address)));
        }
        assert_eq!(others.len(), 70, "ten each");
        drop(held);
        assert!(places.take(home(0)).is_some(), "all came back");
    }

    #[test]
    fn where_all_seem_to_come_from_one_place_there_are_no_shares() {
        let places = SourcePlaces::new(SHARES, false);
        let held: Vec<_> = (0..120).filter_map(|_| places.take(home(0))).collect();
        assert_eq!(held.len(), 100);
    }
}
