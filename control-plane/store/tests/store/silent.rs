//! A database that takes connections and says nothing.

use anyhow::{Context, Result};
use kaliun_cluster::testing::TestDatabase;
use kaliun_store::{DatabaseAccess, DatabaseUrl, OpenError, Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_postgres::config::Host;

#[tokio::test(start_paused = true)]
async fn a_database_that_says_nothing_is_given_up() -> Result<()> {
    // The kernel takes the connection; nobody reads what comes on it.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url: DatabaseUrl = format!("postgresql://nobody@{}/none", listener.local_addr()?).parse()?;
    let opened = Store::open(&DatabaseAccess::Given { url: url.clone(), direct_url: url, ca: None }).await;
    assert!(matches!(opened, Err(OpenError::Silent)));
    Ok(())
}

/// What is between a store and its database, and swallows what is on its way when it is told to.
struct Line {
    is_cut: Arc<AtomicBool>,
    listener: TcpListener,
    database: TestDatabase,
}

impl Line {
    async fn new() -> Result<Self> {
        let (listener, database) = (TcpListener::bind("127.0.0.1:0").await?, TestDatabase::create().await?);
        Ok(Self { is_cut: Arc::default(), listener, database })
    }

    fn url(&self) -> Result<DatabaseUrl> {
        let (config, address) = (self.database.admin_config(), self.listener.local_addr()?);
        let user = config.get_user().context("a user")?;
        Ok(format!("postgresql://{user}@{address}/{}?sslmode=disable", self.database.name()).parse()?)
    }

    /// Carries connections. One that began before the line was cut stays silent after that.
    async fn carry(&self) -> Result<()> {
        let mut connections = Vec::new();
        loop {
            let (stream, _address) = self.listener.accept().await?;
            let config = self.database.admin_config();
            let Some(Host::Unix(folder)) = config.get_hosts().first() else { anyhow::bail!("a socket's folder") };
            let port = config.get_ports().first().copied().unwrap_or(5432);
            let database = UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await?;
            let is_cut = Arc::clone(&self.is_cut);
            connections.push(spawn(async move { relay(stream, database, &is_cut).await }));
        }
    }
}

async fn relay(mut near: TcpStream, mut far: UnixStream, is_cut: &AtomicBool) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut from_near, mut from_far) = ([0; 4096], [0; 4096]);
    let mut was_cut = false;
    loop {
        let moved = tokio::select! {
            read = near.read(&mut from_near) => match read {
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    was_cut |= is_cut.load(Ordering::SeqCst);
                    if was_cut { Ok(()) } else { far.write_all(from_near.get(..count).unwrap_or_default()).await }
                }
            },
            read = far.read(&mut from_far) => match read {
                Ok(0) | Err(_) => return,
                Ok(count) => near.write_all(from_far.get(..count).unwrap_or_default()).await,
            },
        };
        if moved.is_err() {
            return;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "it ends with the test")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) -> tokio::task::JoinHandle<()> {
    tokio::spawn(task)
}

#[tokio::test]
async fn a_connection_that_went_silent_is_not_used_again() -> Result<()> {
    let line = Line::new().await?;
    let used = async {
        let url = line.url()?;
        let store = Store::open(&DatabaseAccess::Given { url: url.clone(), direct_url: url, ca: None }).await?;
        store.system.ping().await?;
        line.is_cut.store(true, Ordering::SeqCst);
        tokio::time::pause();
        let silent = store.system.ping().await;
        assert!(matches!(silent, Err(StoreError::Silent { .. })), "{silent:?}");
        tokio::time::resume();
        line.is_cut.store(false, Ordering::SeqCst);
        // By the connection of before it would take as long again, and fail.
        store.system.ping().await?;
        store.close();
        Ok(())
    };
    tokio::select! {
        carried = line.carry() => carried,
        used = used => used,
    }
}
