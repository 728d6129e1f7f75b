//! Servers in processes of their own, so that they can be killed, or run as another user.

use crate::folder::{TestFolder, connect, kill_hard, postmaster_pid};
use kaliun_cluster::{ClusterConfig, ClusterError, PrivateCluster};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Names the folder of the cluster that a child process runs.
const FOLDER: &str = "KALIUN_CLUSTER_TEST_FOLDER";

/// Not a test by itself: what the children of the tests below run.
#[tokio::test]
#[ignore = "run by other tests, in a process of its own"]
async fn child_runs_a_cluster() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("the parent names the folder"));
    let mut config = ClusterConfig::new(folder.clone());
    config.elsewhere = folder.with_file_name("elsewhere");
    let cluster = PrivateCluster::start(config).await.unwrap();
    let client = connect(&cluster).await;
    client.batch_execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)").await.unwrap();
    println!("CHILD READY {} {}", rustix::process::geteuid().as_raw(), cluster.home().display());
    std::future::pending::<()>().await;
}

fn start_child(program: &Path, prefix: &[&str], folder: &Path) -> (Child, String) {
    let mut words = prefix.iter().map(std::ffi::OsStr::new).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["--exact", "child::child_runs_a_cluster", "--ignored", "--nocapture"]);
    let mut child = command.env(FOLDER, folder).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.find_map(|line| {
        let line = line.unwrap();
        line.find("CHILD READY ").map(|at| line[at + 12..].to_owned())
    });
    (child, line.expect("the child starts a cluster"))
}

#[tokio::test]
async fn the_postgres_of_a_killed_server_is_ended_and_its_data_kept() {
    let folder = TestFolder::new();
    let config = folder.config();
    let (mut child, line) = start_child(&std::env::current_exe().unwrap(), &[], &config.folder);
    let home = PathBuf::from(line.split_once(' ').unwrap().1);

    // While the other server lives, the cluster is its own.
    let refused = PrivateCluster::start(config.clone()).await.unwrap_err();
    let holder_named = matches!(&refused, ClusterError::InUse { holder, .. } if *holder == child.id().to_string());
    assert!(holder_named, "{refused}");

    kill_hard(i32::try_from(child.id()).unwrap());
    child.wait().unwrap();
    let orphan = postmaster_pid(&home);
    assert!(Path::new(&format!("/proc/{orphan}")).exists(), "Postgres outlives its server");

    let cluster = PrivateCluster::start(config).await.unwrap();
    assert_ne!(postmaster_pid(&home), orphan);
    let row = connect(&cluster).await.query_one("SELECT n FROM kept", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 7);
    cluster.stop().await;
}

#[tokio::test]
async fn a_plain_user_runs_a_cluster_as_itself() {
    // The other tests run as a plain user when the tests do; only root has to change for this one.
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/setpriv").exists() {
        return;
    }
    let folder = TestFolder::new();
    // The user can neither enter the folder of the build nor make things in ours.
    let program = folder.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let user = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"];
    let (mut child, line) = start_child(&program, &user, &folder.path().join("postgres"));
    let (uid, home) = line.split_once(' ').unwrap();
    assert_ne!(uid, "0");
    assert_eq!(Path::new(home), folder.path().canonicalize().unwrap().join("postgres"));

    // Root goes on with what the user made, and Postgres stays that user's.
    kill_hard(i32::try_from(child.id()).unwrap());
    child.wait().unwrap();
    let cluster = PrivateCluster::start(folder.config()).await.unwrap();
    let row = connect(&cluster).await.query_one("SELECT n FROM kept", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 7);
    cluster.stop().await;
}
