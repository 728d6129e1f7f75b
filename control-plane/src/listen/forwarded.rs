//! Where a request really comes from, behind proxies that do TLS: X-Forwarded-For, to which each proxy adds whom it talked to.

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use std::net::IpAddr;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Most proxies in a row that are looked through.
const HOPS_MAX: usize = 8;

/// The source of a request: the last address that a listed proxy did not add for another listed one, or the other end of the
/// connection. What somebody wrote into the header before it came to the first of our proxies is never reached.
pub(super) fn source(headers: &HeaderMap, other_end: IpAddr, proxies: &[IpNet]) -> IpAddr {
    let is_proxy = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
    let mut source = other_end.to_canonical();
    let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(',')).take(HOPS_MAX);
    for hop in hops {
        if !is_proxy(&source) {
            break;
        }
        // A proxy of ours that writes something else says nothing; it counts itself then.
        let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
        source = address.to_canonical();
    }
    source
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(other_end: &str, lines: &[&str], expected: &str) {
        let proxies = ["10.0.0.0/8".parse().unwrap(), "2001:db8::/64".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let found = source(&headers, other_end.parse().unwrap(), &proxies);
        assert_eq!(found.to_string(), expected, "{lines:?}");
    }

    #[test]
    fn a_listed_proxy_is_believed_and_nobody_else() {
        check("10.0.0.1", &["203.0.113.7"], "203.0.113.7");
        check("198.51.100.1", &["203.0.113.7"], "198.51.100.1");
        check("::ffff:10.0.0.1", &["203.0.113.7"], "203.0.113.7");
        check("2001:db8::1", &["2001:db8:1::7"], "2001:db8:1::7");
    }

    #[test]
    fn what_a_client_wrote_itself_does_not_count() {
        check("10.0.0.1", &["192.0.2.66, 203.0.113.7"], "203.0.113.7");
        check("10.0.0.1", &["192.0.2.66", "203.0.113.7, 10.0.0.2"], "203.0.113.7");
        check("10.0.0.1", &["10.0.0.9, 203.0.113.7"], "203.0.113.7");
    }

    #[test]
    fn a_proxy_that_says_nothing_counts_itself() {
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["unknown"], "10.0.0.1");
        check("10.0.0.1", &["203.0.113.7, "], "10.0.0.1");
        check("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
    }
}
