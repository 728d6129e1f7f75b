//! The database that the server works on: a private one, or somebody else's.

use crate::config::{Config, Database as Choice};
use kaliun_cluster::{ADMIN, ClusterConfig, ClusterError, PrivateCluster};
use kaliun_store::{MigrateError, PoolConfig, Store, migrate};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, NoTls};

/// Name of the private database.
const NAME: &str = "kaliun";
/// Connections for people, and for ingest and reconcilers. Together they keep two cores of a database busy without waiting.
const APP_CONNECTIONS: usize = 8;
const SYSTEM_CONNECTIONS: usize = 8;

/// The database cannot be used.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// The private cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// No connection.
    #[error("the database cannot be reached; check the address, the password and the network")]
    Connect(#[source] tokio_postgres::Error),
    /// The schema.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The pools.
    #[error("the connection pools cannot be made")]
    Pool(#[from] deadpool_postgres::BuildError),
    /// The roots for TLS.
    #[error("database_ca: {} cannot be read as PEM", path.display())]
    Roots {
        /// The file.
        path: PathBuf,
    },
    /// TLS parameters.
    #[error("TLS towards the database cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// An open database.
pub(super) struct Database {
    store: Store,
    cluster: Option<PrivateCluster>,
}

impl Database {
    /// Opens it and brings its schema up to date.
    pub(super) async fn open(config: &Config) -> Result<Self, DatabaseError> {
        match &config.database {
            Choice::Private => Self::open_private(&config.state_dir).await,
            Choice::Url { url, direct_url, ca } => {
                let tls = ca.as_deref().map(tls_config).transpose()?;
                let (mut url, mut direct_url) = ((**url).clone(), (**direct_url).clone());
                if tls.is_some() {
                    // The default is to go on in the clear when the server says no.
                    url.ssl_mode(SslMode::Require);
                    direct_url.ssl_mode(SslMode::Require);
                }
                migrate(&mut connect(&direct_url, tls.clone()).await?).await?;
                let store = Store::new(pool_config(url.clone(), url, tls))?;
                Ok(Self { store, cluster: None })
            }
        }
    }

    async fn open_private(state_dir: &Path) -> Result<Self, DatabaseError> {
        let cluster = PrivateCluster::start(ClusterConfig::new(state_dir.join("postgres"))).await?;
        cluster.ensure_database(NAME).await?;
        let mut admin = connect(&cluster.config(NAME, ADMIN), None).await?;
        migrate(&mut admin).await?;
        // Only whoever may open the socket's folder gets here, so the roles need no password.
        admin
            .batch_execute("ALTER ROLE kaliun_app LOGIN; ALTER ROLE kaliun_system LOGIN")
            .await
            .map_err(DatabaseError::Connect)?;
        let app = cluster.config(NAME, "kaliun_app");
        let system = cluster.config(NAME, "kaliun_system");
        let store = Store::new(pool_config(app, system, None))?;
        Ok(Self { store, cluster: Some(cluster) })
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Stops a private cluster.
    pub(super) async fn close(self) {
        self.store.close();
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}

fn pool_config(
    app: tokio_postgres::Config,
    system: tokio_postgres::Config,
    tls: Option<rustls::ClientConfig>,
) -> PoolConfig {
    PoolConfig { app, system, app_connections: APP_CONNECTIONS, system_connections: SYSTEM_CONNECTIONS, tls }
}

/// Opens one connection; its task ends with it.
#[expect(clippy::disallowed_methods, reason = "the connection's task ends when the client is dropped, seconds later")]
async fn connect(config: &tokio_postgres::Config, tls: Option<rustls::ClientConfig>) -> Result<Client, DatabaseError> {
    match tls {
        None => {
            let (client, connection) = config.connect(NoTls).await.map_err(DatabaseError::Connect)?;
            tokio::spawn(connection);
            Ok(client)
        }
        Some(tls) => {
            let tls = tokio_postgres_rustls::MakeRustlsConnect::new(tls);
            let (client, connection) = config.connect(tls).await.map_err(DatabaseError::Connect)?;
            tokio::spawn(connection);
            Ok(client)
        }
    }
}

fn tls_config(ca: &Path) -> Result<rustls::ClientConfig, DatabaseError> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let unreadable = || DatabaseError::Roots { path: ca.to_owned() };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(|_| unreadable())? {
        roots.add(certificate.map_err(|_| unreadable())?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
