//! Where a request really comes from, behind proxies that do TLS: X-Forwarded-For, to which each proxy adds whom it talked to.

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Most proxies in a row that are looked through.
const HOPS_MAX: usize = 8;

/// The source of a request: the last address that a listed proxy did not add for another listed one, or the other end of the
/// connection. What somebody wrote into the header before it came to the first of our proxies is never reached. None where a listed
/// proxy does not say whom it talked to.
pub(crate) fn source(headers: &HeaderMap, other_end: IpAddr, proxies: &[IpNet]) -> Option<IpAddr> {
    let is_proxy = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
    let mut source = other_end.to_canonical();
    // Bytes, from the right: what a client wrote on the left may be anything and does not matter.
    let lines: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).iter().map(http::HeaderValue::as_bytes).collect();
    let mut hops = lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')).take(HOPS_MAX);
    while is_proxy(&source) {
        source = address(hops.next()?)?;
    }
    Some(source)
}

/// Proxies write an address, and some of them a port behind it or brackets around it.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse().ok().or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(other_end: &str, lines: &[&str], expected: &str) {
        check_bytes(other_end, &lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>(), expected);
    }

    fn check_bytes(other_end: &str, lines: &[&[u8]], expected: &str) {
        let proxies = ["10.0.0.0/8".parse().unwrap(), "2001:db8::/64".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, http::HeaderValue::from_bytes(line).unwrap());
        }
        let found = source(&headers, other_end.parse().unwrap(), &proxies);
        assert_eq!(found.map_or("nowhere".to_owned(), |source| source.to_string()), expected, "{lines:?}");
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
    fn ports_and_brackets_are_read_over() {
        check("10.0.0.1", &["203.0.113.7:50123"], "203.0.113.7");
        check("10.0.0.1", &["[2001:db8:1::7]:50123"], "2001:db8:1::7");
        check("10.0.0.1", &["[2001:db8:1::7]"], "2001:db8:1::7");
        check("10.0.0.1", &["203.0.113.7, 10.0.0.2:443"], "203.0.113.7");
    }

    #[test]
    fn whatever_a_client_wrote_hides_nothing() {
        check_bytes("10.0.0.1", &[b"\xff\xfe, 203.0.113.7"], "203.0.113.7");
        check_bytes("10.0.0.1", &[b"\xff\xfe", b"203.0.113.7"], "203.0.113.7");
    }

    #[test]
    fn behind_a_proxy_that_does_not_say_it_somebody_is_nowhere() {
        check("10.0.0.1", &[], "nowhere");
        check("10.0.0.1", &["unknown"], "nowhere");
        check("10.0.0.1", &["203.0.113.7, "], "nowhere");
        check("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "nowhere");
        check("10.0.0.1", &[&["10.0.0.2"; 20].join(", ")], "nowhere");
    }
}
