//! A control plane's double: the public services over real gRPC, answering from lists that a test fills.

mod accounts;
mod authorities;
mod certificates;
mod claims;
mod consents;
mod devices;
mod enrollments;
mod homes;
mod joining;
mod lifecycle;
mod logins;
mod organizations;
mod posture;
mod tokens;

pub(crate) use accounts::PERSON;
pub(crate) use logins::{DEVICE_CODE, Logins};
pub(crate) use organizations::INVITATION_SECRET;

use futures_util::stream::Stream;
use kaliun_proto::fleet::v1::account_service_server::AccountServiceServer;
use kaliun_proto::fleet::v1::api_token_service_server::ApiTokenServiceServer;
use kaliun_proto::fleet::v1::authority_service_server::AuthorityServiceServer;
use kaliun_proto::fleet::v1::certificate_service_server::CertificateServiceServer;
use kaliun_proto::fleet::v1::claim_rule_service_server::ClaimRuleServiceServer;
use kaliun_proto::fleet::v1::claim_service_server::ClaimServiceServer;
use kaliun_proto::fleet::v1::consent_service_server::ConsentServiceServer;
use kaliun_proto::fleet::v1::device_service_server::DeviceServiceServer;
use kaliun_proto::fleet::v1::domain_service_server::DomainServiceServer;
use kaliun_proto::fleet::v1::enrollment_service_server::EnrollmentServiceServer;
use kaliun_proto::fleet::v1::history_service_server::{HistoryService, HistoryServiceServer};
use kaliun_proto::fleet::v1::installation_service_server::InstallationServiceServer;
use kaliun_proto::fleet::v1::invitation_service_server::InvitationServiceServer;
use kaliun_proto::fleet::v1::join_token_service_server::JoinTokenServiceServer;
use kaliun_proto::fleet::v1::lifecycle_service_server::LifecycleServiceServer;
use kaliun_proto::fleet::v1::login_service_server::LoginServiceServer;
use kaliun_proto::fleet::v1::organization_service_server::OrganizationServiceServer;
use kaliun_proto::fleet::v1::posture_service_server::PostureServiceServer;
use kaliun_proto::fleet::v1::server_service_server::ServerServiceServer;
use kaliun_proto::fleet::v1::sign_up_service_server::SignUpServiceServer;
use kaliun_proto::fleet::v1::watch_service_server::WatchServiceServer;
use kaliun_proto::fleet::v1::*;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status};

/// The one token that is let in.
pub(crate) const TOKEN: &str = "kat1.an-api-token-that-must-never-be-printed-00000";

/// The code of the one box that waits.
pub(crate) const CODE: &str = "AB3DEFGH";

/// What its screen shows.
pub(crate) const CHECK: &str = "K7M4";

/// Calls for which a person needs no organization.
const OF_A_PERSON: [&str; 5] =
    ["who_am_i", "sign_out", "list_my_organizations", "look_up_invitation", "accept_invitation"];

/// What a test fills and looks at.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) devices: Vec<Device>,
    pub(crate) events: Vec<Event>,
    /// By device id.
    pub(crate) certificates: HashMap<String, Vec<DeviceCertificate>>,
    pub(crate) installations: Vec<Installation>,
    pub(crate) join_tokens: Vec<JoinToken>,
    pub(crate) enrollments: Vec<Enrollment>,
    /// Boxes that waited and were taken in: their ids there, and what they are called.
    pub(crate) admitted: Vec<(String, String)>,
    pub(crate) api_tokens: Vec<ApiToken>,
    pub(crate) rotation: Rotation,
    pub(crate) stragglers: Vec<Straggler>,
    pub(crate) findings: Vec<Finding>,
    /// None for whom they do not concern.
    pub(crate) platform_findings: Option<Vec<Finding>>,
    /// Every call, as `rpc` or `rpc: what matters of it`.
    pub(crate) calls: Vec<String>,
    /// Answers to all calls when set.
    pub(crate) refusal: Option<Status>,
    /// Answers to each step of a rotation when set.
    pub(crate) step_refusal: Option<Status>,
    /// Id of a device that may not be deleted.
    pub(crate) kept_device: String,
    /// No call is ever answered when set.
    pub(crate) silent: bool,
    /// What each opened watch sends, and with which it ends.
    pub(crate) watches: VecDeque<Vec<Result<WatchResponse, Status>>>,
    pub(crate) logins: Logins,
    /// Of the person who signs in by a code.
    pub(crate) organizations: Vec<Organization>,
    pub(crate) person_name: String,
    pub(crate) own_homes: Vec<(String, HomeRole)>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) members: Vec<Member>,
    pub(crate) invitations: Vec<Invitation>,
    /// Whether links go by mail.
    pub(crate) sends_mail: bool,
    /// Of every home.
    pub(crate) people: Vec<HomePerson>,
    pub(crate) consents: Vec<Consent>,
    /// What becomes of the newest consent at each look at the list.
    pub(crate) decisions: VecDeque<Result<ConsentState, Status>>,
    pub(crate) sign_ups: Vec<SignUpEntry>,
    /// The organization that each call named, with the call; empty for none.
    pub(crate) places: Vec<(String, String)>,
}

/// A running double.
pub(crate) struct Double {
    pub(crate) url: String,
    world: Arc<Mutex<World>>,
    _server: JoinSet<()>,
}

#[derive(Clone)]
struct Services(Arc<Mutex<World>>);

impl Double {
    pub(crate) async fn start(world: World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self::serve(world, url, TcpListenerStream::new(listener))
    }

    /// Serves on connections that come from anywhere.
    pub(crate) fn serve<I, C>(world: World, url: String, incoming: I) -> Self
    where
        I: Stream<Item = std::io::Result<C>> + Send + 'static,
        C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let world = Arc::new(Mutex::new(world));
        let services = Services(world.clone());
        let router = tonic::transport::Server::builder()
            .add_service(AccountServiceServer::new(services.clone()))
            .add_service(ApiTokenServiceServer::new(services.clone()))
            .add_service(AuthorityServiceServer::new(services.clone()))
            .add_service(CertificateServiceServer::new(services.clone()))
            .add_service(ClaimServiceServer::new(services.clone()))
            .add_service(ConsentServiceServer::new(services.clone()))
            .add_service(DeviceServiceServer::new(services.clone()))
            .add_service(HistoryServiceServer::new(services.clone()))
            .add_service(InstallationServiceServer::new(services.clone()))
            .add_service(ClaimRuleServiceServer::new(services.clone()))
            .add_service(DomainServiceServer::new(services.clone()))
            .add_service(InvitationServiceServer::new(services.clone()))
            .add_service(LoginServiceServer::new(services.clone()))
            .add_service(OrganizationServiceServer::new(services.clone()))
            .add_service(SignUpServiceServer::new(services.clone()))
            .add_service(EnrollmentServiceServer::new(services.clone()))
            .add_service(JoinTokenServiceServer::new(services.clone()))
            .add_service(LifecycleServiceServer::new(services.clone()))
            .add_service(PostureServiceServer::new(services.clone()))
            .add_service(ServerServiceServer::new(services.clone()))
            .add_service(WatchServiceServer::new(services));
        let mut server = JoinSet::new();
        server.spawn(async move { router.serve_with_incoming(incoming).await.unwrap() });
        Self { url, world, _server: server }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.world().calls.clone()
    }
}

impl Services {
    /// Notes the call, and refuses it as the real one would.
    async fn enter<T>(&self, request: &Request<T>, call: impl Into<String>) -> Result<(), Status> {
        let named = request.metadata().get("kaliun-organization").map(|id| id.to_str().unwrap().to_owned());
        let call = call.into();
        let silent = {
            let mut world = self.0.lock().unwrap();
            world.calls.push(call.clone());
            world.places.push((call.clone(), named.clone().unwrap_or_default()));
            if let Some(refusal) = &world.refusal {
                return Err(refusal.clone());
            }
            world.silent
        };
        if silent {
            std::future::pending::<()>().await;
        }
        let token = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        if token == TOKEN {
            assert_eq!(named, None, "an API token has an organization of its own");
            return Ok(());
        }
        let world = self.world();
        if !world.logins.admits(token) {
            return Err(Status::unauthenticated("This token is not known."));
        }
        match named {
            Some(id) if !world.organizations.iter().any(|one| one.id == id) => Err(Status::permission_denied(
                "kaliun-organization: you are not in this organization (any more); choose another one",
            )),
            None if world.organizations.is_empty() && !OF_A_PERSON.contains(&call.as_str()) => {
                Err(Status::failed_precondition("you belong to no organization yet: make one, or open the invitation"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a call that was let in is a person's.
    fn is_person<T>(&self, request: &Request<T>) -> bool {
        request.metadata().get("authorization").is_some_and(|value| value != &format!("Bearer {TOKEN}"))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

/// A page of a list; the token is the index it begins at.
fn page<T: Clone>(items: &[T], page_size: u32, token: &str) -> Result<(Vec<T>, String), Status> {
    let start: usize = if token.is_empty() {
        0
    } else {
        token.parse().map_err(|_| Status::invalid_argument("page_token is not one of ours."))?
    };
    let size = if page_size == 0 { 100 } else { page_size as usize };
    let end = items.len().min(start + size);
    let next = if end < items.len() { end.to_string() } else { String::new() };
    Ok((items.get(start..end).unwrap_or_default().to_vec(), next))
}

#[tonic::async_trait]
impl HistoryService for Services {
    async fn query_metrics(
        &self,
        request: Request<QueryMetricsRequest>,
    ) -> Result<Response<QueryMetricsResponse>, Status> {
        self.enter(&request, "query_metrics").await?;
        Ok(Response::new(QueryMetricsResponse { series: Vec::new() }))
    }

    async fn list_events(&self, request: Request<ListEventsRequest>) -> Result<Response<ListEventsResponse>, Status> {
        let list = request.get_ref().clone();
        self.enter(&request, format!("list_events: {} of {:?}", list.page_size, list.device_id)).await?;
        let world = self.world();
        let matching: Vec<Event> = world
            .events
            .iter()
            .filter(|event| list.device_id.is_empty() || event.device_id == list.device_id)
            .cloned()
            .collect();
        let (events, next_page_token) = page(&matching, list.page_size, &list.page_token)?;
        Ok(Response::new(ListEventsResponse { events, next_page_token }))
    }
}
