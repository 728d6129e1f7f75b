//! The program as a supervisor and a person see it: exit codes and `status`.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(arguments: &[&str], state_dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kaliun-edge"))
        .args(arguments)
        .env("KALIUN_EDGE_STATE_DIR", state_dir)
        .env_remove("KALIUN_EDGE_SERVER")
        .output()
        .unwrap()
}

fn check(arguments: &[&str], code: i32, said: &str) {
    let folder = tempfile::tempdir().unwrap();
    let output = run(arguments, folder.path());
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
    assert!(error.contains(said), "{arguments:?}: {error}");
}

#[test]
fn what_is_wrong_has_its_exit_code_and_its_key() {
    let hash = "ab".repeat(32);
    check(&[], 2, "Usage");
    check(&["fly"], 2, "fly");
    check(&["run"], 78, "server: not given");
    check(&["run", "--server", "http://x"], 78, "expected https://HOST[:PORT]");
    check(&["run", "--server", "https://localhost:1", "--trust-hash", "12"], 78, "trust_hash");
    check(&["run", "--server", "https://localhost:1"], 78, "join token or a trust hash");
    check(&["run", "--server", "https://localhost:1", "--join-token-file", "/nowhere"], 78, "join_token_file");
    check(&["run", "--server", "https://localhost:1", "--trust-hash", &hash, "--log", "=,="], 78, "log");
    let console = ["--trust-hash", &hash, "--console", "/nowhere/tty"];
    check(&[&["run", "--server", "https://localhost:1"], console.as_slice()].concat(), 78, "console: cannot open");
    check(&["status"], 1, "no agent has run");
}

#[test]
fn a_file_with_an_unknown_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("edge.toml");
    std::fs::write(&file, "server = \"https://localhost:1\"\ncolour = \"blue\"\n").unwrap();
    let output = run(&["run", "--config", file.to_str().unwrap()], folder.path());
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8(output.stderr).unwrap().contains("colour"));
}

/// What a box recorded is the device's that it was.
#[test]
fn a_new_key_comes_with_nothing_of_the_old_device_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("identity-key.pem");
    std::fs::write(&key, "the old one").unwrap();
    let spool = folder.path().join("spool/samples");
    std::fs::create_dir_all(&spool).unwrap();
    std::fs::write(spool.join("00000000000000000001.segment"), "of the old device").unwrap();
    let hash = "ab".repeat(32);
    // Nobody listens there, so that it goes on asking until it is ended.
    let mut child = Command::new(env!("CARGO_BIN_EXE_kaliun-edge"))
        .args(["enroll", "--new-key", "--server", "https://localhost:1", "--trust-hash", &hash, "--log", "error"])
        .env("KALIUN_EDGE_STATE_DIR", folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut first).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(first.contains("new key") && first.contains("were deleted"), "{first}");
    assert!(std::fs::read_to_string(&key).unwrap().contains("PRIVATE KEY"));
    assert!(!spool.join("00000000000000000001.segment").exists());
}

#[test]
fn a_damaged_key_stops_the_agent_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("identity-key.pem");
    std::fs::write(&key, "nonsense").unwrap();
    let hash = "ab".repeat(32);
    let output = run(&["run", "--server", "https://localhost:1", "--trust-hash", &hash], folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&key).unwrap(), "nonsense");
}
