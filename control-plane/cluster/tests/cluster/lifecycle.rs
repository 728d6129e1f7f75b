//! Starting, stopping, dying.

use crate::folder::{TestFolder, connect, kill_hard, postmaster_pid};
use kaliun_cluster::{ClusterError, ClusterState, PrivateCluster, Programs};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// Longest wait for a state, on a machine that is busy compiling.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn data_outlives_a_stop_and_nothing_listens_on_the_network() {
    let folder = TestFolder::new();
    let cluster = PrivateCluster::start(folder.config()).await.unwrap();
    cluster.ensure_database("fleet").await.unwrap();
    cluster.ensure_database("fleet").await.unwrap();
    let client = connect(&cluster).await;
    client.batch_execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)").await.unwrap();
    for (setting, wanted) in [
        ("listen_addresses", ""),
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("lc_collate", "C.UTF-8"),
        ("server_encoding", "UTF8"),
    ] {
        let row = client.query_one("SELECT current_setting($1)", &[&setting]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), wanted, "{setting}");
    }
    let mode = std::fs::metadata(cluster.socket_folder()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "only its user enters the folder of the socket");
    let mode = std::fs::metadata(cluster.home().join("data")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    drop(client);
    let home = cluster.home().to_owned();
    let mut state = cluster.state();
    cluster.stop().await;
    assert_eq!(*state.borrow_and_update(), ClusterState::Stopped);
    assert!(!home.join("data/postmaster.pid").exists(), "a clean stop leaves no pid file");

    let cluster = PrivateCluster::start(folder.config()).await.unwrap();
    let row = connect(&cluster).await.query_one("SELECT n FROM kept", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 1);
    cluster.stop().await;
}

#[tokio::test]
async fn a_killed_postgres_comes_back_with_what_was_committed() {
    let folder = TestFolder::new();
    let cluster = PrivateCluster::start(folder.config()).await.unwrap();
    let mut state = cluster.state();
    connect(&cluster).await.batch_execute("CREATE TABLE kept (n int)").await.unwrap();
    for round in 1..=3 {
        let client = connect(&cluster).await;
        client.execute("INSERT INTO kept VALUES ($1)", &[&i32::try_from(round).unwrap()]).await.unwrap();
        // A backend in the middle of something outlives its postmaster for a moment, and holds its memory.
        let busy = connect(&cluster).await;
        let query = busy.simple_query("SELECT pg_sleep(600)");
        let killed = async {
            let pid = postmaster_pid(cluster.home());
            kill_hard(pid);
            let back = state.wait_for(|state| *state == ClusterState::Ready { restarts: round });
            tokio::time::timeout(PATIENCE, back).await.expect("Postgres comes back").unwrap();
        };
        let (answer, ()) = tokio::join!(query, killed);
        assert!(answer.is_err());
        let row = connect(&cluster).await.query_one("SELECT count(*), max(n) FROM kept", &[]).await.unwrap();
        assert_eq!(
            (row.get::<_, i64>(0), row.get::<_, i32>(1)),
            (i64::try_from(round).unwrap(), i32::try_from(round).unwrap())
        );
    }
    cluster.stop().await;
}

#[tokio::test]
async fn a_second_server_is_refused() {
    let folder = TestFolder::new();
    let cluster = PrivateCluster::start(folder.config()).await.unwrap();
    let error = PrivateCluster::start(folder.config()).await.unwrap_err();
    assert!(matches!(error, ClusterError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("another server already uses the database"), "{error}");
    cluster.stop().await;
}

#[tokio::test]
async fn dropping_a_cluster_stops_postgres_and_the_next_start_waits_for_it() {
    let folder = TestFolder::new();
    let cluster = PrivateCluster::start(folder.config()).await.unwrap();
    let mut state = cluster.state();
    drop(cluster);
    tokio::time::timeout(PATIENCE, state.wait_for(|state| *state == ClusterState::Stopped)).await.unwrap().unwrap();
    PrivateCluster::start(folder.config()).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_folder_that_its_user_cannot_reach_holds_a_note() {
    let folder = TestFolder::new();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    let mut config = folder.config();
    let reachable = TestFolder::new();
    config.elsewhere = reachable.path().join("elsewhere");
    let cluster = PrivateCluster::start(config.clone()).await.unwrap();
    let home = cluster.home().to_owned();
    if rustix::process::geteuid().is_root() {
        assert!(home.starts_with(reachable.path().canonicalize().unwrap()), "{}", home.display());
        let note = std::fs::read_to_string(config.folder.join("where")).unwrap();
        assert!(note.contains(home.to_str().unwrap()), "{note}");
    } else {
        assert_eq!(home, config.folder.canonicalize().unwrap());
    }
    connect(&cluster).await.batch_execute("CREATE TABLE kept (n int)").await.unwrap();
    cluster.stop().await;

    let cluster = PrivateCluster::start(config.clone()).await.unwrap();
    assert_eq!(cluster.home(), home);
    connect(&cluster).await.batch_execute("SELECT * FROM kept").await.unwrap();
    cluster.stop().await;
    if rustix::process::geteuid().is_root() {
        std::fs::remove_dir_all(&home).unwrap();
        let error = PrivateCluster::start(config).await.unwrap_err();
        assert!(error.to_string().contains("where"), "lost data is no new fleet: {error}");
    }
}

#[tokio::test]
async fn a_socket_with_a_long_or_odd_path_goes_to_a_short_one() {
    let folder = TestFolder::new();
    let mut config = folder.config();
    config.folder = folder.path().join(format!("it's {}", "long".repeat(20)));
    for _ in 0..2 {
        let cluster = PrivateCluster::start(config.clone()).await.unwrap();
        assert!(cluster.socket_folder().as_os_str().len() < 60, "{}", cluster.socket_folder().display());
        connect(&cluster).await.batch_execute("SELECT 1").await.unwrap();
        let socket = cluster.socket_folder().to_owned();
        cluster.stop().await;
        assert!(!socket.starts_with(folder.path()), "{}", socket.display());
        std::fs::remove_dir(socket).expect("a clean stop leaves no socket");
    }
}

#[tokio::test]
async fn a_pid_file_that_names_another_program_does_not_stop_postgres() {
    let folder = TestFolder::new();
    let cluster = PrivateCluster::start(folder.config()).await.unwrap();
    let pid_file = cluster.home().join("data/postmaster.pid");
    let text = std::fs::read_to_string(&pid_file).unwrap();
    cluster.stop().await;
    // After a power cut the number may belong to anything: here, to this test.
    let (_, rest) = text.split_once('\n').unwrap();
    std::fs::write(&pid_file, format!("{}\n{rest}", std::process::id())).unwrap();
    PrivateCluster::start(folder.config()).await.unwrap().stop().await;
}

#[tokio::test]
async fn data_of_another_major_version_is_refused() {
    let folder = TestFolder::new();
    let cluster = PrivateCluster::start(folder.config()).await.unwrap();
    let version = cluster.home().join("data/PG_VERSION");
    cluster.stop().await;
    std::fs::write(version, "99\n").unwrap();
    let mut config = folder.config();
    config.programs = Some(Programs::find(None).unwrap().folder().to_owned());
    let error = PrivateCluster::start(config).await.unwrap_err();
    assert!(error.to_string().contains("was made by Postgres 99"), "{error}");
    assert!(error.to_string().contains("postgresql-99"), "{error}");
}

#[tokio::test]
async fn a_postgres_that_cannot_start_says_why() {
    let folder = TestFolder::new();
    let cluster = PrivateCluster::start(folder.config()).await.unwrap();
    std::fs::write(cluster.home().join("local.conf"), "no_such_setting = 1\n").unwrap();
    cluster.stop().await;
    let error = PrivateCluster::start(folder.config()).await.unwrap_err();
    assert!(error.to_string().contains("no_such_setting"), "{error}");
}
