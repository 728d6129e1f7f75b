//! Signing in by a code, with a token in other ways than standard input, and signing out.

use crate::double::{Double, Logins, PERSON, TOKEN, World};
use crate::people::organization;
use crate::things::id;
use crate::workbench::Workbench;
use insta::assert_snapshot;
use kaliun_proto::fleet::v1::{LoginState, Role};
use kaliun_types::secret::SecretText;
use std::os::unix::fs::PermissionsExt as _;
use tonic::Status;

fn answering(answers: impl IntoIterator<Item = Result<LoginState, Status>>) -> World {
    World {
        logins: Logins { answers: answers.into_iter().collect(), ..Logins::default() },
        organizations: vec![organization(1, "Acme", Role::Admin), organization(2, "Beta", Role::Viewer)],
        ..World::default()
    }
}

fn count(double: &Double, call: &str) -> usize {
    double.calls().iter().filter(|known| *known == call).count()
}

#[tokio::test]
async fn a_code_that_is_confirmed_in_a_browser_signs_in() {
    let states = [LoginState::Pending, LoginState::SlowDown, LoginState::Pending, LoginState::Approved];
    let double = Double::start(answering(states.map(Ok))).await;
    let workbench = Workbench::bare("login-code");
    let ended = workbench.run(&format!("login --server {}", double.url)).await;
    assert_eq!((ended.code, ended.output.as_str()), (0, ""), "{}", ended.error);
    insta::with_settings!({filters => vec![(r"http://127\.0\.0\.1:\d+", "http://SERVER")]}, {
        assert_snapshot!("said_while_waiting", ended.error);
    });
    assert_eq!(count(&double, "poll_login"), 4);
    assert!(double.world().logins.client.starts_with("fleetctl on "), "{}", double.world().logins.client);

    let file = workbench.config_file();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = workbench.config();
    let tokens = double.world().logins.tokens();
    assert!(tokens.iter().all(|token| text.contains(token)) && text.contains(PERSON), "{text}");

    let whoami = workbench.output("whoami -o json").await;
    let context = workbench.output("context show -o json").await;
    insta::with_settings!({filters => vec![(r"http://127\.0\.0\.1:\d+", "http://SERVER")]}, {
        assert_snapshot!("whoami_of_a_person", whoami);
        assert_snapshot!("context_of_a_person", context);
    });
    assert_eq!(
        double.world().places.last(),
        Some(&("who_am_i".to_owned(), id(1))),
        "the context's organization is named"
    );
}

#[tokio::test]
async fn a_code_can_be_shown_as_a_qr_code() {
    let double = Double::start(answering([Ok(LoginState::Approved)])).await;
    let workbench = Workbench::bare("login-qr");
    let plain = workbench.run(&format!("login --server {}", double.url)).await;
    let with_qr = workbench.run(&format!("login --qr --server {}", double.url)).await;
    assert!(!plain.error.contains('█') && with_qr.error.contains('█'), "{}", with_qr.error);
}

#[tokio::test]
async fn a_no_in_the_browser_keeps_nothing() {
    let double = Double::start(answering([Ok(LoginState::Pending), Ok(LoginState::Denied)])).await;
    let workbench = Workbench::bare("login-denied");
    let ended = workbench.run(&format!("login --server {}", double.url)).await;
    assert!(ended.code == 4 && ended.error.contains("error: somebody said no in the browser\nhint: "), "{ended:?}");
    assert!(!workbench.config_file().exists());
}

#[tokio::test]
async fn a_code_runs_out() {
    let double = Double::start(answering([Ok(LoginState::Pending), Ok(LoginState::Expired)])).await;
    let workbench = Workbench::bare("login-expired");
    let line = format!("login --server {}", double.url);
    let ended = workbench.run(&line).await;
    assert!(ended.code == 6 && ended.error.contains("error: the code has run out"), "{ended:?}");

    // The server never says so.
    double.world().logins.answers = [Ok(LoginState::Pending)].into();
    double.world().logins.code_seconds = 3;
    let ended = workbench.run(&line).await;
    assert!(ended.code == 6 && ended.error.contains("error: the code has run out"), "{ended:?}");
    assert!(!workbench.config_file().exists());
}

#[tokio::test]
async fn a_server_that_is_away_for_a_while_is_waited_for() {
    let away = || Err(Status::unavailable("The server starts."));
    let double = Double::start(answering([away(), away(), Ok(LoginState::Approved)])).await;
    let ended = Workbench::bare("login-away").run(&format!("login --server {}", double.url)).await;
    assert_eq!(ended.code, 0, "{}", ended.error);
    assert_eq!(ended.error.matches("still trying").count(), 1, "{}", ended.error);

    let double = Double::start(answering([Err(Status::not_found("There is no such login."))])).await;
    let ended = Workbench::bare("login-gone").run(&format!("login --server {}", double.url)).await;
    assert_eq!(ended.code, 3, "{}", ended.error);
}

#[tokio::test]
async fn a_server_whose_answer_does_not_fit_is_told() {
    let double = Double::start(answering([Ok(LoginState::Unspecified)])).await;
    let ended = Workbench::bare("login-unfit").run(&format!("login --server {}", double.url)).await;
    assert!(ended.code == 1 && ended.error.contains("fleetctl version"), "{ended:?}");
}

#[tokio::test]
async fn whoever_signs_in_again_stays_in_the_context_and_its_organization() {
    let double = Double::start(answering([Ok(LoginState::Approved)])).await;
    let workbench = Workbench::bare("login-again");
    workbench.output(&format!("login --context work --server {}", double.url)).await;
    workbench.output("org use Beta").await;
    let shown = workbench.output("login -o json").await;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((shown["name"].as_str(), shown["organization"]["name"].as_str()), (Some("work"), Some("Beta")));
    assert_eq!(double.world().logins.alive(), [false, true], "the old session is of no use to anybody");

    // One that has been left is not come back to.
    double.world().organizations.pop();
    let shown = workbench.output("login -o json").await;
    assert!(shown.contains("\"Acme\""), "{shown}");
}

#[tokio::test]
async fn an_organization_is_chosen_while_signing_in() {
    let double = Double::start(answering([Ok(LoginState::Approved)])).await;
    let workbench = Workbench::bare("login-organization");
    let shown = workbench.output(&format!("login --organization Beta --server {} -o json", double.url)).await;
    assert!(shown.contains("\"Beta\""), "{shown}");
    let ended = workbench.run("login --organization Gamma -o json").await;
    assert!(ended.code == 3 && ended.output.contains("\"Acme\""), "signed in, and told: {ended:?}");
    assert!(ended.error.contains("you belong to no organization \"Gamma\""), "{ended:?}");
}

#[tokio::test]
async fn a_person_of_no_organization_is_told_what_to_do() {
    let double = Double::start(World { logins: Logins::default(), ..World::default() }).await;
    let workbench = Workbench::bare("login-nowhere");
    let ended = workbench.run(&format!("login --server {}", double.url)).await;
    assert!(ended.code == 0 && ended.error.contains("fleetctl org create NAME"), "{ended:?}");
    let whoami: serde_json::Value = serde_json::from_str(&workbench.output("whoami -o json").await).unwrap();
    assert!(whoami["organization"].is_null() && whoami["role"].is_null(), "{whoami}");
    let ended = workbench.run("get devices").await;
    assert!(ended.code == 5 && ended.error.contains("hint: make one with `fleetctl org create"), "{ended:?}");
    let ended = workbench.run("org rename Club").await;
    assert!(ended.code == 3 && ended.error.contains("you belong to no organization"), "{ended:?}");
}

#[tokio::test]
async fn a_token_is_read_from_a_file_or_where_the_input_is_no_terminal() {
    let double = Double::start(World::default()).await;
    let mut workbench = Workbench::bare("login-token");
    let file = workbench.config_file().with_file_name("token");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let line = format!("login --server {} --token-file {}", double.url, file.display());
    workbench.output(&line).await;
    assert!(workbench.config().contains(TOKEN));

    workbench.output("logout").await;
    workbench.input = format!("{TOKEN}\n");
    workbench.output(&format!("login --server {} --token", double.url)).await;
    assert!(workbench.config().contains(TOKEN));

    workbench.input = format!("  {TOKEN}\nmore\n");
    workbench.can_ask = true;
    let asked = workbench.run("login --token").await;
    assert!(asked.code == 0 && asked.error.contains("API token: "), "{asked:?}");
    workbench.output("login --token --organization Home").await;
    let other = workbench.run("login --token --organization Acme").await;
    assert!(other.code == 2 && other.error.contains("belongs to the organization \"Home\""), "{other:?}");

    std::fs::write(&file, "\n").unwrap();
    assert_eq!(workbench.run(&line).await.code, 2);
    assert_eq!(workbench.run("login --token-file /no/such/file").await.code, 2);
    assert_eq!(workbench.run("login --token --token-stdin").await.code, 2);
    assert_eq!(workbench.run("login --token --qr").await.code, 2);
    assert_eq!(workbench.run("login --token kat1.other").await.code, 2, "never from the command line");
}

#[tokio::test]
async fn a_token_of_the_environment_that_hides_the_login_is_told() {
    let double = Double::start(answering([Ok(LoginState::Approved)])).await;
    let mut workbench = Workbench::bare("login-hidden");
    workbench.environment.token = Some(SecretText::new(TOKEN.to_owned()));
    let ended = workbench.run(&format!("login --server {}", double.url)).await;
    assert!(ended.code == 0 && ended.error.contains("warning: FLEETCTL_TOKEN is set"), "{ended:?}");
}

#[tokio::test]
async fn a_session_takes_the_place_of_a_token_and_back() {
    let double = Double::start(answering([Ok(LoginState::Approved)])).await;
    let mut workbench = Workbench::bare("login-turns");
    workbench.input = format!("{TOKEN}\n");
    workbench.output(&format!("login --server {} --token-stdin", double.url)).await;
    workbench.output("login").await;
    assert!(!workbench.config().contains(TOKEN) && workbench.config().contains("kar1."));
    workbench.output("login --token-stdin").await;
    assert!(workbench.config().contains(TOKEN) && !workbench.config().contains("kar1."));
    assert!(workbench.output("whoami -o name").await.contains("first"));
}

#[tokio::test]
async fn to_sign_out_ends_the_session_and_forgets_it() {
    let double = Double::start(answering([Ok(LoginState::Approved)])).await;
    let workbench = Workbench::bare("logout");
    workbench.output(&format!("login --server {}", double.url)).await;
    let ended = workbench.run("logout -o json").await;
    assert_eq!(ended.code, 0, "{}", ended.error);
    assert!(ended.error.contains(&format!("Signed {PERSON} out of")), "{}", ended.error);
    assert_eq!(count(&double, "sign_out"), 1);
    assert_eq!(double.world().logins.alive(), [false]);
    assert!(!workbench.config().contains("kas1.") && !workbench.config().contains("Acme"), "{}", workbench.config());
    let ended = workbench.run("whoami").await;
    assert!(ended.code == 4 && ended.error.contains("run `fleetctl login`"), "{ended:?}");
    assert_eq!(workbench.run("logout").await.code, 0, "nothing to do is no failure");
}

#[tokio::test]
async fn a_session_that_is_over_or_cannot_be_ended_is_forgotten_all_the_same() {
    let double = Double::start(answering([Ok(LoginState::Approved)])).await;
    let workbench = Workbench::bare("logout-over");
    let login = format!("login --server {}", double.url);
    workbench.output(&login).await;
    double.world().logins.end();
    assert_eq!(workbench.run("logout").await.code, 0);
    assert!(!workbench.config().contains("kar1."));

    workbench.output(&login).await;
    double.world().refusal = Some(Status::unavailable("The server stops."));
    let ended = workbench.run("logout").await;
    assert!(ended.code == 1 && ended.error.contains("could not end it on the server"), "{ended:?}");
    assert!(!workbench.config().contains("kar1."));
}
