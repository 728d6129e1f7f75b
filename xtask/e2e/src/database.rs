//! What is really stored, read past the control plane.

use anyhow::{Context as _, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio_postgres::{Client, Config, NoTls};

/// The superuser of the private cluster.
const ADMIN: &str = "kaliun_admin";

/// The samples of one box, as their sequence numbers tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The device's id.
    pub device: String,
    /// How many lives of the box's spool they come from.
    pub spools: i64,
    /// Rows.
    pub rows: i64,
    /// Different sequence numbers.
    pub distinct: i64,
    /// The first and the last sequence number.
    pub range: (i64, i64),
    /// How far the server told the box that everything is stored.
    pub acknowledged: i64,
}

impl Stored {
    /// Proves that nothing acknowledged is missing and nothing is doubled.
    ///
    /// # Errors
    /// Something is.
    pub fn prove_whole(&self) -> anyhow::Result<()> {
        ensure!(self.spools == 1, "{}: the box lost its spool: {self:?}", self.device);
        ensure!(self.rows == self.distinct, "{}: samples are doubled: {self:?}", self.device);
        ensure!(self.range.0 == 1, "{}: the first samples are missing: {self:?}", self.device);
        ensure!(self.range.1 - self.range.0 + 1 == self.distinct, "{}: samples are missing: {self:?}", self.device);
        ensure!(self.acknowledged == self.range.1, "{}: acknowledged is not what is stored: {self:?}", self.device);
        Ok(())
    }
}

/// Proves that every box's samples are whole, and that nothing which was stored before is gone.
///
/// # Errors
/// They are not, or something is.
pub fn prove_whole(before: &BTreeMap<String, Stored>, now: &BTreeMap<String, Stored>) -> anyhow::Result<()> {
    for stored in now.values() {
        stored.prove_whole()?;
    }
    for (device, before) in before {
        let now = now.get(device).with_context(|| format!("{device} lost all its samples"))?;
        ensure!(now.rows >= before.rows, "{device} had {before:?} and has {now:?}");
    }
    Ok(())
}

/// Reads what is stored of every box's samples, by device, in the private database of a control plane with this state folder.
///
/// # Errors
/// The database does not answer, or has other tables than this test knows.
pub async fn samples(control_plane: &Path) -> anyhow::Result<BTreeMap<String, Stored>> {
    let (client, connection) = connect(control_plane).await?;
    let query = async {
        let rows = client
            .query(
                "SELECT d.device_id::text, count(DISTINCT s.spool_id), count(*), count(DISTINCT (s.spool_id, s.sequence)),
                        min(s.sequence), max(s.sequence), d.sample_sequence
                 FROM device_status d JOIN sample_head s ON s.device_id = d.device_id
                 GROUP BY d.device_id, d.sample_sequence",
                &[],
            )
            .await
            .context("the stored samples cannot be read")?;
        drop(client);
        anyhow::Ok(rows)
    };
    let (rows, ended) = tokio::join!(query, connection);
    ended.context("the connection to the database failed")?;
    let stored = rows?.into_iter().map(|row| {
        let device: String = row.get(0);
        let stored = Stored {
            device: device.clone(),
            spools: row.get(1),
            rows: row.get(2),
            distinct: row.get(3),
            range: (row.get(4), row.get(5)),
            acknowledged: row.get(6),
        };
        (device, stored)
    });
    Ok(stored.collect())
}

/// Does something to the private database of a control plane with this state folder, behind its back.
///
/// # Errors
/// The database does not answer, or refuses.
pub async fn change(control_plane: &Path, statements: &str) -> anyhow::Result<()> {
    let (client, connection) = connect(control_plane).await?;
    let change = async {
        let changed = client.batch_execute(statements).await;
        drop(client);
        changed
    };
    let (changed, ended) = tokio::join!(change, connection);
    ended.context("the connection to the database failed")?;
    changed.context("the database refuses")
}

/// The process id of the postmaster of a control plane with this state folder, from Postgres' own file.
///
/// # Errors
/// Postgres does not run.
pub fn postmaster(control_plane: &Path) -> anyhow::Result<i32> {
    let path = home(control_plane).join("data/postmaster.pid");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    text.lines().next().and_then(|line| line.trim().parse().ok()).context("the pid file of Postgres is empty")
}

async fn connect(
    control_plane: &Path,
) -> anyhow::Result<(Client, impl Future<Output = Result<(), tokio_postgres::Error>> + use<>)> {
    let settings =
        std::fs::read_to_string(home(control_plane).join("postgresql.conf")).context("there is no private Postgres")?;
    let socket = settings.lines().find_map(|line| line.strip_prefix("unix_socket_directories = '")?.strip_suffix('\''));
    let socket = socket.context("the settings of Postgres name no socket")?.to_owned();
    let mut config = Config::new();
    config.host_path(socket).user(ADMIN).dbname("postgres");
    let database = database_name(&config).await?;
    config.dbname(&database);
    config.connect(NoTls).await.context("Postgres does not answer")
}

/// The one database that is not Postgres' own.
async fn database_name(config: &Config) -> anyhow::Result<String> {
    let (client, connection) = config.connect(NoTls).await.context("Postgres does not answer")?;
    let query = async {
        let row = client
            .query_one("SELECT datname::text FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'", &[])
            .await;
        drop(client);
        row
    };
    let (row, ended) = tokio::join!(query, connection);
    ended.context("the connection to the database failed")?;
    Ok(row.context("the cluster holds no single database")?.get(0))
}

/// Where the cluster lives: in the state folder of its control plane, or where a note there says.
#[must_use]
pub fn home(control_plane: &Path) -> PathBuf {
    let asked = control_plane.join("postgres");
    let note = std::fs::read_to_string(asked.join("where")).unwrap_or_default();
    note.lines().find(|line| line.starts_with('/')).map_or(asked, PathBuf::from)
}
