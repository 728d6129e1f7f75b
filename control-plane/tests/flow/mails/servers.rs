//! Mail servers behind TLS and passwords, and what is said when something is wrong with that.

use crate::support::mail_server::{Lock, MailServer, accept, tls_for_localhost};
use anyhow::{Context, Result};
use kaliun_control_plane::config::{MailConfig, Security};
use kaliun_control_plane::mail::{Stage, TestMailError, send_test};
use std::path::Path;
use std::time::SystemTime;
use tokio::net::TcpListener;

async fn send(config: &MailConfig) -> Result<String, TestMailError> {
    send_test(Some(config), "https://fleet.example.org", "ada@example.org", SystemTime::now()).await
}

/// Why it did not go, by how far it came.
async fn refusal(config: &MailConfig) -> Result<(Stage, String)> {
    match send(config).await {
        Err(TestMailError::Refused(error)) => Ok((error.stage, error.to_string())),
        other => anyhow::bail!("{other:?}"),
    }
}

fn with_user(config: MailConfig, folder: &Path, password: &str) -> Result<MailConfig> {
    let file = folder.join(format!("password-of-{}", password.len()));
    std::fs::write(&file, format!("{password}\n"))?;
    let mut config = MailConfig { password_file: Some(file), ..config };
    config.server.user = Some("fleet".to_owned());
    Ok(config)
}

async fn check_tls(from_the_start: bool, security: Security) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("root.pem");
    let tls = tls_for_localhost(&root)?;
    let login = Some(("fleet".to_owned(), "hunter2".to_owned()));
    let mail_server = MailServer::start_locked(accept, Lock { tls: Some((tls, from_the_start)), login }).await?;
    let known = MailConfig { ca: Some(root), ..mail_server.config_for("localhost", security) };

    let good = with_user(known.clone(), folder.path(), "hunter2")?;
    let said = send(&good).await?;
    assert!(said.starts_with("250"), "{said}");
    assert_eq!(mail_server.taken(1).await?.first().context("one")?.subject, "Test mail from Kaliun Fleet");

    let (stage, said) = refusal(&with_user(known.clone(), folder.path(), "swordfish")?).await?;
    assert!(stage == Stage::SignIn && said.contains("535") && said.contains("smtp_password_file"), "{said}");
    assert!(!said.contains("swordfish"), "{said}");

    let (stage, said) = refusal(&known).await?;
    assert!(stage == Stage::Sender && said.contains("530") && said.contains("smtp_url needs a user"), "{said}");

    let unknown = MailConfig { ca: None, ..good.clone() };
    let (stage, said) = refusal(&unknown).await?;
    assert!(stage == Stage::Tls && said.contains("smtp_ca"), "{said}");

    let mut misnamed = good;
    misnamed.server.host = "127.0.0.1".to_owned();
    let (stage, said) = refusal(&misnamed).await?;
    assert!(stage == Stage::Tls && said.contains("the host in smtp_url must be the one"), "{said}");
    assert_eq!(mail_server.count(), 1);
    Ok(())
}

#[tokio::test]
async fn tls_from_the_start() -> Result<()> {
    check_tls(true, Security::Tls).await
}

#[tokio::test]
async fn tls_by_starttls() -> Result<()> {
    check_tls(false, Security::StartTls).await
}

#[tokio::test]
async fn without_tls_nothing_is_sent_where_it_is_asked_for() -> Result<()> {
    let mail_server = MailServer::start(accept).await?;
    let (stage, said) = refusal(&mail_server.config_for("localhost", Security::StartTls)).await?;
    assert!(stage == Stage::Tls && said.contains("offers no STARTTLS"), "{said}");
    let (stage, said) = refusal(&mail_server.config_for("localhost", Security::Tls)).await?;
    assert!(stage == Stage::Tls, "{said}");
    assert_eq!(mail_server.count(), 0);
    Ok(())
}

#[tokio::test]
async fn nobody_there_is_said_to_be_nobody_there() -> Result<()> {
    let mut config = MailServer::start(accept).await?.config();
    // Free a moment ago.
    config.server.port = TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?.port();
    let (stage, said) = refusal(&config).await?;
    assert!(stage == Stage::Connect && said.contains("refused") && said.contains("smtp_url"), "{said}");
    Ok(())
}

#[tokio::test]
async fn letters_beyond_ascii_need_a_server_that_takes_them() -> Result<()> {
    let mail_server = MailServer::start(accept).await?;
    let config = mail_server.config();
    let sent = send_test(Some(&config), "https://fleet.example.org", "jörg@example.org", SystemTime::now());
    let error = sent.await.map_err(|error| error.to_string());
    assert!(error.as_ref().is_err_and(|error| error.contains("SMTPUTF8")), "{error:?}");
    Ok(())
}
