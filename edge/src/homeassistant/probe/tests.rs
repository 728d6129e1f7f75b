use super::*;
use crate::tasks::Tasks;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers each request by its first line.
async fn server(answers: &'static [(&'static str, &'static str, &'static str)]) -> (HomeAssistantAddress, Tasks) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tasks = Tasks::new();
    tasks.spawner().spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = socket.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let (_, status, body) =
                answers.iter().find(|(known, _, _)| *known == path).unwrap_or(&("", "404 Not Found", ""));
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let token = answers.iter().any(|(path, ..)| path.starts_with("/api")).then(|| SecretText::new("token".to_owned()));
    (HomeAssistantAddress::parse(&format!("http://127.0.0.1:{port}"), token).unwrap(), tasks)
}

async fn check(answers: &'static [(&'static str, &'static str, &'static str)], expected: Observation) {
    let (mut address, _tasks) = server(answers).await;
    assert_eq!(address.probe().await, expected, "{answers:?}");
}

#[tokio::test]
async fn states_are_told_apart() {
    check(&[("/manifest.json", "200 OK", "{}")], Observation::Unverified).await;
    check(&[("/api/core/state", "401 Unauthorized", "")], Observation::Unverified).await;
    check(&[("/api/core/state", "200 OK", r#"{"state":"NOT_RUNNING"}"#)], Observation::Starting).await;
    check(
        &[
            ("/api/core/state", "200 OK", r#"{"state":"RUNNING","recorder_state":{}}"#),
            ("/api/config", "200 OK", r#"{"version":"2026.11.0","components":[]}"#),
        ],
        Observation::Running { version: "2026.11.0".to_owned() },
    )
    .await;
    let strange = |message: &str| Observation::Unreachable { message: message.to_owned() };
    check(&[("/manifest.json", "502 Bad Gateway", "")], strange("It answers with HTTP status 502.")).await;
    check(
        &[("/api/core/state", "200 OK", "<html>")],
        strange("Home Assistant does not answer: its answer cannot be read."),
    )
    .await;
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut address = HomeAssistantAddress::parse(&format!("http://127.0.0.1:{port}"), None).unwrap();
    assert!(matches!(address.probe().await, Observation::Unreachable { .. }));
}

#[test]
fn addresses_are_plain_http() {
    let parses = |text| HomeAssistantAddress::parse(text, None).is_ok();
    assert!(parses("http://homeassistant.local:8123"));
    assert!(parses("http://[::1]:8123/"));
    assert!(!parses("https://homeassistant.local"));
    assert!(!parses("http://homeassistant.local/path"));
    assert!(!parses("homeassistant.local"));
}
