//! A folder of one test, and a connection to what runs in it.

use kaliun_cluster::{ADMIN, ClusterConfig, PrivateCluster};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio_postgres::{Client, NoTls};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A folder that is removed at the end of its test.
pub(crate) struct TestFolder {
    path: PathBuf,
}

impl TestFolder {
    pub(crate) fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kaliun-cluster-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A cluster in this folder, whatever its user can reach.
    pub(crate) fn config(&self) -> ClusterConfig {
        let mut config = ClusterConfig::new(self.path.join("postgres"));
        config.elsewhere = self.path.join("elsewhere");
        config
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Connects as the superuser; the connection ends with the client.
pub(crate) async fn connect(cluster: &PrivateCluster) -> Client {
    let (client, connection) = cluster.config("postgres", ADMIN).connect(NoTls).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test's connection ends with its client")]
    tokio::spawn(connection);
    client
}

/// The process id of the running postmaster, from Postgres' own file.
pub(crate) fn postmaster_pid(home: &Path) -> i32 {
    let text = std::fs::read_to_string(home.join("data/postmaster.pid")).unwrap();
    text.lines().next().unwrap().trim().parse().unwrap()
}

/// Kills a process the hard way.
pub(crate) fn kill_hard(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
