//! The clusters that tests use.

use crate::folder::kill_hard;
use kaliun_cluster::testing::TestDatabase;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio_postgres::NoTls;

/// Says that this process is the child that is to be killed.
const CHILD: &str = "KALIUN_CLUSTER_TEST_THROWAWAY";

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let first = TestDatabase::create().await.unwrap();
    let second = TestDatabase::create().await.unwrap();
    assert_ne!(first.name(), second.name());
    for database in [&first, &second] {
        let (client, connection) = database.admin_config().connect(NoTls).await.unwrap();
        let work = async {
            client.batch_execute("CREATE TABLE mine (n int)").await.unwrap();
            drop(client);
        };
        let (ended, ()) = tokio::join!(connection, work);
        ended.unwrap();
    }
}

/// Not a test by itself: run by the next one, which kills it.
#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn child_uses_a_database() {
    assert!(std::env::var_os(CHILD).is_some());
    let database = TestDatabase::create().await.unwrap();
    println!("CHILD READY {}", database.socket_folder().display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_test_leaves_nothing() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "throwaway::child_uses_a_database", "--ignored", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let socket = lines.find_map(|line| {
        let line = line.unwrap();
        line.find("CHILD READY ").map(|at| PathBuf::from(&line[at + 12..]))
    });
    let folder = socket.as_deref().and_then(Path::parent).expect("the child starts a cluster").to_owned();
    let pid_file = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    let postmaster = PathBuf::from(format!("/proc/{}", pid_file.lines().next().unwrap()));
    assert!(postmaster.exists());
    kill_hard(i32::try_from(child.id()).unwrap());
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while folder.exists() || postmaster.exists() {
        assert!(Instant::now() < deadline, "Postgres and its folder are still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
