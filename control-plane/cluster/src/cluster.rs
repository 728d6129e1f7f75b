//! The cluster as its user sees it.

use crate::error::ClusterError;
use crate::home::Home;
use crate::lock::ClusterLock;
use crate::log::ServerLog;
use crate::programs::Programs;
use crate::settings::{Durability, PORT};
use crate::supervisor::{Launch, supervise};
use crate::{initdb, settings, socket, tasks};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::{Config, NoTls};
use tokio_util::sync::CancellationToken;

/// The superuser of a private cluster. It logs in over the socket only.
pub const ADMIN: &str = "kaliun_admin";

/// How to run a private cluster.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// The folder of the cluster; made when absent. Nothing else should be in it.
    pub folder: PathBuf,
    /// The folder with `initdb` and `postgres`; none to look for them.
    pub programs: Option<PathBuf>,
    /// Where the data goes when the user Postgres runs as cannot get into `folder`.
    pub elsewhere: PathBuf,
    /// How long each step of stopping may take: a fast shutdown, then an immediate one, then force.
    pub stop_patience: Duration,
}

impl ClusterConfig {
    /// The usual way to run the cluster of this folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            programs: None,
            elsewhere: PathBuf::from("/var/lib/kaliun-fleet"),
            stop_patience: Duration::from_secs(20),
        }
    }
}

/// What a private cluster is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterState {
    /// It takes connections. `restarts` counts how often it had to be started again.
    Ready {
        /// How often it had to be started again since the first start.
        restarts: u64,
    },
    /// It ended by itself and is being started again.
    Restarting {
        /// How often, this time included.
        restarts: u64,
        /// How it ended.
        reason: String,
    },
    /// It is being stopped.
    Stopping,
    /// It is stopped.
    Stopped,
}

/// A running private cluster. Stop it with [`Self::stop`]; dropping it asks for the same without waiting.
#[derive(Debug)]
pub struct PrivateCluster {
    home: PathBuf,
    socket: PathBuf,
    state: watch::Receiver<ClusterState>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl PrivateCluster {
    /// Starts the cluster of a folder, making it when it is new, and returns once it takes connections.
    ///
    /// A Postgres that outlived an earlier server is ended first, by the fast shutdown that loses nothing. As root,
    /// Postgres runs as `postgres` or `nobody`; when that user cannot get into the folder, the data is kept below
    /// [`ClusterConfig::elsewhere`] and a file `where` in the folder says so.
    ///
    /// # Errors
    /// See [`ClusterError`]; each says what to do.
    pub async fn start(config: ClusterConfig) -> Result<Self, ClusterError> {
        let prepared = tokio::task::spawn_blocking(move || prepare(&config)).await;
        let (launch, socket) = prepared.map_err(|_| ClusterError::Stopped)??;
        let postmaster = launch.first().await?;
        let home = launch.home.path.clone();
        tracing::info!(
            home = %home.display(),
            major = launch.programs.major(),
            pid = postmaster.pid(),
            "the private Postgres is ready"
        );
        let (sender, state) = watch::channel(ClusterState::Ready { restarts: 0 });
        let stop = CancellationToken::new();
        let task = tasks::spawn("postgres", supervise(launch, postmaster, sender, stop.clone()));
        Ok(Self { home, socket, state, stop, task: Some(task) })
    }

    /// Stops Postgres and waits until it has ended.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the task that keeps Postgres ended badly");
        }
    }

    /// How to connect to a database as a user, over the socket and without a password.
    #[must_use]
    pub fn config(&self, database: &str, user: &str) -> Config {
        connection(&self.socket, database, user)
    }

    /// Makes a database when it is not there, owned by the superuser.
    ///
    /// # Errors
    /// Postgres refuses, for instance because the name is longer than 63 bytes.
    pub async fn ensure_database(&self, name: &str) -> Result<(), ClusterError> {
        ensure_database(&self.socket, name).await
    }

    /// What the cluster is doing, now and from now on.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<ClusterState> {
        self.state.clone()
    }

    /// The folder the cluster really lives in.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The folder of the unix socket.
    #[must_use]
    pub fn socket_folder(&self) -> &Path {
        &self.socket
    }
}

impl Drop for PrivateCluster {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) fn connection(socket: &Path, database: &str, user: &str) -> Config {
    let mut config = Config::new();
    config.host_path(socket).port(PORT).dbname(database).user(user).connect_timeout(Duration::from_secs(5));
    config
}

pub(crate) async fn ensure_database(socket: &Path, name: &str) -> Result<(), ClusterError> {
    let action = "make a database";
    let refused = |source| ClusterError::Statement { action, source };
    let (client, connection) = connection(socket, "postgres", ADMIN).connect(NoTls).await.map_err(refused)?;
    let connection = tasks::spawn("postgres.connection", connection);
    let found = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await.map_err(refused)?;
    if found.is_none() {
        let quoted = name.replace('"', "\"\"");
        client.batch_execute(&format!("CREATE DATABASE \"{quoted}\"")).await.map_err(refused)?;
    }
    drop(client);
    match connection.await {
        Ok(ended) => ended.map_err(refused),
        Err(_) => Err(ClusterError::Stopped),
    }
}

/// Everything that comes before Postgres starts. Blocks for about a second when the cluster is new.
fn prepare(config: &ClusterConfig) -> Result<(Launch, PathBuf), ClusterError> {
    let home = Home::locate(&config.folder, &config.elsewhere)?;
    let lock = ClusterLock::take(&home.path)?;
    let data = home.data();
    let data_major = initdb::data_major(&data)?;
    let programs = match &config.programs {
        Some(folder) => Programs::in_folder(folder)?,
        None => Programs::find(data_major)?,
    };
    match data_major {
        Some(major) if major != programs.major() => {
            return Err(ClusterError::OtherMajor { folder: data, data: major, programs: programs.major() });
        }
        Some(_) => {}
        None => initdb::make_data(&programs, &home.account, &data)?,
    }
    let socket = socket::prepare(&home.path, &home.account)?;
    settings::write(&home.path, &socket, Durability::Full)?;
    let log = ServerLog::in_home(&home.path);
    log.bound()?;
    Ok((Launch { programs, home, log, stop_patience: config.stop_patience, lock }, socket))
}
