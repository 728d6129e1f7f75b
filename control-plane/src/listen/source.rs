//! Where connections come from.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address that came over an IPv6 socket as itself.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// What counts as one source where sources are limited: an IPv4 address, or the /64 that an IPv6 address is in, for a home gets
/// at least that much and could change its address at will.
pub(crate) fn limited_as(address: IpAddr) -> IpAddr {
    network(address, 64)
}

/// What waits in one queue where there is but one turn for all: an IPv4 address, or the /48 that an IPv6 address is in, which is
/// what an office gets. A home has a part of one and could otherwise stand in the queue 65,536 times.
pub(crate) fn site_of(address: IpAddr) -> IpAddr {
    network(address, 48)
}

fn network(address: IpAddr, prefix: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let host_bits = u128::MAX.checked_shr(prefix).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !host_bits))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, source: &str, site: &str) {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(
            (limited_as(address).to_string(), site_of(address).to_string()),
            (source.to_owned(), site.to_owned())
        );
    }

    #[test]
    fn a_home_is_one_source() {
        check("192.0.2.7", "192.0.2.7", "192.0.2.7");
        check("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1::");
    }
}
