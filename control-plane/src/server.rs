//! Puts the parts together, runs them, and takes them apart again.

mod database;

use crate::authority::{Authority, AuthorityError};
use crate::bootstrap::{self, BootstrapError};
use crate::changes::Changes;
use crate::config::Config;
use crate::digest::random;
use crate::grpc;
use crate::grpc::account::{Accounts, SessionCookie};
use crate::grpc::auth::{PublicGate, device_gate};
use crate::grpc::enrollment::{Enrollments, Waiting};
use crate::grpc::link::Links;
use crate::grpc::page::PageSeal;
use crate::limiter::Limiter;
use crate::listen::accept::bind;
use crate::listen::device::{DeviceListener, DeviceTls};
use crate::listen::internal::{self, Probes};
use crate::listen::public::{self, PublicListener, PublicTlsError};
use crate::metrics::Metrics;
use crate::reconcile;
use crate::sessions::ingest::Ingest;
use crate::sessions::opener::Opener;
use crate::sessions::registry::Registry;
use crate::sessions::stream::Shared;
use crate::sessions::sweeper::{self, Patience};
use crate::tasks::Tasks;
use database::{Database, DatabaseError};
use kaliun_proto::enrollment::v1::enrollment_service_server::EnrollmentServiceServer;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::link::v1::Drain;
use kaliun_proto::link::v1::server_message::Message;
use kaliun_store::{Store, StoreError};
use kaliun_types::id::ReplicaId;
use kaliun_types::reason::ReasonCode;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use thiserror::Error;
use tonic::service::Routes;

/// How long a stop waits for sessions to end in peace, and for tasks.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// Sessions told to go away at once, with a pause between, so that they do not all come back to another replica together.
const DRAIN_BATCH: usize = 500;
const DRAIN_PAUSE: Duration = Duration::from_millis(100);
/// Boxes come back after this long and up to twice as much.
const DRAIN_RECONNECT_MS: u32 = 1_000;
/// Enrolments from one source: a factory behind one address does 50 at once and 10 a second.
const ENROLL_BURST: u32 = 50;
const ENROLL_INTERVAL: Duration = Duration::from_millis(100);

/// The server cannot start.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The authority's files.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The device listener.
    #[error("the device listener cannot start")]
    Device(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The public listener's certificate.
    #[error(transparent)]
    PublicTls(#[from] PublicTlsError),
    /// The first start.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    /// An address is taken or not ours.
    #[error("{key}: cannot listen on {address}")]
    Listen {
        /// The configuration key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The database failed while the server started.
    #[error("the database failed while the server started")]
    Store(#[from] StoreError),
    /// Our own descriptors do not parse.
    #[error("gRPC reflection cannot start")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// A running server.
pub struct Server {
    tasks: Tasks,
    shared: Arc<Shared>,
    database: Database,
    replica: ReplicaId,
    draining: Arc<AtomicBool>,
    addresses: Addresses,
    trust_hash: [u8; 32],
    first_password: Option<String>,
}

/// Where a server listens.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// For boxes.
    pub device: SocketAddr,
    /// For people and programs.
    pub public: SocketAddr,
    /// For probes.
    pub internal: SocketAddr,
}

impl Server {
    /// Starts everything. When it returns, all listeners answer.
    ///
    /// # Errors
    /// See [`ServerError`]; nothing is left running.
    pub async fn start(config: &Config) -> Result<Self, ServerError> {
        let authority = Arc::new(Authority::open(&config.state_dir.join("authority"))?);
        let public_tls = match &config.public_tls {
            Some((cert, key)) => Some(public::tls_config(cert, key)?),
            None => None,
        };
        // Addresses first: it is the cheapest to find wrong.
        let device_socket = listen("device_listen", config.device_listen)?;
        let public_socket = listen("public_listen", config.public_listen)?;
        let internal_socket = listen("internal_listen", config.internal_listen)?;
        let address = |socket: &tokio::net::TcpListener, asked| socket.local_addr().unwrap_or(asked);
        let addresses = Addresses {
            device: address(&device_socket, config.device_listen),
            public: address(&public_socket, config.public_listen),
            internal: address(&internal_socket, config.internal_listen),
        };

        let database = Database::open(config).await?;
        let store = database.store().clone();
        let first_password = bootstrap::bootstrap(config, &store.system).await?;

        let tasks = Tasks::new();
        let metrics = Arc::new(Metrics::new());
        let changes = Changes::new();
        let replica = ReplicaId::new();
        reconcile::take_over(&store.system, replica, &config.replica_name, &changes).await?;
        let incarnation = store.system.cluster_incarnation().await?;
        let seal = PageSeal::new(&store.system.page_token_key(random()).await?);

        let registry = Arc::new(Registry::default());
        let shared = Arc::new(Shared {
            registry: Arc::clone(&registry),
            opener: Opener::start(&tasks, store.system.clone(), replica, changes.clone()),
            ingest: Ingest::start(&tasks, store.system.clone(), changes.clone(), Arc::clone(&metrics)),
            metrics: Arc::clone(&metrics),
        });
        let patience = Patience::new(config.heartbeat_interval_ms);
        sweeper::start(&tasks, Arc::clone(&registry), store.system.clone(), patience);

        let origins = origins(config, addresses.public);
        let public_url = origins.first().cloned().unwrap_or_default();
        let waiting = Waiting::new();
        let draining = Arc::new(AtomicBool::new(false));
        let parts = Parts {
            tasks: &tasks,
            store: &store,
            changes: &changes,
            metrics: &metrics,
            authority: &authority,
            seal: &seal,
        };

        let tls = DeviceTls::new(Arc::clone(&authority), config.device_names())
            .map(Arc::new)
            .map_err(|error| ServerError::Device(Box::new(error)))?;
        let links = Links { shared: Arc::clone(&shared), patience, incarnation };
        let device = DeviceListener {
            tls: Arc::clone(&tls),
            routes: device_routes(&parts, links, waiting.clone(), public_url, !config.device_sources_hidden),
            balancers: config.device_balancers.clone(),
            sources_are_known: !config.device_sources_hidden,
            tasks: tasks.clone(),
            metrics: Arc::clone(&metrics),
        };
        let cookie = SessionCookie::new(public_tls.is_some() || origins.iter().all(|o| o.starts_with("https://")));
        let public = PublicListener {
            tls: public_tls,
            services: public_routes(&parts, &registry, waiting.clone(), cookie),
            gate: Arc::new(PublicGate::new(store.gate.clone(), cookie.name, !config.behind_tls_proxy)),
            origins,
            sources_are_known: !config.behind_tls_proxy,
            tasks: tasks.clone(),
        };
        reconcile::start(&tasks, &store.system, replica, &config.replica_name, &changes, waiting, tls);
        device.start(device_socket);
        public.start(public_socket);
        let probes = Probes { store: store.system.clone(), metrics, draining: Arc::clone(&draining) };
        internal::start(internal_socket, probes, &tasks)?;
        if config.device_sources_hidden {
            tracing::warn!(
                "device_sources_hidden is set: nothing is limited by source for boxes; list device_balancers instead"
            );
        }
        if config.behind_tls_proxy {
            tracing::warn!(
                "behind_tls_proxy is set: people all come from the proxy, so nothing is limited by source for them"
            );
        }
        tracing::info!(device = %addresses.device, public = %addresses.public, internal = %addresses.internal, "listening");
        Ok(Self {
            tasks,
            shared,
            database,
            replica,
            draining,
            addresses,
            trust_hash: authority.trust_hash(),
            first_password,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// SHA-256 of trust bundle version 1.
    #[must_use]
    pub fn trust_hash(&self) -> [u8; 32] {
        self.trust_hash
    }

    /// The first admin's password, when it was made just now. Taken once.
    pub fn take_first_password(&mut self) -> Option<String> {
        self.first_password.take()
    }

    /// Sends the boxes away in batches, ends all work, and stops the private database.
    pub async fn stop(self) {
        self.draining.store(true, Ordering::Relaxed);
        self.drain().await;
        if !self.tasks.stop(STOP_PATIENCE).await {
            tracing::warn!("some tasks did not end in time");
        }
        if let Err(error) = self.database.store().system.replica_delete(self.replica).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "this process could not be signed off");
        }
        self.database.close().await;
        tracing::info!("stopped");
    }

    async fn drain(&self) {
        let registry = &self.shared.registry;
        registry.shut();
        for batch in registry.all().chunks(DRAIN_BATCH) {
            for session in batch {
                session.send(Message::Drain(Drain { reconnect_after_ms: DRAIN_RECONNECT_MS }));
                session.close(ReasonCode::LinkServerStopped);
            }
            tokio::time::sleep(DRAIN_PAUSE).await;
        }
        let began = Instant::now();
        while registry.len() > 0 && began.elapsed() < DRAIN_PATIENCE {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for session in registry.all() {
            session.connection.cut();
        }
    }
}

fn listen(key: &'static str, address: SocketAddr) -> Result<tokio::net::TcpListener, ServerError> {
    bind(address).map_err(|source| ServerError::Listen { key, address, source })
}

/// The origins of our own pages. On loopback people type either name of it.
fn origins(config: &Config, public: SocketAddr) -> Vec<String> {
    let scheme = if config.public_tls.is_some() { "https" } else { "http" };
    let mut origins = Vec::new();
    if let Some(url) = &config.public_url
        && url.starts_with("https://")
        && config.public_tls.is_none()
    {
        // A proxy in front does TLS: whoever comes past it is not one of our pages.
        return vec![url.trim_end_matches('/').to_owned()];
    }
    if let Some(url) = &config.public_url {
        origins.push(url.trim_end_matches('/').to_owned());
    }
    if config.public_url.is_none() || public.ip().is_loopback() {
        let port = public.port();
        for host in [public.ip().to_string(), "127.0.0.1".to_owned(), "localhost".to_owned()] {
            let origin = format!("{scheme}://{host}:{port}");
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
    }
    origins
}

/// What the services are made of.
struct Parts<'a> {
    tasks: &'a Tasks,
    store: &'a Store,
    changes: &'a Changes,
    metrics: &'a Arc<Metrics>,
    authority: &'a Arc<Authority>,
    seal: &'a PageSeal,
}

fn device_routes(
    parts: &Parts<'_>,
    links: Links,
    waiting: Waiting,
    public_url: String,
    sources_are_known: bool,
) -> axum::Router {
    let enrollments = Enrollments::new(
        parts.store.system.clone(),
        Arc::clone(parts.authority),
        waiting,
        parts.changes.clone(),
        Arc::clone(parts.metrics),
        parts.tasks.clone(),
        public_url,
        sources_are_known.then(|| Limiter::new(ENROLL_BURST, ENROLL_INTERVAL)),
    );
    let mut routes = Routes::builder();
    routes
        .add_service(EnrollmentServiceServer::new(enrollments).max_decoding_message_size(16 * 1024))
        .add_service(links);
    routes.routes().into_axum_router().layer(axum::middleware::from_fn(device_gate))
}

fn public_routes(parts: &Parts<'_>, registry: &Arc<Registry>, waiting: Waiting, cookie: SessionCookie) -> axum::Router {
    let Store { app, system, gate } = parts.store;
    let changes = parts.changes;
    let mut routes = Routes::builder();
    routes
        .add_service(fleet::server_service_server::ServerServiceServer::new(grpc::server_version::ServerVersions))
        .add_service(fleet::account_service_server::AccountServiceServer::new(Accounts::new(gate.clone(), cookie)))
        .add_service(fleet::device_service_server::DeviceServiceServer::new(grpc::device::Devices {
            store: app.clone(),
            seal: parts.seal.clone(),
            registry: Arc::clone(registry),
            changes: changes.clone(),
        }))
        .add_service(fleet::watch_service_server::WatchServiceServer::new(grpc::watch::Watches::new(
            app.clone(),
            gate.clone(),
            parts.seal.clone(),
            changes.clone(),
            parts.tasks.clone(),
        )))
        .add_service(fleet::claim_service_server::ClaimServiceServer::new(grpc::claim::Claims::new(
            system.clone(),
            waiting,
            changes.clone(),
        )))
        .add_service(fleet::join_token_service_server::JoinTokenServiceServer::new(grpc::join_token::JoinTokens {
            store: app.clone(),
            seal: parts.seal.clone(),
            trust_hash: parts.authority.trust_hash(),
        }))
        .add_service(fleet::api_token_service_server::ApiTokenServiceServer::new(grpc::api_token::ApiTokens {
            store: app.clone(),
            seal: parts.seal.clone(),
        }))
        .add_service(fleet::installation_service_server::InstallationServiceServer::new(
            grpc::installation::Installations { store: app.clone(), seal: parts.seal.clone() },
        ))
        .add_service(fleet::history_service_server::HistoryServiceServer::new(grpc::history::History {
            store: app.clone(),
            seal: parts.seal.clone(),
        }));
    routes.routes().into_axum_router()
}
