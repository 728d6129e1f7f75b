//! Puts the parts together, runs them, and takes them apart again.

mod assembly;
pub(crate) mod database;

use crate::authority::AuthorityError;
use crate::bootstrap::BootstrapError;
use crate::clock::Clock;
use crate::config::Config;
use crate::identity_providers::{IdentityProviders, InvalidProvider};
use crate::listen::accept::bind;
use crate::listen::public::{self, PublicTlsError};
use crate::mail::MailServerError;
use crate::tasks::Tasks;
use assembly::{Assembled, Checked};
pub(crate) use database::Database;
pub use database::DatabaseError;
use kaliun_proto::link::v1::Drain;
use kaliun_proto::link::v1::server_message::Message;
use kaliun_store::StoreError;
use kaliun_types::id::ReplicaId;
use kaliun_types::reason::ReasonCode;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::net::TcpListener;

/// How long a stop waits for sessions to end in peace, and for tasks.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// Sessions told to go away at once, with a pause between, so that they do not all come back to another replica together.
const DRAIN_BATCH: usize = 500;
const DRAIN_PAUSE: Duration = Duration::from_millis(100);
/// Boxes come back after this long and up to twice as much.
const DRAIN_RECONNECT_MS: u32 = 1_000;

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
    /// The identity providers.
    #[error(transparent)]
    IdentityProviders(#[from] InvalidProvider),
    /// A file for mails.
    #[error(transparent)]
    Mail(#[from] MailServerError),
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
    database: Database,
    addresses: Addresses,
    replica: ReplicaId,
    parts: Assembled,
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
        Self::start_by(config, Clock::default()).await
    }

    /// Starts everything by another clock than the machine's.
    ///
    /// # Errors
    /// See [`ServerError`]; nothing is left running.
    pub async fn start_by(config: &Config, clock: Clock) -> Result<Self, ServerError> {
        let public_tls = match &config.public_tls {
            Some((cert, key)) => Some(public::tls_config(cert, key)?),
            None => None,
        };
        let checked = Checked { public_tls, providers: IdentityProviders::open(config, &clock)? };
        // Addresses first: it is the cheapest to find wrong.
        let sockets = Sockets {
            device: listen("device_listen", config.device_listen)?,
            public: listen("public_listen", config.public_listen)?,
            internal: listen("internal_listen", config.internal_listen)?,
        };
        let addresses = sockets.addresses(config);
        let database = Database::open(config).await?;
        let (tasks, replica) = (Tasks::new(), ReplicaId::new());
        match assembly::assemble(config, sockets, checked, &tasks, database.store(), replica, clock).await {
            Ok(parts) => {
                tracing::info!(device = %addresses.device, public = %addresses.public, internal = %addresses.internal, "listening");
                Ok(Self { tasks, database, addresses, replica, parts })
            }
            Err(error) => {
                take_down(&tasks, database, replica).await;
                Err(error)
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// SHA-256 of trust bundle version 1.
    #[must_use]
    pub fn trust_hash(&self) -> [u8; 32] {
        self.parts.trust_hash
    }

    /// The first admin's password, when it was made just now. Taken once.
    pub fn take_first_password(&mut self) -> Option<String> {
        self.parts.first_password.take()
    }

    /// Sends the boxes away in batches, ends all work, and stops the private database.
    pub async fn stop(self) {
        self.parts.draining.store(true, Ordering::Relaxed);
        self.drain().await;
        take_down(&self.tasks, self.database, self.replica).await;
        tracing::info!("stopped");
    }

    async fn drain(&self) {
        let registry = &self.parts.shared.registry;
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

/// Ends all work, signs off, and stops a private database.
async fn take_down(tasks: &Tasks, database: Database, replica: ReplicaId) {
    if !tasks.stop(STOP_PATIENCE).await {
        tracing::warn!("some tasks did not end in time");
    }
    if let Err(error) = database.store().system.replica_delete(replica).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "this process could not be signed off");
    }
    database.close().await;
}

/// The listeners' sockets, before anybody is served on them.
struct Sockets {
    device: TcpListener,
    public: TcpListener,
    internal: TcpListener,
}

impl Sockets {
    fn addresses(&self, config: &Config) -> Addresses {
        let address = |socket: &TcpListener, asked| socket.local_addr().unwrap_or(asked);
        Addresses {
            device: address(&self.device, config.device_listen),
            public: address(&self.public, config.public_listen),
            internal: address(&self.internal, config.internal_listen),
        }
    }
}

fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, ServerError> {
    bind(address).map_err(|source| ServerError::Listen { key, address, source })
}
