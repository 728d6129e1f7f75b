//! Where connections come from.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address that came over an IPv6 socket as itself.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// What counts as one source where sources are limited: an IPv4 address, or the /64 that an IPv6 address is in, for a home gets
/// at least that much and could change its address at will.
pub(crate) fn limited_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            const NETWORK: u128 = !(u64::MAX as u128);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, expected: &str) {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(limited_as(address).to_string(), expected);
    }

    #[test]
    fn a_home_is_one_source() {
        check("192.0.2.7", "192.0.2.7");
        check("::ffff:192.0.2.7", "192.0.2.7");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
    }
}
