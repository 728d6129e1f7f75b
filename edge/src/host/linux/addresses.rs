//! The machine's own addresses, from procfs.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Scope of an address that is valid everywhere, as `/proc/net/if_inet6` writes it.
const SCOPE_GLOBAL: &str = "00";

/// All addresses but loopback and link-local ones, IPv4 first.
pub(super) fn all() -> Vec<String> {
    let v4 = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let v6 = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let v4 = ipv4(&v4).into_iter().map(|address| address.to_string());
    let v6 = ipv6(&v6).into_iter().map(|address| address.to_string());
    v4.chain(v6).collect()
}

/// The routing trie lists the machine's own addresses as leaves of kind "host LOCAL".
fn ipv4(fib_trie: &str) -> BTreeSet<Ipv4Addr> {
    let mut addresses = BTreeSet::new();
    let mut leaf = None;
    for line in fib_trie.lines() {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line.starts_with("/32 host LOCAL")
            && let Some(address) = leaf
            && !address.is_loopback()
            && !address.is_link_local()
        {
            addresses.insert(address);
        }
    }
    addresses
}

/// Columns: address, interface number, prefix length, scope, flags, interface name.
fn ipv6(if_inet6: &str) -> BTreeSet<Ipv6Addr> {
    if_inet6
        .lines()
        .filter_map(|line| {
            let mut columns = line.split_whitespace();
            let digits = columns.next()?;
            let scope = columns.nth(2)?;
            let bits = u128::from_str_radix(digits, 16).ok()?;
            (scope == SCOPE_GLOBAL).then(|| Ipv6Addr::from_bits(bits))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_ipv4_addresses_are_the_local_leaves() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
                    Local:\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 192.168.1.0\n        /24 link UNICAST\n\
                    \x20    |-- 192.168.1.5\n        /32 host LOCAL\n     |-- 192.168.1.255\n        /32 link BROADCAST\n\
                    \x20    |-- 169.254.3.4\n        /32 host LOCAL\n";
        assert_eq!(ipv4(trie).into_iter().collect::<Vec<_>>(), [Ipv4Addr::new(192, 168, 1, 5)]);
    }

    #[test]
    fn own_ipv6_addresses_are_the_global_ones() {
        let table = "fe80000000000000020000fffe000001 02 40 20 80 eth0\n\
                     00000000000000000000000000000001 01 80 10 80 lo\n\
                     20010db8000000000000000000000007 02 40 00 00 eth0\nbroken\n";
        let expected: Ipv6Addr = "2001:db8::7".parse().unwrap();
        assert_eq!(ipv6(table).into_iter().collect::<Vec<_>>(), [expected]);
    }
}
