//! Headers: of balancers, of proxies, and of whoever calls.

use super::{Outcome, taken};
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use kaliun_control_plane::fuzzing::{self, Presented};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

const LISTED: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const NOT_LISTED: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
static NETWORKS: LazyLock<Vec<IpNet>> =
    LazyLock::new(|| ["192.0.2.0/28", "2001:db8::/64"].map(|network| network.parse().expect("a network")).to_vec());

fn is_listed(address: &IpAddr) -> bool {
    NETWORKS.iter().any(|network| network.contains(address))
}

pub(super) fn proxy_header(data: &[u8]) -> Outcome {
    let unlisted = fuzzing::proxy_header(data, NOT_LISTED, &NETWORKS);
    assert_eq!(unlisted.ok(), Some(NOT_LISTED), "only a listed balancer says where somebody is");
    let said = fuzzing::proxy_header(data, LISTED, &NETWORKS).ok();
    if let Some(source) = said {
        assert_eq!(source, source.to_canonical(), "one address has one form");
        let with_more = [data, b"\x16\x03\x01 and a handshake"].concat();
        let again = fuzzing::proxy_header(&with_more, LISTED, &NETWORKS).ok();
        assert_eq!(again, said, "what comes after the header says nothing");
    }
    taken(said.is_some())
}

/// Each line of the input is a line of the header.
pub(super) fn forwarded_for(data: &[u8]) -> Outcome {
    let name = HeaderName::from_static("x-forwarded-for");
    let lines: Vec<HeaderValue> =
        data.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
    let headers = |before: &[&'static str]| -> HeaderMap {
        let before = before.iter().map(|line| HeaderValue::from_static(line));
        before.chain(lines.iter().cloned()).map(|line| (name.clone(), line)).collect()
    };
    let unlisted = fuzzing::forwarded_for(&headers(&[]), NOT_LISTED, &NETWORKS);
    assert_eq!(unlisted, Some(NOT_LISTED), "only a listed proxy says where somebody is");
    let said = fuzzing::forwarded_for(&headers(&[]), LISTED, &NETWORKS);
    if let Some(source) = said {
        assert!(!is_listed(&source), "{source} is one of our own proxies");
        assert_eq!(source, source.to_canonical(), "one address has one form");
        let more = headers(&["203.0.113.99", "\"nonsense, 10.0.0.1"]);
        assert_eq!(fuzzing::forwarded_for(&more, LISTED, &NETWORKS), said, "what was there before says nothing");
    }
    taken(said.is_some())
}

/// Each line of the input is a header.
pub(super) fn credential(data: &[u8]) -> Outcome {
    const COOKIE: &str = "__Host-kaliun";
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(64) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    let (elsewhere, ours) = (fuzzing::credential(&headers, COOKIE, false), fuzzing::credential(&headers, COOKIE, true));
    assert!(!matches!(elsewhere, Ok(Some(Presented::BrowserSession(_)))), "a cookie counts from our own pages only");
    let has_token = headers.get(http::header::AUTHORIZATION).map(HeaderValue::as_bytes).is_some_and(|value| {
        (value.starts_with(b"Bearer kat1.") || value.starts_with(b"Bearer kas1.")) && value.len() <= 264
    });
    match ours {
        Ok(Some(Presented::ApiToken(_) | Presented::AccessToken(_))) => {
            assert!(has_token, "a token begins with kat1. or kas1.");
            assert_eq!(elsewhere.ok().flatten(), ours.ok().flatten(), "a token counts from everywhere");
            Outcome::Taken
        }
        Ok(Some(Presented::BrowserSession(_))) => {
            assert!(!headers.contains_key(http::header::AUTHORIZATION), "a token and a cookie together are refused");
            Outcome::Taken
        }
        Ok(None) => {
            assert!(!headers.contains_key(http::header::AUTHORIZATION), "a token that is none is said to be");
            Outcome::Refused
        }
        Err(_) => Outcome::Refused,
    }
}
