//! Contexts and the file they are kept in.

use crate::double::{Double, TOKEN, World};
use crate::workbench::Workbench;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn login_keeps_what_the_server_accepts() {
    let double = Double::start(World::default()).await;
    let mut workbench = Workbench::bare("login");
    workbench.input = format!("{TOKEN}\n");
    let ended = workbench.run(&format!("login --server {} --token-stdin", double.url)).await;
    assert_eq!((ended.code, ended.output.as_str()), (0, ""), "{}", ended.error);
    assert!(ended.error.contains("as first (admin of Home)"), "{}", ended.error);

    let file = workbench.config_file();
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("current = \"127.0.0.1\"") && text.contains(TOKEN), "the file keeps the token");
    let left: Vec<_> = fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".new")), "{left:?}");

    assert!(workbench.output("whoami").await.contains("first"));
    let shown = workbench.output("context show -o json").await;
    assert!(shown.contains("\"has_token\": true"), "{shown}");

    assert_eq!(workbench.run("logout").await.code, 0);
    assert!(!fs::read_to_string(&file).unwrap().contains(TOKEN));
    assert_eq!(workbench.run("whoami").await.code, 4);
}

#[tokio::test]
async fn login_keeps_nothing_that_the_server_refuses() {
    let double = Double::start(World::default()).await;
    let mut workbench = Workbench::bare("login-refused");
    workbench.input = "kat1.wrong\n".to_owned();
    let ended = workbench.run(&format!("login --server {} --token-stdin", double.url)).await;
    assert_eq!(ended.code, 4, "{}", ended.error);
    assert!(!workbench.config_file().exists());

    workbench.input = "  \n".to_owned();
    let ended = workbench.run(&format!("login --server {} --token-stdin", double.url)).await;
    assert_eq!(ended.code, 2, "{}", ended.error);
    assert_eq!(workbench.run("login --token-stdin").await.code, 2);
}

#[tokio::test]
async fn contexts_come_and_go() {
    let workbench = Workbench::bare("contexts");
    assert_eq!(workbench.run("context list").await.error, "No contexts.\n");
    assert_eq!(workbench.run("context set home").await.code, 2, "a new one needs a server");
    workbench.output("context set home --server http://127.0.0.1:1").await;
    workbench.output("context set work --server https://fleet.example --ca /etc/fleet.pem").await;
    insta::assert_snapshot!(workbench.output("context list -o wide").await, @r"
    CURRENT  NAME  SERVER                 SIGNED-IN  ENDS  CA              ORGANIZATION
    *        home  http://127.0.0.1:1     no         -     -               -
    -        work  https://fleet.example  no         -     /etc/fleet.pem  -
    ");
    workbench.output("context use work").await;
    assert_eq!(workbench.output("context show -o name").await, "context/work\n");
    assert_eq!(workbench.run("context use gone").await.code, 3);
    workbench.output("context delete work").await;
    assert_eq!(workbench.run("context show").await.code, 3);
    assert_eq!(workbench.output("context list -o name").await, "context/home\n");
    assert_eq!(workbench.run("context set home --server nonsense").await.code, 2);
}

#[tokio::test]
async fn each_change_of_a_context_is_a_document() {
    let double = Double::start(World::default()).await;
    let mut workbench = Workbench::bare("context-documents");
    let document = |output: String| serde_json::from_str::<serde_json::Value>(&output).unwrap();
    let shown = |current: bool, has_token: bool| serde_json::json!({ "name": "home", "current": current, "server": double.url, "has_token": has_token, "ca": null, "organization": null, "session": null });
    workbench.output("context set work --server https://fleet.example").await;
    let set = workbench.output(&format!("context set home --server {} -o json", double.url)).await;
    assert_eq!(document(set), shown(false, false));
    assert_eq!(document(workbench.output("context use home -o json").await), shown(true, false));
    workbench.input = format!("{TOKEN}\n");
    let login = "login --context home --token-stdin";
    assert_eq!(document(workbench.output(&format!("{login} -o json")).await), shown(true, true));
    assert_eq!(workbench.output(&format!("{login} -o name")).await, "context/home\n");
    assert_eq!(document(workbench.output("logout -o json").await), shown(true, false));
    let deleted = document(workbench.output("context delete home -o json").await);
    assert_eq!(deleted, serde_json::json!({ "name": "home", "deleted": true }));
    assert_eq!(workbench.output("context delete work -o name").await, "context/work\n");
}

#[tokio::test]
async fn a_token_does_not_follow_a_context_to_another_server() {
    let workbench = Workbench::bare("moved-context");
    let file = workbench.config_file();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, format!("current = 'a'\n[contexts.a]\nserver = 'http://127.0.0.1:1'\ntoken = '{TOKEN}'\n"))
        .unwrap();
    workbench.output("context set a --server http://127.0.0.1:2").await;
    assert!(!fs::read_to_string(&file).unwrap().contains(TOKEN));
    assert_eq!(mode(&file), 0o600, "a file that others could read is one no longer");
}

#[tokio::test]
async fn a_file_that_others_can_read_is_told() {
    let double = Double::start(World::default()).await;
    let workbench = Workbench::bare("open-file");
    let file = workbench.config_file();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, format!("current = 'a'\n[contexts.a]\nserver = '{}'\ntoken = '{TOKEN}'\n", double.url)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let ended = workbench.run("whoami").await;
    assert_eq!(ended.code, 0, "{}", ended.error);
    assert!(ended.error.starts_with("warning: others can read"), "{}", ended.error);
    assert_eq!(ended.error.matches("warning").count(), 1, "said once: {}", ended.error);
}

#[tokio::test]
async fn a_broken_file_is_told_by_line_and_never_quoted() {
    let workbench = Workbench::bare("broken-file");
    let file = workbench.config_file();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, format!("current = 'a'\n[contexts.a]\nserver = 'x'\ntoken = {TOKEN}\n")).unwrap();
    let ended = workbench.run("get devices").await;
    assert_eq!(ended.code, 1);
    assert!(ended.error.contains("config.toml, line 4"), "{}", ended.error);

    fs::write(&file, "currant = 'a'\n").unwrap();
    let ended = workbench.run("get devices").await;
    assert!(ended.error.contains("currant"), "{}", ended.error);
}

#[tokio::test]
async fn a_linked_file_stays_where_it_is() {
    let workbench = Workbench::bare("linked-file");
    let file = workbench.config_file();
    let folder = file.parent().unwrap();
    fs::create_dir_all(folder.join("elsewhere")).unwrap();
    fs::write(folder.join("elsewhere/real.toml"), "").unwrap();
    std::os::unix::fs::symlink(folder.join("elsewhere/real.toml"), &file).unwrap();
    workbench.output("context set a --server http://127.0.0.1:2").await;
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    assert!(fs::read_to_string(folder.join("elsewhere/real.toml")).unwrap().contains("127.0.0.1:2"));
}
