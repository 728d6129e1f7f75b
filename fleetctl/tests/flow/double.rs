//! A control plane's double: the public services over real gRPC, answering from lists that a test fills.

use crate::things::NOW_MS;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use kaliun_proto::fleet::v1::account_service_server::{AccountService, AccountServiceServer};
use kaliun_proto::fleet::v1::api_token_service_server::{ApiTokenService, ApiTokenServiceServer};
use kaliun_proto::fleet::v1::claim_service_server::{ClaimService, ClaimServiceServer};
use kaliun_proto::fleet::v1::device_service_server::{DeviceService, DeviceServiceServer};
use kaliun_proto::fleet::v1::history_service_server::{HistoryService, HistoryServiceServer};
use kaliun_proto::fleet::v1::installation_service_server::{InstallationService, InstallationServiceServer};
use kaliun_proto::fleet::v1::join_token_service_server::{JoinTokenService, JoinTokenServiceServer};
use kaliun_proto::fleet::v1::server_service_server::{ServerService, ServerServiceServer};
use kaliun_proto::fleet::v1::watch_service_server::{WatchService, WatchServiceServer};
use kaliun_proto::fleet::v1::*;
use kaliun_proto::telemetry::v1::Facts;
use kaliun_types::selector::Selector;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status};

/// The one token that is let in.
pub(crate) const TOKEN: &str = "kat1.an-api-token-that-must-never-be-printed-00000";

/// What a test fills and looks at.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) devices: Vec<Device>,
    pub(crate) events: Vec<Event>,
    pub(crate) installations: Vec<Installation>,
    pub(crate) join_tokens: Vec<JoinToken>,
    pub(crate) api_tokens: Vec<ApiToken>,
    /// Every call, as `rpc` or `rpc: what matters of it`.
    pub(crate) calls: Vec<String>,
    /// Answers to all calls when set.
    pub(crate) refusal: Option<Status>,
    /// No call is ever answered when set.
    pub(crate) silent: bool,
    /// What each opened watch sends, and with which it ends.
    pub(crate) watches: VecDeque<Vec<Result<WatchResponse, Status>>>,
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
            .add_service(ClaimServiceServer::new(services.clone()))
            .add_service(DeviceServiceServer::new(services.clone()))
            .add_service(HistoryServiceServer::new(services.clone()))
            .add_service(InstallationServiceServer::new(services.clone()))
            .add_service(JoinTokenServiceServer::new(services.clone()))
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
        let silent = {
            let mut world = self.0.lock().unwrap();
            world.calls.push(call.into());
            if let Some(refusal) = &world.refusal {
                return Err(refusal.clone());
            }
            world.silent
        };
        if silent {
            std::future::pending::<()>().await;
        }
        let token = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        if token == Some(&format!("Bearer {TOKEN}")) {
            return Ok(());
        }
        Err(Status::unauthenticated("This token is not known."))
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
impl DeviceService for Services {
    async fn get_device(&self, request: Request<GetDeviceRequest>) -> Result<Response<GetDeviceResponse>, Status> {
        let by = request.get_ref().by.clone();
        self.enter(&request, format!("get_device: {by:?}")).await?;
        let world = self.world();
        let found = world.devices.iter().find(|device| match &by {
            Some(get_device_request::By::Id(id)) => device.id == *id,
            Some(get_device_request::By::Name(name)) => device.name == *name,
            None => false,
        });
        let device = found.cloned().ok_or_else(|| Status::not_found("There is no such device."))?;
        Ok(Response::new(GetDeviceResponse { device: Some(device) }))
    }

    async fn list_devices(
        &self,
        request: Request<ListDevicesRequest>,
    ) -> Result<Response<ListDevicesResponse>, Status> {
        let list = request.get_ref().clone();
        self.enter(
            &request,
            format!(
                "list_devices: {} from {:?} selector {:?} order {:?} link {:?}",
                list.page_size,
                list.page_token,
                list.selector,
                list.order(),
                list.link_state()
            ),
        )
        .await?;
        let selector = Selector::parse(&list.selector).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let world = self.world();
        let matching: Vec<Device> = world
            .devices
            .iter()
            .filter(|device| selector.matches(&device.labels.clone().into_iter().collect()))
            .cloned()
            .collect();
        let (devices, next_page_token) = page(&matching, list.page_size, &list.page_token)?;
        Ok(Response::new(ListDevicesResponse { devices, next_page_token }))
    }

    async fn summarize_devices(
        &self,
        request: Request<SummarizeDevicesRequest>,
    ) -> Result<Response<SummarizeDevicesResponse>, Status> {
        self.enter(&request, "summarize_devices").await?;
        Ok(Response::new(SummarizeDevicesResponse { summary: None }))
    }

    async fn update_device(
        &self,
        request: Request<UpdateDeviceRequest>,
    ) -> Result<Response<UpdateDeviceResponse>, Status> {
        let update = request.get_ref().clone();
        self.enter(&request, format!("update_device: version {}", update.version)).await?;
        let mut world = self.world();
        let device = world
            .devices
            .iter_mut()
            .find(|device| device.id == update.id)
            .ok_or_else(|| Status::not_found("There is no such device."))?;
        if device.version != update.version {
            return Err(Status::aborted("The device was changed meanwhile."));
        }
        device.version += 1;
        device.name = update.name.unwrap_or_else(|| device.name.clone());
        device.labels.extend(update.set_labels);
        device.labels.retain(|key, _| !update.remove_labels.contains(key));
        Ok(Response::new(UpdateDeviceResponse { device: Some(device.clone()) }))
    }

    async fn delete_device(
        &self,
        request: Request<DeleteDeviceRequest>,
    ) -> Result<Response<DeleteDeviceResponse>, Status> {
        self.enter(&request, "delete_device").await?;
        self.world().devices.retain(|device| device.id != request.get_ref().id);
        Ok(Response::new(DeleteDeviceResponse {}))
    }
}

#[tonic::async_trait]
impl WatchService for Services {
    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let subscriptions: Vec<String> = request
            .get_ref()
            .subscriptions
            .iter()
            .map(|subscription| match &subscription.what {
                Some(subscription::What::DeviceList(list)) => {
                    format!(
                        "{} list {} from {:?} {:?}",
                        subscription.id, list.page_size, list.page_token, list.selector
                    )
                }
                Some(subscription::What::Device(device)) => format!("{} device {}", subscription.id, device.device_id),
                None => format!("{} nothing", subscription.id),
            })
            .collect();
        self.enter(&request, format!("watch: {}", subscriptions.join(", "))).await?;
        let script = self.world().watches.pop_front();
        let script = script.ok_or_else(|| Status::permission_denied("That was all."))?;
        Ok(Response::new(stream::iter(script).boxed()))
    }
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

#[tonic::async_trait]
impl InstallationService for Services {
    async fn list_installations(
        &self,
        request: Request<ListInstallationsRequest>,
    ) -> Result<Response<ListInstallationsResponse>, Status> {
        self.enter(&request, "list_installations").await?;
        let list = request.into_inner();
        let (installations, next_page_token) = page(&self.world().installations, list.page_size, &list.page_token)?;
        Ok(Response::new(ListInstallationsResponse { installations, next_page_token }))
    }
}

#[tonic::async_trait]
impl JoinTokenService for Services {
    async fn create_join_token(
        &self,
        request: Request<CreateJoinTokenRequest>,
    ) -> Result<Response<CreateJoinTokenResponse>, Status> {
        self.enter(&request, "create_join_token").await?;
        let wanted = request.into_inner();
        let join_token = JoinToken {
            id: crate::things::id(500),
            description: wanted.description,
            created_at_ms: NOW_MS,
            expires_at_ms: NOW_MS + i64::try_from(wanted.lifetime_seconds).unwrap() * 1_000,
            max_uses: wanted.max_uses,
            labels: wanted.labels,
            created_by: "admin@example.org".to_owned(),
            ..JoinToken::default()
        };
        let secret = "kjt1.a-join-token".to_owned();
        Ok(Response::new(CreateJoinTokenResponse { join_token: Some(join_token), secret }))
    }

    async fn list_join_tokens(
        &self,
        request: Request<ListJoinTokensRequest>,
    ) -> Result<Response<ListJoinTokensResponse>, Status> {
        self.enter(&request, "list_join_tokens").await?;
        let list = request.into_inner();
        let (join_tokens, next_page_token) = page(&self.world().join_tokens, list.page_size, &list.page_token)?;
        Ok(Response::new(ListJoinTokensResponse { join_tokens, next_page_token }))
    }

    async fn revoke_join_token(
        &self,
        request: Request<RevokeJoinTokenRequest>,
    ) -> Result<Response<RevokeJoinTokenResponse>, Status> {
        self.enter(&request, format!("revoke_join_token: {}", request.get_ref().id)).await?;
        Ok(Response::new(RevokeJoinTokenResponse {}))
    }
}

#[tonic::async_trait]
impl ApiTokenService for Services {
    async fn create_api_token(
        &self,
        request: Request<CreateApiTokenRequest>,
    ) -> Result<Response<CreateApiTokenResponse>, Status> {
        self.enter(&request, "create_api_token").await?;
        let wanted = request.into_inner();
        let api_token = ApiToken {
            id: crate::things::id(600),
            name: wanted.name,
            role: wanted.role,
            created_at_ms: NOW_MS,
            expires_at_ms: NOW_MS + i64::try_from(wanted.lifetime_seconds).unwrap() * 1_000,
            created_by: "admin@example.org".to_owned(),
            ..ApiToken::default()
        };
        Ok(Response::new(CreateApiTokenResponse { api_token: Some(api_token), secret: "kat1.a-new-token".to_owned() }))
    }

    async fn list_api_tokens(
        &self,
        request: Request<ListApiTokensRequest>,
    ) -> Result<Response<ListApiTokensResponse>, Status> {
        self.enter(&request, "list_api_tokens").await?;
        let list = request.into_inner();
        let (api_tokens, next_page_token) = page(&self.world().api_tokens, list.page_size, &list.page_token)?;
        Ok(Response::new(ListApiTokensResponse { api_tokens, next_page_token }))
    }

    async fn revoke_api_token(
        &self,
        request: Request<RevokeApiTokenRequest>,
    ) -> Result<Response<RevokeApiTokenResponse>, Status> {
        self.enter(&request, format!("revoke_api_token: {}", request.get_ref().id)).await?;
        Ok(Response::new(RevokeApiTokenResponse {}))
    }
}

/// The code of the one box that waits.
pub(crate) const CODE: &str = "AB3DEFGH";

fn known_code(code: &str) -> Result<(), Status> {
    if code == CODE { Ok(()) } else { Err(Status::not_found("No box waits with this code.")) }
}

#[tonic::async_trait]
impl ClaimService for Services {
    async fn look_up_claim(
        &self,
        request: Request<LookUpClaimRequest>,
    ) -> Result<Response<LookUpClaimResponse>, Status> {
        self.enter(&request, "look_up_claim").await?;
        known_code(&request.get_ref().code)?;
        let facts = Facts {
            hostname: "box\u{1b}[31m-7".to_owned(),
            model: "NUC".to_owned(),
            agent_version: "0.1.0".to_owned(),
            cpu_count: 4,
            ..Facts::default()
        };
        let claim = Claim {
            facts: Some(facts),
            key_fingerprint: "1f3a 77c0 9b21 04de".to_owned(),
            expires_at_ms: NOW_MS + 600_000,
            source_address: "192.0.2.7".to_owned(),
        };
        Ok(Response::new(LookUpClaimResponse { claim: Some(claim) }))
    }

    async fn approve_claim(
        &self,
        request: Request<ApproveClaimRequest>,
    ) -> Result<Response<ApproveClaimResponse>, Status> {
        let wanted = request.get_ref().clone();
        let mut labels: Vec<_> = wanted.labels.into_iter().collect();
        labels.sort();
        self.enter(
            &request,
            format!("approve_claim: {:?} in {:?} with {labels:?}", wanted.name, wanted.installation_id),
        )
        .await?;
        known_code(&wanted.code)?;
        Ok(Response::new(ApproveClaimResponse { device_id: crate::things::id(7), device_name: "box-7".to_owned() }))
    }

    async fn deny_claim(&self, request: Request<DenyClaimRequest>) -> Result<Response<DenyClaimResponse>, Status> {
        self.enter(&request, "deny_claim").await?;
        known_code(&request.get_ref().code)?;
        Ok(Response::new(DenyClaimResponse {}))
    }
}

#[tonic::async_trait]
impl AccountService for Services {
    async fn sign_in(&self, _request: Request<SignInRequest>) -> Result<Response<SignInResponse>, Status> {
        Err(Status::unimplemented("For browsers only."))
    }

    async fn sign_out(&self, _request: Request<SignOutRequest>) -> Result<Response<SignOutResponse>, Status> {
        Err(Status::unimplemented("For browsers only."))
    }

    async fn who_am_i(&self, request: Request<WhoAmIRequest>) -> Result<Response<WhoAmIResponse>, Status> {
        self.enter(&request, "who_am_i").await?;
        let identity = Identity {
            organization_id: crate::things::id(1),
            organization_name: "Home".to_owned(),
            role: Role::Admin.into(),
            expires_at_ms: NOW_MS + 86_400_000,
            api_token_name: "first".to_owned(),
            ..Identity::default()
        };
        Ok(Response::new(WhoAmIResponse { identity: Some(identity) }))
    }
}

#[tonic::async_trait]
impl ServerService for Services {
    async fn get_version(&self, request: Request<GetVersionRequest>) -> Result<Response<GetVersionResponse>, Status> {
        let signed = request.metadata().contains_key("authorization");
        self.world().calls.push(format!("get_version: signed {signed}"));
        Ok(Response::new(GetVersionResponse { version: "9.9.9".to_owned(), link_protocol: 1 }))
    }
}
