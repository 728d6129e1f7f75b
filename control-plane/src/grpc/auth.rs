//! Who calls, and whether they may: one check before every handler, by the table in `kaliun-domain`.

mod caller;
mod credential;

use super::body::{self, Bodies, BodyLimits, BodyPlace, Whose, with_whole_body};
use super::status::RequestId;
use crate::digest::random;
use crate::listen::PeerConnection;
use crate::listen::peer::Peer;
use crate::listen::places::{Place, Places};
use crate::listen::source::limited_as;
use crate::listen::turns::{Turn, TurnLimits, Turns};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use caller::authenticate;
pub(crate) use caller::{Caller, Right, Somebody, Whoever};
use credential::wanted_organization;
pub(crate) use credential::{Credential, credential};
use futures_util::future::Either;
use http::{HeaderMap, HeaderName, HeaderValue};
use kaliun_domain::authorization::{Grants, Rule, rule};
use kaliun_store::{Principal, SignedIn, SystemStore};
use kaliun_types::id::OrganizationId;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tonic::Status;
use tracing::Instrument;

/// Where the request's id comes back.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What every API token begins with, so that leaked ones can be found.
pub(crate) const API_TOKEN_PREFIX: &str = "kat1.";
/// The same of access tokens, and of the tokens that bring the next one.
pub(crate) const ACCESS_TOKEN_PREFIX: &str = "kas1.";
pub(crate) const REFRESH_TOKEN_PREFIX: &str = "kar1.";

/// The source of a request on the public listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source(pub(crate) IpAddr);

/// Marks a request that came as gRPC-Web from our own pages: same origin, and the browser says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FromOurPages;

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
    async fn look_up(
        &self,
        source: Option<Source>,
        credential: Credential,
        wanted: Option<OrganizationId>,
    ) -> Result<SignedIn, Status> {
        let turn = tokio::time::timeout(LOOK_UP_TIMEOUT, self.look_up_turn(source)).await.ok().flatten();
        let _turn = turn.ok_or_else(|| super::status::busy(LOOK_UP_RETRY))?;
        let found = authenticate(&self.store, credential, wanted).await.map_err(super::status::store)?;
        found.ok_or_else(|| {
            Status::unauthenticated("the token or session is unknown, has ended or was revoked; sign in again")
        })
    }
}

/// The check on the public listener, before every gRPC handler.
pub(crate) async fn public_gate(State(gate): State<Arc<PublicGate>>, mut request: Request, next: Next) -> Response {
    let request_id = request_id();
    let path = request.uri().path().to_owned();
    // One span a call, by the name of the method; a stream's ends with its answer's head, not with the stream.
    let span = tracing::info_span!("rpc", otel.name = span_name(&path), otel.kind = "server", request.id = request_id);
    let answered = async {
        let admitted = async {
            request.extensions_mut().insert(RequestId(request_id.clone()));
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
    with_request_id(response.headers_mut(), &request_id);
    response
}

/// A new id for a request.
pub(crate) fn request_id() -> String {
    data_encoding::HEXLOWER.encode(&random::<8>())
}

/// Says the id of a request in its answer, so that an error can be found in the log.
pub(crate) fn with_request_id(headers: &mut HeaderMap, request_id: &str) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
}

/// The name of a call's span: `rpc.` with service and method. A path that is not in the table names nothing.
fn span_name(path: &str) -> String {
    if rule(path).is_none() {
        return "rpc.unknown".to_owned();
    }
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    format!("rpc.{}.{method}", service.rsplit('.').next().unwrap_or(service))
}

/// What a call takes of somebody who is signed in.
enum Needed {
    /// To be signed in.
    SignedIn,
    /// To be a person.
    Person,
    /// A right inside an organization.
    Inside(Grants),
    /// The same in the organization that runs the control plane.
    Platform(Grants),
}

async fn admit(gate: &PublicGate, request: &mut Request, path: &str, request_id: &str) -> Result<Admitted, Status> {
    let source = request.extensions().get::<Source>().copied();
    let needed = match rule(path) {
        Some(Rule::Anyone) => {
            let place = gate.stranger(source).ok_or_else(|| super::status::busy(LOOK_UP_RETRY))?;
            return Ok(Admitted::Stranger { _place: place });
        }
        Some(Rule::SignedIn) => Needed::SignedIn,
        Some(Rule::Person) => Needed::Person,
        Some(Rule::Inside(grants)) => Needed::Inside(grants),
        Some(Rule::Platform(role)) => Needed::Platform(Grants::of(role)),
        // Device services are not served here.
        Some(Rule::AnyPeer | Rule::Device) | None => {
            return Err(Status::unimplemented("there is no such service on this address"));
        }
    };
    let from_our_pages = request.extensions().get::<FromOurPages>().is_some();
    let credential = credential(request.headers(), gate.cookie_name, from_our_pages)?
        .ok_or_else(|| Status::unauthenticated("sign in first: this call needs a token or a browser session"))?;
    // What is a person's own is so in every organization.
    let wanted = if matches!(needed, Needed::Person) { None } else { wanted_organization(request.headers())? };
    let signed_in = gate.look_up(source, credential, wanted).await?;
    let whose = signed_in
        .place
        .as_ref()
        .map_or_else(|| Whose::of(&signed_in.principal), |place| Whose::Organization(place.organization));
    let source = source.map(|Source(address)| address);
    let whoever = Whoever { signed_in, request_id: request_id.to_owned(), source, credential };
    if wanted.is_some() && whoever.signed_in.place.is_none() {
        return Err(Status::permission_denied(
            "kaliun-organization: you are not in this organization (any more); choose another one",
        ));
    }
    match needed {
        Needed::SignedIn => {}
        Needed::Person => {
            let Principal::Person(person) = &whoever.signed_in.principal else {
                return Err(Status::permission_denied(
                    "this call is about a person's own account, and an API token is nobody's; sign in with `fleetctl login`",
                ));
            };
            let somebody = Somebody::new(whoever.clone(), person.clone());
            request.extensions_mut().insert(somebody);
        }
        Needed::Inside(grants) => {
            let caller = inside(&whoever, grants)?;
            request.extensions_mut().insert(caller);
        }
        Needed::Platform(grants) => {
            let caller = inside(&whoever, grants)?;
            if !caller.place().runs_platform {
                return Err(Status::permission_denied(
                    "this call is about the control plane itself; ask an admin of the organization that runs it",
                ));
            }
            request.extensions_mut().insert(caller);
        }
    }
    request.extensions_mut().insert(whoever);
    let place = gate.bodies.take(path, whose, credential).await?;
    Ok(Admitted::Member(place))
}

/// Somebody with the right that a call takes.
fn inside(whoever: &Whoever, grants: Grants) -> Result<Caller, Status> {
    let Some(place) = whoever.signed_in.place.clone() else {
        return Err(Status::failed_precondition(
            "you belong to no organization yet: make one, or open the invitation that was mailed to you",
        ));
    };
    let granted = place.grant(grants).ok_or_else(|| Status::permission_denied(not_granted(grants)))?;
    let caller = Caller::new(whoever.clone(), place, granted, grants);
    if grants.by_person {
        caller.as_person()?;
    }
    Ok(caller)
}

/// What would be needed, in words.
fn not_granted(grants: Grants) -> String {
    let role = grants.role.map(|role| format!("the role {} in the organization", role.word()));
    let home = grants.home.map(|home| format!("the role {} in the home", home.word()));
    let consent = grants.by_consent.then(|| "for support, the consent of the home's owner".to_owned());
    let ways: Vec<String> = role.into_iter().chain(home).chain(consent).collect();
    format!("this call needs {}; ask an admin of the organization", ways.join(", or "))
}

impl Admitted {
    fn body_limits(&self) -> BodyLimits {
        match self {
            Self::Stranger { .. } => body::STRANGER,
            Self::Member(place) => place.limits,
        }
    }
}

/// The check on the device listener, before every handler.
pub(crate) async fn device_gate(request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<PeerConnection>().map(|connection| connection.peer.clone());
    let refused = match (rule(request.uri().path()), peer) {
        (Some(Rule::AnyPeer), Some(_)) | (Some(Rule::Device), Some(Peer::Device { .. })) => None,
        (Some(Rule::Device), Some(Peer::Stranger(reason))) => Some(super::status::refusal(reason)),
        (Some(Rule::Anyone | Rule::SignedIn | Rule::Person | Rule::Inside(_) | Rule::Platform(_)), _)
        | (None, _)
        | (_, None) => Some(Status::unimplemented("there is no such service on this address")),
    };
    let request_id = request_id();
    let mut response = match refused {
        None => {
            let name = span_name(request.uri().path());
            let span = tracing::info_span!("rpc", otel.name = name, otel.kind = "server", request.id = request_id);
            next.run(request).instrument(span).await
        }
        Some(status) => status.into_http::<Body>(),
    };
    with_request_id(response.headers_mut(), &request_id);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_domain::role::{HomeRole, Role};

    #[test]
    fn a_refusal_names_every_way_in() {
        let grants = Grants::of(Role::Operator).or_in_home(HomeRole::Owner).or_by_consent();
        let text = not_granted(grants);
        assert!(
            text.contains("role operator in the organization, or the role owner in the home, or for support"),
            "{text}"
        );
        let text = not_granted(Grants::of(Role::Admin));
        assert!(text.contains("needs the role admin in the organization;"), "{text}");
    }

    #[test]
    fn spans_are_named_by_service_and_method() {
        assert_eq!(span_name("/kaliun.fleet.v1.DeviceService/GetDevice"), "rpc.DeviceService.GetDevice");
        assert_eq!(span_name("/somebody/made-this-up"), "rpc.unknown");
    }
}
