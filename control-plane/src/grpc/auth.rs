//! Who calls, and whether they may: one check before every handler, by the table in `kaliun-domain`.

use super::body::{self, Bodies, BodyLimits, BodyPlace, with_whole_body};
use crate::digest::{random, sha256};
use crate::listen::PeerConnection;
use crate::listen::peer::Peer;
use crate::listen::places::{Place, Places};
use crate::listen::source::limited_as;
use crate::listen::turns::{Turn, TurnLimits, Turns};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::future::Either;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use kaliun_domain::authorization::{Rule, rule};
use kaliun_domain::role::Role;
use kaliun_store::{Actor, OrganizationScope, SignedIn, SystemStore};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tonic::Status;
use tracing::Instrument;

/// Where the request's id comes back.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What every API token begins with, so that leaked ones can be found.
pub(crate) const API_TOKEN_PREFIX: &str = "kat1.";

/// Longest credential that is looked at.
const CREDENTIAL_MAX_BYTES: usize = 256;

/// Somebody who may call what they call.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who and where.
    pub signed_in: SignedIn,
    /// The request's id.
    pub request_id: String,
    /// What was presented; asked about again while a watch lasts.
    credential: Credential,
}

/// What became of a right that somebody had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// It is at least what it was, in the same organization.
    Same,
    /// There is another one: a lower role, or another organization.
    Other,
    /// There is none any more.
    Ended,
}

/// What somebody presented, as the hash it is stored by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Credential {
    ApiToken([u8; 32]),
    BrowserSession([u8; 32]),
}

/// The source of a request on the public listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source(pub(crate) IpAddr);

/// Marks a request that came as gRPC-Web from our own pages: same origin, and the browser says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FromOurPages;

impl Caller {
    /// The caller of a request. The check before the handler put it there.
    pub(crate) fn of<T>(request: &tonic::Request<T>) -> Result<&Self, Status> {
        request.extensions().get::<Self>().ok_or_else(|| Status::unauthenticated("sign in first"))
    }

    /// The right that follows.
    pub(crate) fn scope(&self) -> &OrganizationScope {
        &self.signed_in.scope
    }

    /// What was presented.
    pub(crate) fn credential(&self) -> Credential {
        self.credential
    }

    /// Who it is, for the audit.
    pub(crate) fn actor(&self) -> Actor {
        let name = match (&self.signed_in.email, &self.signed_in.api_token_name) {
            (Some(email), _) => email.clone(),
            (None, Some(token)) => format!("token:{token}"),
            (None, None) => "unknown".to_owned(),
        };
        Actor { name, request_id: self.request_id.clone() }
    }

    /// What the same credential gives now.
    pub(crate) async fn right_now(&self, store: &SystemStore) -> Result<Right, Status> {
        let now = authenticate(store, self.credential).await?;
        Ok(match now {
            None => Right::Ended,
            Some(now) if now.scope == self.signed_in.scope && now.role >= self.signed_in.role => Right::Same,
            Some(_) => Right::Other,
        })
    }
}

/// Callers who are looked up at once: each is one statement of a millisecond, so a source with wrong tokens keeps its share of the
/// turns busy and no other source waits for it. What waits is bounded by what the tools of one home or office do at once.
const LOOK_UPS: TurnLimits = TurnLimits { in_all: 64, for_each: 16, members_for_each: 256 };
/// The same behind a proxy that does not say where somebody is: no shares.
const LOOK_UPS_FROM_NOWHERE: TurnLimits = TurnLimits { in_all: 64, for_each: 64, members_for_each: 4_096 };
/// Longest wait for a turn.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(5);
/// When a caller shall come back whom nobody had time to look up.
const LOOK_UP_RETRY: Duration = Duration::from_secs(1);

/// Calls of nobody in particular that are under way, such as signing in: what is read of their bodies, and a task each. A source has
/// a part of them, an office behind one address.
const STRANGERS_MAX: usize = 1_024;
const STRANGERS_FOR_EACH: u32 = 64;

/// What the check needs.
pub(crate) struct PublicGate {
    store: SystemStore,
    cookie_name: &'static str,
    look_ups: Turns<IpAddr>,
    strangers: Places<IpAddr>,
    /// Of those of whom it is not known where they are.
    look_ups_from_nowhere: Turns<()>,
    strangers_from_nowhere: Places<()>,
    bodies: Bodies,
}

/// Somebody who may call, and room for what they send. Held while the call is under way.
enum Admitted {
    Stranger { _place: Somewhere<Place<IpAddr>, Place<()>> },
    Member(BodyPlace),
}

/// Left for a source, right for those of whom it is not known where they are.
type Somewhere<S, N> = Either<S, N>;

impl PublicGate {
    pub(crate) fn new(store: SystemStore, cookie_name: &'static str) -> Self {
        Self {
            store,
            cookie_name,
            look_ups: Turns::new(LOOK_UPS),
            strangers: Places::new(STRANGERS_MAX, STRANGERS_FOR_EACH),
            look_ups_from_nowhere: Turns::new(LOOK_UPS_FROM_NOWHERE),
            strangers_from_nowhere: Places::new(STRANGERS_MAX, u32::MAX),
            bodies: Bodies::new(),
        }
    }

    /// A stranger's place. Those from nowhere have places of their own and no shares: they would keep each other out.
    fn stranger(&self, source: Option<Source>) -> Option<Somewhere<Place<IpAddr>, Place<()>>> {
        match source {
            Some(Source(address)) => self.strangers.take(limited_as(address)).map(Either::Left),
            None => self.strangers_from_nowhere.take(()).map(Either::Right),
        }
    }

    async fn look_up_turn(&self, source: Option<Source>) -> Option<Somewhere<Turn<IpAddr>, Turn<()>>> {
        match source {
            Some(Source(address)) => self.look_ups.take(limited_as(address)).await.map(Either::Left),
            None => self.look_ups_from_nowhere.take(()).await.map(Either::Right),
        }
    }

    /// Finds out who presents a credential, within bounds.
    async fn look_up(&self, source: Option<Source>, credential: Credential) -> Result<SignedIn, Status> {
        let turn = tokio::time::timeout(LOOK_UP_TIMEOUT, self.look_up_turn(source)).await.ok().flatten();
        let _turn = turn.ok_or_else(|| super::status::busy(LOOK_UP_RETRY))?;
        authenticate(&self.store, credential).await?.ok_or_else(|| {
            Status::unauthenticated("the token or session is unknown, has ended or was revoked; sign in again")
        })
    }
}

async fn authenticate(store: &SystemStore, credential: Credential) -> Result<Option<SignedIn>, Status> {
    match credential {
        Credential::ApiToken(hash) => store.api_token_authenticate(&hash).await,
        Credential::BrowserSession(hash) => store.browser_session_authenticate(&hash).await,
    }
    .map_err(super::status::store)
}

/// The check on the public listener, before every gRPC handler.
pub(crate) async fn public_gate(State(gate): State<Arc<PublicGate>>, mut request: Request, next: Next) -> Response {
    let request_id = data_encoding::HEXLOWER.encode(&random::<8>());
    let path = request.uri().path().to_owned();
    // One span a call, by the name of the method; a stream's ends with its answer's head, not with the stream.
    let span = tracing::info_span!("rpc", otel.name = span_name(&path), otel.kind = "server", request.id = request_id);
    let answered = async {
        let admitted = async {
            let admitted = admit(&gate, &mut request, &path, &request_id).await?;
            Ok((with_whole_body(request, admitted.body_limits()).await?, admitted))
        };
        match admitted.await {
            Ok((request, _admitted)) => next.run(request).await,
            Err(status) => {
                let status: Status = status;
                tracing::debug!(rpc = path, code = ?status.code(), "refused");
                status.into_http::<Body>()
            }
        }
    };
    let mut response = answered.instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The name of a call's span: `rpc.` with service and method. A path that is not in the table names nothing.
fn span_name(path: &str) -> String {
    if rule(path).is_none() {
        return "rpc.unknown".to_owned();
    }
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    format!("rpc.{}.{method}", service.rsplit('.').next().unwrap_or(service))
}

async fn admit(gate: &PublicGate, request: &mut Request, path: &str, request_id: &str) -> Result<Admitted, Status> {
    let source = request.extensions().get::<Source>().copied();
    let (needed, for_platform) = match rule(path) {
        Some(Rule::Anyone) => {
            let place = gate.stranger(source).ok_or_else(|| super::status::busy(LOOK_UP_RETRY))?;
            return Ok(Admitted::Stranger { _place: place });
        }
        Some(Rule::Member(role)) => (role, false),
        Some(Rule::Platform(role)) => (role, true),
        // Device services are not served here.
        Some(Rule::AnyPeer | Rule::Device) | None => {
            return Err(Status::unimplemented("there is no such service on this address"));
        }
    };
    let from_our_pages = request.extensions().get::<FromOurPages>().is_some();
    let credential = credential(request.headers(), gate.cookie_name, from_our_pages)?
        .ok_or_else(|| Status::unauthenticated("sign in first: this call needs an API token or a browser session"))?;
    let signed_in = gate.look_up(source, credential).await?;
    if signed_in.role < needed {
        return Err(Status::permission_denied(format!(
            "this call needs the role {}; ask an admin of the organization",
            role_word(needed)
        )));
    }
    if for_platform && !signed_in.runs_platform {
        return Err(Status::permission_denied(
            "this call is about the control plane itself; ask an admin of the organization that runs it",
        ));
    }
    let place = gate.bodies.take(path, signed_in.scope.organization(), credential).await?;
    let caller = Caller { signed_in, request_id: request_id.to_owned(), credential };
    request.extensions_mut().insert(caller);
    Ok(Admitted::Member(place))
}

impl Admitted {
    fn body_limits(&self) -> BodyLimits {
        match self {
            Self::Stranger { .. } => body::STRANGER,
            Self::Member(place) => place.limits,
        }
    }
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
        (Some(hash), None) => Ok(Some(Credential::ApiToken(hash))),
        (None, Some(hash)) => Ok(Some(Credential::BrowserSession(hash))),
        (None, None) => Ok(None),
    }
}

fn bearer(value: &HeaderValue) -> Result<[u8; 32], Status> {
    let token = value
        .to_str()
        .ok()
        .filter(|text| text.len() <= CREDENTIAL_MAX_BYTES)
        .and_then(|text| text.strip_prefix("Bearer "))
        .filter(|token| token.starts_with(API_TOKEN_PREFIX))
        .ok_or_else(|| Status::unauthenticated("authorization must be: Bearer kat1.…, an API token copied whole"))?;
    Ok(sha256(token.as_bytes()))
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

/// The check on the device listener, before every handler.
pub(crate) async fn device_gate(request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<PeerConnection>().map(|connection| connection.peer.clone());
    let refused = match (rule(request.uri().path()), peer) {
        (Some(Rule::AnyPeer), Some(_)) | (Some(Rule::Device), Some(Peer::Device { .. })) => None,
        (Some(Rule::Device), Some(Peer::Stranger(reason))) => Some(super::status::refusal(reason)),
        (Some(Rule::Anyone | Rule::Member(_) | Rule::Platform(_)), _) | (None, _) | (_, None) => {
            Some(Status::unimplemented("there is no such service on this address"))
        }
    };
    match refused {
        None => {
            let span = tracing::info_span!("rpc", otel.name = span_name(request.uri().path()), otel.kind = "server");
            next.run(request).instrument(span).await
        }
        Some(status) => status.into_http::<Body>(),
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Support => "support",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
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
    fn spans_are_named_by_service_and_method() {
        assert_eq!(span_name("/kaliun.fleet.v1.DeviceService/GetDevice"), "rpc.DeviceService.GetDevice");
        assert_eq!(span_name("/somebody/made-this-up"), "rpc.unknown");
    }

    #[test]
    fn a_credential_is_a_token_or_a_session_of_our_pages() {
        let token = (header::AUTHORIZATION, "Bearer kat1.abc");
        let cookie = (header::COOKIE, "theme=dark; __Host-kaliun=abc");
        check(&[], true, Ok(None));
        check(std::slice::from_ref(&token), false, Ok(Some(Credential::ApiToken(sha256(b"kat1.abc")))));
        check(std::slice::from_ref(&cookie), true, Ok(Some(Credential::BrowserSession(sha256(b"abc")))));
        check(std::slice::from_ref(&cookie), false, Ok(None));
        check(&[token, cookie], true, Err(tonic::Code::Unauthenticated));
        check(&[(header::AUTHORIZATION, "Basic abc")], false, Err(tonic::Code::Unauthenticated));
        check(&[(header::AUTHORIZATION, "Bearer other")], false, Err(tonic::Code::Unauthenticated));
    }
}
