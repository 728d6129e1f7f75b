//! Opens a database: brings its schema up to date over one connection of its own, then makes the pools.

use crate::migrate::{MigrateError, migrate};
use crate::pool::{CONNECT_TIMEOUT, Store, bound};
use crate::url::DatabaseUrl;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Which database.
#[derive(Debug, Clone)]
pub enum DatabaseAccess {
    /// A cluster of our own, as its superuser. Only whoever may open its socket gets in, so our roles need no password there.
    Private(DatabaseUrl),
    /// Somebody else's.
    Given {
        /// For all work; may be a transaction pooler.
        url: DatabaseUrl,
        /// For migrations: never a pooler.
        direct_url: DatabaseUrl,
        /// Roots to check the database's certificate with, PEM. Without them those of the machine serve.
        ca: Option<PathBuf>,
    },
}

/// The database cannot be used.
#[derive(Debug, Error)]
pub enum OpenError {
    /// No connection.
    #[error("the database cannot be reached; check the address, the password and the network")]
    Connect(#[source] tokio_postgres::Error),
    /// Somebody is there but says nothing.
    #[error("the database does not answer; check the address, and that a database is behind it")]
    Silent,
    /// The schema.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The roles of a private cluster.
    #[error("the roles of the private database cannot be let in")]
    Roles(#[source] tokio_postgres::Error),
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

impl DatabaseAccess {
    /// Whether a file serves to check a database's certificate with.
    ///
    /// # Errors
    /// It cannot be read, or holds no certificate.
    pub fn check_roots(ca: &Path) -> Result<(), OpenError> {
        tls_config(Some(ca)).map(|_config| ())
    }
}

impl Store {
    /// Opens a database and brings its schema up to date.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(access: &DatabaseAccess) -> Result<Self, OpenError> {
        match access {
            DatabaseAccess::Private(admin) => {
                bring_up(admin.config(), None, Logins::Open).await?;
                let role = |name: &str| {
                    let mut config = admin.config().clone();
                    config.user(name);
                    config
                };
                Ok(Self::new(&role("kaliun_app"), &role("kaliun_system"), &role("kaliun_system"), None)?)
            }
            DatabaseAccess::Given { url, direct_url, ca } => {
                let (mut url, mut direct_url) = (url.config().clone(), direct_url.config().clone());
                let mut tls = None;
                // In the clear only on this machine, or where the URL says so: the default is to go on in the clear when the
                // server says no, and a password would pass.
                if ca.is_some() || [&url, &direct_url].iter().any(|config| needs_tls(config)) {
                    tls = Some(tls_config(ca.as_deref())?);
                    url.ssl_mode(SslMode::Require);
                    direct_url.ssl_mode(SslMode::Require);
                }
                bring_up(&direct_url, tls.clone(), Logins::AsTheyAre).await?;
                Ok(Self::new(&url, &url, &direct_url, tls)?)
            }
        }
    }
}

/// Whether our roles are let in, or that is for the database's owner to say.
#[derive(Debug, Clone, Copy)]
enum Logins {
    Open,
    AsTheyAre,
}

/// Migrates over a connection that ends with it.
async fn bring_up(
    config: &tokio_postgres::Config,
    tls: Option<rustls::ClientConfig>,
    logins: Logins,
) -> Result<(), OpenError> {
    let mut config = config.clone();
    bound(&mut config);
    match tls {
        None => {
            let (client, connection) = in_time(config.connect(NoTls)).await?;
            // The work drops the client, which ends the connection. What went wrong with the connection, the work tells.
            let (result, _ended) = tokio::join!(work(client, logins), connection);
            result
        }
        Some(tls) => {
            let (client, connection) = in_time(config.connect(MakeRustlsConnect::new(tls))).await?;
            let (result, _ended) = tokio::join!(work(client, logins), connection);
            result
        }
    }
}

/// Bounds also what comes after the connection: TLS, and the database's first word.
async fn in_time<T>(connecting: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, OpenError> {
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(connected) => connected.map_err(OpenError::Connect),
        Err(_elapsed) => Err(OpenError::Silent),
    }
}

async fn work(mut client: Client, logins: Logins) -> Result<(), OpenError> {
    migrate(&mut client).await?;
    match logins {
        Logins::Open => client
            .batch_execute("ALTER ROLE kaliun_app LOGIN; ALTER ROLE kaliun_system LOGIN")
            .await
            .map_err(OpenError::Roles),
        Logins::AsTheyAre => Ok(()),
    }
}

/// Whether a connection leaves this machine, and the URL does not say that it may do so in the clear.
fn needs_tls(config: &tokio_postgres::Config) -> bool {
    let leaves = config.get_hosts().iter().any(|host| match host {
        Host::Tcp(host) => host != "localhost" && !host.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
        Host::Unix(_) => false,
    });
    leaves && config.get_ssl_mode() != SslMode::Disable
}

/// TLS with the roots in a file, or with those of the machine.
fn tls_config(ca: Option<&Path>) -> Result<rustls::ClientConfig, OpenError> {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(ca) = ca {
        let unreadable = || OpenError::Roots { path: ca.to_owned() };
        for certificate in CertificateDer::pem_file_iter(ca).map_err(|_| unreadable())? {
            roots.add(certificate.map_err(|_| unreadable())?)?;
        }
    } else {
        // Machines carry some that nobody can parse; what is left out verifies nothing.
        let _rejected = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: bool) {
        assert_eq!(needs_tls(&url.parse().unwrap()), expected, "{url}");
    }

    #[test]
    fn a_password_crosses_a_network_in_the_clear_only_where_that_is_asked_for() {
        check("postgresql://kaliun@db.example.org/kaliun", true);
        check("postgresql://kaliun@192.0.2.7/kaliun?sslmode=prefer", true);
        check("postgresql://kaliun@db.example.org/kaliun?sslmode=disable", false);
        check("postgresql://kaliun@127.0.0.1:5433/kaliun", false);
        check("postgresql://kaliun@localhost/kaliun", false);
        check("postgresql:///kaliun?host=/run/postgresql", false);
        check("postgresql://kaliun@127.0.0.1,db.example.org/kaliun", true);
    }
}
