//! A server, and clients for it.

mod anybody;
mod backup;
mod boxes;
pub(crate) mod ca;
pub(crate) mod claims;
pub(crate) mod database_proxy;
mod dialing;
pub(crate) mod dns;
pub(crate) mod github;
pub(crate) mod http;
pub(crate) mod mail_server;
pub(crate) mod people;
pub(crate) mod provider;

pub(crate) use boxes::*;
pub(crate) use dialing::*;

use anyhow::{Context, Result};
use kaliun_cluster::testing::TestDatabase;
use kaliun_control_plane::SignUpPolicy;
use kaliun_control_plane::authority::KeyFile;
use kaliun_control_plane::clock::Clock;
use kaliun_control_plane::config::{Config, Database};
use kaliun_control_plane::server::Server;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_store::{DatabaseAccess, DatabaseUrl, Store, Wakeups};
use rcgen::KeyPair;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_postgres::{Client, NoTls};
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

/// Longest wait for anything: a machine that is busy compiling.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const TOKEN: &str = "kat1.a-token-for-tests-that-is-long-enough-to-be-one";

/// A running server with everything it needs. Stopped by hand at the end of a test.
pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) database: TestDatabase,
    config: Config,
    folder: PathBuf,
    clock: Clock,
}

/// A server that was stopped, with everything it needs.
pub(crate) struct Stopped {
    pub(crate) database: TestDatabase,
    pub(crate) config: Config,
    folder: PathBuf,
    clock: Clock,
}

/// What is left of a server.
pub(crate) struct Halted {
    _database: TestDatabase,
    folder: PathBuf,
}

impl Halted {
    /// The folder, gone with [`Self::remove`].
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn remove(self) -> Result<()> {
        Ok(std::fs::remove_dir_all(&self.folder)?)
    }
}

impl Fixture {
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with(|_config| {}).await
    }

    /// Starts a server with another configuration than usual.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Result<Self> {
        let database = TestDatabase::create().await?;
        let folder = std::env::temp_dir().join(format!("kaliun-flow-{}-{}", std::process::id(), database.name()));
        std::fs::create_dir_all(&folder)?;
        let token_file = folder.join("token");
        std::fs::write(&token_file, TOKEN)?;
        let mut config = config_for(&database, folder.clone(), token_file);
        change(&mut config);
        let clock = Clock::default();
        let server = Server::start_by(&config, clock.clone()).await?;
        Ok(Self { server, database, config, folder, clock })
    }

    /// Starts another server on the same database, with the same authority.
    pub(crate) async fn replica(&self) -> Result<Server> {
        let config = Config { replica_name: "other".to_owned(), ..self.config.clone() };
        Ok(Server::start_by(&config, self.clock.clone()).await?)
    }

    /// Stops the server and starts it again on a database that is reached in another way.
    pub(crate) async fn restart_on(self, url: DatabaseUrl) -> Result<Self> {
        let Self { server, database, config, folder, clock } = self;
        server.stop().await;
        let config = Config { database: Database::Url { url: url.clone(), direct_url: url, ca: None }, ..config };
        let server = Server::start_by(&config, clock.clone()).await?;
        Ok(Self { server, database, config, folder, clock })
    }

    /// Stops the server and starts it again.
    pub(crate) async fn restart(self) -> Result<Self> {
        self.server.stop().await;
        Ok(Self { server: Server::start_by(&self.config, self.clock.clone()).await?, ..self })
    }

    /// Stops the server, lets something be done meanwhile, and starts it again.
    pub(crate) async fn restart_after<T>(self, work: impl AsyncFnOnce(&Stopped) -> Result<T>) -> Result<(Self, T)> {
        let Self { server, database, config, folder, clock } = self;
        server.stop().await;
        let stopped = Stopped { database, config, folder, clock };
        let done = work(&stopped).await?;
        let Stopped { database, config, folder, clock } = stopped;
        let server = Server::start_by(&config, clock.clone()).await?;
        Ok((Self { server, database, config, folder, clock }, done))
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.server.stop().await;
        std::fs::remove_dir_all(&self.folder)?;
        Ok(())
    }

    /// Stops the server for good, and keeps the database and the folder.
    pub(crate) async fn halt(self) -> Halted {
        self.server.stop().await;
        Halted { _database: self.database, folder: self.folder }
    }

    /// Moves the clock on that certificates and rotations go by, of all servers here.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// How the server was configured.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The folder of this test, gone with it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn device_address(&self) -> SocketAddr {
        self.server.addresses().device
    }

    /// A channel to the public listener.
    pub(crate) async fn public(&self) -> Result<Channel> {
        public_channel(&self.server).await
    }

    /// A connection as the superuser, to act behind the server's back.
    pub(crate) async fn admin(&self) -> Result<Client> {
        connect(&self.database.admin_config()).await
    }

    /// What replicas tell each other from now on.
    pub(crate) async fn hints(&self) -> Result<Wakeups> {
        let url = DatabaseUrl::from(self.database.admin_config());
        let store = Store::open(&DatabaseAccess::Given { url: url.clone(), direct_url: url, ca: None }).await?;
        Ok(store.wakeups.connect().await?)
    }

    pub(crate) async fn devices(&self) -> Result<fleet::device_service_client::DeviceServiceClient<Channel>> {
        Ok(fleet::device_service_client::DeviceServiceClient::new(self.public().await?))
    }

    /// The server's own authority, to make certificates that it would not.
    pub(crate) async fn own_issuer(&self) -> Result<rcgen::Issuer<'static, KeyPair>> {
        let keys = KeyFile::open(&self.config.authority_key_file)?.context("there is a key file")?;
        let row = self
            .admin()
            .await?
            .query_one("SELECT certificate, sealed_key FROM authority WHERE number = 1", &[])
            .await?;
        let key = keys.unseal("authority 1", row.get(1))?;
        let key = KeyPair::try_from(&PrivatePkcs8KeyDer::from(key.as_slice()))?;
        Ok(rcgen::Issuer::from_ca_cert_der(&CertificateDer::from(row.get::<_, Vec<u8>>(0)), key)?)
    }

    /// A join token for many boxes.
    pub(crate) async fn join_token(&self) -> Result<String> {
        let mut tokens = fleet::join_token_service_client::JoinTokenServiceClient::new(self.public().await?);
        let request = fleet::CreateJoinTokenRequest {
            description: "test".to_owned(),
            max_uses: 1000,
            ..fleet::CreateJoinTokenRequest::default()
        };
        Ok(tokens.create_join_token(with_token(request)).await?.into_inner().secret)
    }
}

/// Connects to a database behind the server's back.
#[expect(clippy::disallowed_methods, reason = "the connection's task ends with the client")]
pub(crate) async fn connect(config: &tokio_postgres::Config) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// How a server on a database is configured.
pub(crate) fn config_for(database: &TestDatabase, state_dir: PathBuf, token_file: PathBuf) -> Config {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let url = DatabaseUrl::from(database.admin_config());
    Config {
        authority_key_file: state_dir.join("authority.key"),
        state_dir,
        replica_name: "test".to_owned(),
        device_listen: any,
        device_url: None,
        device_balancers: Vec::new(),
        device_sources_hidden: false,
        public_listen: any,
        public_url: None,
        public_tls: None,
        public_proxies: Vec::new(),
        behind_tls_proxy: false,
        identity_providers_file: None,
        // Nobody answers there: no test asks the world about its names.
        dns_servers: vec![SocketAddr::from(([127, 0, 0, 1], 9))],
        internal_listen: any,
        database: Database::Url { url: url.clone(), direct_url: url, ca: None },
        first_admin_email: "admin@example.org".to_owned(),
        first_admin_password_file: None,
        first_api_token_file: Some(token_file),
        sign_up: SignUpPolicy::Open,
        mail: None,
        otlp_endpoint: None,
        log_json: false,
        log: "info".to_owned(),
        heartbeat_interval_ms: 1_000,
        sample_interval_ms: 15_000,
    }
}

/// A channel to a server's public listener.
pub(crate) async fn public_channel(server: &Server) -> Result<Channel> {
    let address = format!("http://{}", server.addresses().public);
    Ok(Endpoint::from_shared(address)?.connect().await?)
}

/// A request with the admin's token.
pub(crate) fn with_token<T>(message: T) -> Request<T> {
    with_token_of(TOKEN, message)
}

/// A request with somebody's token.
pub(crate) fn with_token_of<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().expect("the token is ASCII");
    request.metadata_mut().insert("authorization", value);
    request
}
