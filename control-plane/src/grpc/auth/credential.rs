//! What somebody presents to be let in.

use super::{ACCESS_TOKEN_PREFIX, API_TOKEN_PREFIX};
use crate::digest::sha256;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use kaliun_types::id::OrganizationId;
use tonic::Status;

/// The organization that a call acts in, by its id.
pub(crate) const ORGANIZATION: HeaderName = HeaderName::from_static("kaliun-organization");

/// Longest credential that is looked at.
const CREDENTIAL_MAX_BYTES: usize = 256;

/// What somebody presented, as the hash it is stored by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Credential {
    /// Of automation.
    ApiToken([u8; 32]),
    /// Of fleetctl, after `fleetctl login`.
    AccessToken([u8; 32]),
    /// Of a browser.
    BrowserSession([u8; 32]),
}

/// The credential of a request. A cookie counts only from our own pages; a request with both is refused.
pub(crate) fn credential(
    headers: &HeaderMap,
    cookie_name: &str,
    from_our_pages: bool,
) -> Result<Option<Credential>, Status> {
    let bearer = match headers.get(header::AUTHORIZATION) {
        Some(value) => Some(bearer(value)?),
        None => None,
    };
    let cookie = from_our_pages.then(|| session_secret(headers, cookie_name)).flatten();
    match (bearer, cookie) {
        (Some(_), Some(_)) => {
            Err(Status::unauthenticated("a request carries a token or a session, not both; leave one out"))
        }
        (Some(token), None) => Ok(Some(token)),
        (None, Some(hash)) => Ok(Some(Credential::BrowserSession(hash))),
        (None, None) => Ok(None),
    }
}

fn bearer(value: &HeaderValue) -> Result<Credential, Status> {
    let token = value
        .to_str()
        .ok()
        .filter(|text| text.len() <= CREDENTIAL_MAX_BYTES)
        .and_then(|text| text.strip_prefix("Bearer "))
        .unwrap_or_default();
    let hash = sha256(token.as_bytes());
    if token.starts_with(API_TOKEN_PREFIX) {
        Ok(Credential::ApiToken(hash))
    } else if token.starts_with(ACCESS_TOKEN_PREFIX) {
        Ok(Credential::AccessToken(hash))
    } else {
        Err(Status::unauthenticated(
            "authorization must be: Bearer kat1.…, an API token copied whole, or kas1.…, an access token of fleetctl login",
        ))
    }
}

/// The organization that a call wants to act in.
pub(super) fn wanted_organization(headers: &HeaderMap) -> Result<Option<OrganizationId>, Status> {
    let Some(value) = headers.get(&ORGANIZATION) else { return Ok(None) };
    let wrong = || crate::grpc::status::invalid("kaliun-organization", "must be the id of an organization, a UUID");
    value.to_str().map_err(|_| wrong())?.parse().map(Some).map_err(|_| wrong())
}

/// The hash of the session's secret in the cookie.
pub(crate) fn session_secret(headers: &HeaderMap, cookie_name: &str) -> Option<[u8; 32]> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == cookie_name && value.len() <= CREDENTIAL_MAX_BYTES)
        .map(|(_, value)| sha256(value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn check(pairs: &[(HeaderName, &str)], from_our_pages: bool, expected: Result<Option<Credential>, tonic::Code>) {
        let found = credential(&headers(pairs), "__Host-kaliun", from_our_pages).map_err(|status| status.code());
        assert_eq!(found, expected, "{pairs:?}");
    }

    #[test]
    fn a_credential_is_a_token_or_a_session_of_our_pages() {
        let token = (header::AUTHORIZATION, "Bearer kat1.abc");
        let cookie = (header::COOKIE, "theme=dark; __Host-kaliun=abc");
        check(&[], true, Ok(None));
        check(std::slice::from_ref(&token), false, Ok(Some(Credential::ApiToken(sha256(b"kat1.abc")))));
        check(std::slice::from_ref(&cookie), true, Ok(Some(Credential::BrowserSession(sha256(b"abc")))));
        check(std::slice::from_ref(&cookie), false, Ok(None));
        let access = (header::AUTHORIZATION, "Bearer kas1.abc");
        check(&[access], false, Ok(Some(Credential::AccessToken(sha256(b"kas1.abc")))));
        check(&[token, cookie], true, Err(tonic::Code::Unauthenticated));
        check(&[(header::AUTHORIZATION, "Basic abc")], false, Err(tonic::Code::Unauthenticated));
        check(&[(header::AUTHORIZATION, "Bearer other")], false, Err(tonic::Code::Unauthenticated));
    }

    #[test]
    fn an_organization_is_named_by_its_id() {
        let wanted =
            |value: &str| wanted_organization(&headers(&[(ORGANIZATION, value)])).map_err(|status| status.code());
        let id = OrganizationId::new();
        assert_eq!(wanted(&id.to_string()), Ok(Some(id)));
        assert_eq!(wanted("My fleet"), Err(tonic::Code::InvalidArgument));
        assert_eq!(wanted_organization(&HeaderMap::new()).unwrap(), None);
    }
}
