//! A Postgres of the benchmark's own, for several replicas, and what Postgres alone takes for what a revocation needs of it at least.

use crate::tasks::Tasks;
use anyhow::Context as _;
use kaliun_cluster::{ADMIN, ClusterConfig, PrivateCluster};
use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

/// Name of the replicas' database.
const NAME: &str = "kaliun";
/// Longest wait for a notification.
const PATIENCE: Duration = Duration::from_secs(10);

/// A durable cluster: what was committed is on disk, as with a real fleet's.
pub(crate) struct Database {
    cluster: PrivateCluster,
}

impl Database {
    /// Starts it with what it held before.
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let cluster = PrivateCluster::start(ClusterConfig::new(folder.join("postgres"))).await?;
        cluster.ensure_database(NAME).await?;
        Ok(Self { cluster })
    }

    /// Where it is, for a replica.
    pub(crate) fn url(&self) -> String {
        format!("postgresql:///{NAME}?host={}&user={ADMIN}", self.cluster.socket_folder().display())
    }

    /// How to reach it.
    pub(crate) fn config(&self) -> Config {
        self.cluster.config(NAME, ADMIN)
    }

    /// Stops it.
    pub(crate) async fn stop(self) {
        self.cluster.stop().await;
    }
}

/// Two connections and nothing else: one that tells, one that listens.
pub(crate) struct BarePostgres {
    teller: Client,
    _listener: Client,
    heard: mpsc::Receiver<Instant>,
}

/// How long Postgres alone takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BareTimes {
    /// From NOTIFY to the other connection.
    pub(crate) notify: Duration,
    /// From the beginning of a transaction that changes a row, committed to disk, and a NOTIFY after it, to the other connection.
    pub(crate) change_and_notify: Duration,
}

impl BarePostgres {
    /// Connects both.
    pub(crate) async fn connect(database: &Database, tasks: &Tasks) -> anyhow::Result<Self> {
        let (teller, connection) = database.config().connect(NoTls).await.context("Postgres is not reached")?;
        tasks.spawn(async move {
            let _ended = connection.await;
        });
        let (listener, mut connection) = database.config().connect(NoTls).await.context("Postgres is not reached")?;
        let (tell, heard) = mpsc::channel(16);
        tasks.spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if matches!(message, AsyncMessage::Notification(_)) && tell.send(Instant::now()).await.is_err() {
                    return;
                }
            }
        });
        listener.batch_execute("LISTEN bench").await?;
        teller
            .batch_execute(
                "CREATE TABLE IF NOT EXISTS bench_row (id int PRIMARY KEY, at timestamptz); \
                            INSERT INTO bench_row VALUES (1, now()) ON CONFLICT DO NOTHING",
            )
            .await?;
        Ok(Self { teller, _listener: listener, heard })
    }

    /// Does each once.
    pub(crate) async fn measure(&mut self) -> anyhow::Result<BareTimes> {
        let began = Instant::now();
        let notify = self.heard_after("NOTIFY bench").await?.duration_since(began);
        let began = Instant::now();
        self.teller.execute("UPDATE bench_row SET at = now() WHERE id = 1", &[]).await?;
        let change_and_notify = self.heard_after("NOTIFY bench").await?.duration_since(began);
        Ok(BareTimes { notify, change_and_notify })
    }

    async fn heard_after(&mut self, statement: &str) -> anyhow::Result<Instant> {
        let mut telling = pin!(self.teller.batch_execute(statement));
        let heard = tokio::time::timeout(PATIENCE, self.heard.recv());
        let (told, heard) = tokio::join!(&mut telling, heard);
        told?;
        heard.context("nothing was heard")?.context("the listening connection is gone")
    }
}
