//! Sessions whose tokens run out: by the clock, by the server's word, and by several fleetctl at once.

use crate::double::{Double, Logins, TOKEN, World};
use crate::people::organization;
use crate::things::{NOW_MS, device};
use crate::workbench::Workbench;
use kaliun_proto::fleet::v1::{LoginState, Role};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::process::Command;
use tonic::Status;

async fn double() -> Double {
    Double::start(World {
        devices: vec![device(1, "cellar-1")],
        logins: Logins::signed_in(),
        organizations: vec![organization(1, "Acme", Role::Admin)],
        ..World::default()
    })
    .await
}

/// An hour ago, by the clock of all flows.
const LONG_AGO: i64 = -3_600;

#[tokio::test]
async fn a_token_that_is_good_is_used_as_it_is() {
    let double = double().await;
    let workbench = Workbench::signed_in(&double, "renewal-none", 900);
    assert_eq!(workbench.output("get devices -o name").await, "device/cellar-1\n");
    assert_eq!(double.world().logins.refreshes, 0);
}

#[tokio::test]
async fn a_token_that_runs_out_is_renewed_before_it_is_used() {
    let double = double().await;
    let workbench = Workbench::signed_in(&double, "renewal-early", 29);
    assert_eq!(workbench.output("get devices -o name").await, "device/cellar-1\n");
    let calls = double.calls();
    assert!(calls.len() == 2 && calls[0] == "refresh_login", "nothing was refused: {calls:?}");
    let text = workbench.config();
    let tokens = double.world().logins.tokens();
    assert!(tokens.iter().all(|token| text.contains(token)), "{text}");
    let expected = format!("access_expires_at_ms = {}", NOW_MS + 900_000);
    assert!(text.contains(&expected), "{text}");
    let mode = std::fs::metadata(workbench.config_file()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    workbench.output("get devices -o name").await;
    assert_eq!(double.world().logins.refreshes, 1);
}

#[tokio::test]
async fn a_token_that_the_server_refuses_is_renewed_once() {
    let double = double().await;
    double.world().logins.access_refused = true;
    let workbench = Workbench::signed_in(&double, "renewal-refused", 900);
    assert_eq!(workbench.output("get devices -o name").await, "device/cellar-1\n");
    assert_eq!(double.world().logins.refreshes, 1);

    // Whatever is wrong with the new one, a third would be no better.
    double.world().logins.access_refused = true;
    double.world().refusal = Some(Status::unauthenticated("Not this one either."));
    let ended = workbench.run("get devices").await;
    assert!(ended.code == 4 && ended.error.contains("Not this one either"), "{ended:?}");
    assert_eq!(double.world().logins.refreshes, 2);
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_the_same() {
    let double = double().await;
    double.world().logins.access_refused = true;
    let workbench = Workbench::signed_in(&double, "renewal-message", 900);
    workbench.output("join-token create --description kept --uses 7").await;
    workbench.output("org rename Renamed").await;
    assert_eq!(double.world().organizations[0].name, "Renamed");
}

#[tokio::test]
async fn a_session_that_is_over_says_so_and_is_forgotten() {
    let double = double().await;
    double.world().logins.end();
    for (test, seconds) in [("over-early", LONG_AGO), ("over-refused", 900)] {
        let workbench = Workbench::signed_in(&double, test, seconds);
        let ended = workbench.run("get devices").await;
        assert_eq!(ended.error, "error: your session is over\nhint: run `fleetctl login`\n");
        assert_eq!((ended.code, ended.output.as_str()), (4, ""));
        assert!(!workbench.config().contains("kar1."), "{}", workbench.config());
        let ended = workbench.run("get devices").await;
        assert!(ended.code == 4 && ended.error.contains("nobody is signed in"), "{ended:?}");
    }
    let workbench = Workbench::signed_in(&double, "over-elsewhere", LONG_AGO);
    workbench.output("context set other --server http://127.0.0.1:1 --use").await;
    let ended = workbench.run("get devices --context home").await;
    assert!(ended.error.ends_with("hint: run `fleetctl login --context home`\n"), "{ended:?}");
    let workbench = Workbench::signed_in(&double, "over-watch", LONG_AGO);
    assert_eq!(
        workbench.run("get devices --watch").await.error,
        "error: your session is over\nhint: run `fleetctl login`\n"
    );
}

#[tokio::test]
async fn a_server_that_cannot_renew_just_now_costs_nothing() {
    let double = double().await;
    double.world().logins.refresh_refusal = Some(Status::unavailable("The database is away."));
    let workbench = Workbench::signed_in(&double, "renewal-away", 10);
    assert_eq!(workbench.output("get devices -o name").await, "device/cellar-1\n", "the token is good yet");

    let workbench = Workbench::signed_in(&double, "renewal-away-late", LONG_AGO);
    let ended = workbench.run("get devices").await;
    assert!(ended.code == 1 && ended.error.contains("cannot renew your session: The database is away"), "{ended:?}");
    assert!(workbench.config().contains("kar1."), "it may go on later");
}

#[tokio::test]
async fn a_renewal_is_waited_for_longer_than_an_answer() {
    let double = double().await;
    double.world().logins.refresh_takes = Duration::from_millis(300);
    let workbench = Workbench::signed_in(&double, "renewal-slow", LONG_AGO);
    assert_eq!(workbench.output("get devices -o name --timeout 100ms").await, "device/cellar-1\n");
    renewed_once(&double);
    // The limit is for the call itself.
    double.world().silent = true;
    double.world().logins.access_refused = true;
    let ended = workbench.run("get devices --timeout 100ms").await;
    assert!(ended.code == 6 && ended.error.contains("within 100ms"), "{ended:?}");
}

#[tokio::test]
async fn what_cannot_be_remembered_is_not_asked_for() {
    let double = double().await;
    let workbench = Workbench::signed_in(&double, "renewal-unwritable", LONG_AGO);
    let mut new = workbench.config_file().into_os_string();
    new.push(".new");
    std::fs::create_dir(&new).unwrap();
    let ended = workbench.run("get devices").await;
    assert!(ended.code == 1 && ended.error.contains("cannot write"), "{ended:?}");
    assert_eq!(double.world().logins.refreshes, 0, "the refresh token is good for another try");
}

#[tokio::test]
async fn who_signs_out_meanwhile_is_believed() {
    let double = double().await;
    let workbench = Workbench::signed_in(&double, "renewal-signed-out", LONG_AGO);
    let text = workbench.config();
    let line = format!("get devices --context home --server {}", double.url);
    // Between the reading of the settings and the renewal: the file's lock is held by somebody who signs out.
    let mut lock = workbench.config_file().into_os_string();
    lock.push(".lock");
    let lock = std::fs::File::create(&lock).unwrap();
    lock.lock().unwrap();
    let signs_out = async {
        workbench.write_config(text.split("[contexts.home.session]").next().unwrap());
        lock.unlock().unwrap();
    };
    let (ended, ()) = tokio::join!(workbench.run(&line), signs_out);
    assert!(ended.code == 4 && ended.error.contains("signed out meanwhile"), "{ended:?}");
    assert_eq!(double.world().logins.refreshes, 0);
}

fn renewed_once(double: &Double) {
    let world = double.world();
    assert_eq!((world.logins.refreshes, world.logins.alive()), (1, vec![true]));
}

#[tokio::test]
async fn many_at_once_renew_once() {
    let double = double().await;
    let workbench = Workbench::signed_in(&double, "renewal-many", LONG_AGO);
    let ended = futures_util::future::join_all((0..8).map(|_| workbench.run("get devices -o name"))).await;
    assert!(ended.iter().all(|ended| ended.code == 0), "{ended:?}");
    renewed_once(&double);
}

#[tokio::test]
async fn many_that_are_refused_at_once_renew_once() {
    let double = double().await;
    double.world().logins.access_refused = true;
    let workbench = Workbench::signed_in(&double, "renewal-many-refused", 900);
    let ended = futures_util::future::join_all((0..8).map(|_| workbench.run("get devices -o name"))).await;
    assert!(ended.iter().all(|ended| ended.code == 0), "{ended:?}");
    renewed_once(&double);
}

/// A real process with the configuration of a workbench.
fn process(workbench: &Workbench, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetctl"));
    command
        .args(words)
        .env_clear()
        .env("FLEETCTL_CONFIG", workbench.config_file())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

#[tokio::test]
async fn processes_side_by_side_do_not_burn_the_session() {
    let double = double().await;
    // Real processes go by the real clock, for which this token ended long ago.
    let workbench = Workbench::signed_in(&double, "renewal-processes", -NOW_MS / 1_000);
    let runs = (0..6).map(|_| process(&workbench, &["get", "devices", "-o", "name"]).output());
    for ended in futures_util::future::join_all(runs).await {
        let ended = ended.unwrap();
        let error = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(0), &b"device/cellar-1\n"[..]), "{error}");
    }
    renewed_once(&double);
    let tokens = double.world().logins.tokens();
    assert!(tokens.iter().all(|token| workbench.config().contains(token)));
}

#[tokio::test]
async fn ctrl_c_ends_the_wait_for_a_code() {
    let double = Double::start(World {
        logins: Logins { answers: [Ok(LoginState::Pending)].into(), ..Logins::default() },
        ..World::default()
    })
    .await;
    let workbench = Workbench::bare("login-ctrl-c");
    let child = process(&workbench, &["login", "--server", &double.url]).spawn().unwrap();
    // The first poll comes when the program listens for Ctrl-C.
    while !double.calls().iter().any(|call| call == "poll_login") {
        tokio::task::yield_now().await;
    }
    let pid = rustix::process::Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ended = child.wait_with_output().await.unwrap();
    let error = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(130), "{error}");
    assert!(error.contains("error: given up before anybody was signed in\nhint: "), "{error}");
    assert!(!workbench.config_file().exists());
}

#[tokio::test]
async fn a_session_of_another_server_or_a_token_of_the_environment_is_let_be() {
    let double = double().await;
    let mut workbench = Workbench::signed_in(&double, "renewal-elsewhere", LONG_AGO);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = format!("http://{}", listener.local_addr().unwrap());
    let ended = workbench.run(&format!("get devices --server {other}")).await;
    assert!(ended.code == 4 && ended.error.contains("nobody is signed in to"), "{ended:?}");
    workbench.environment.token = Some(kaliun_types::secret::SecretText::new(TOKEN.to_owned()));
    assert_eq!(workbench.output("get devices -o name").await, "device/cellar-1\n");
    assert_eq!(double.world().logins.refreshes, 0);
}
