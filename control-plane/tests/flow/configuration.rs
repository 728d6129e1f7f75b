//! `control-plane config check`, as an operator runs it before a start.

use anyhow::{Context, Result};
use std::path::Path;
use tokio::process::Command;

/// Checks a configuration; answers the exit code and what was said.
async fn check(folder: &Path, toml: &str) -> Result<(i32, String)> {
    let file = folder.join("fleet.toml");
    std::fs::write(&file, format!("state_dir = {:?}\n{toml}", folder.join("state")))?;
    let output = Command::new(env!("CARGO_BIN_EXE_control-plane"))
        .args(["config", "check", "--config"])
        .arg(&file)
        .env_clear()
        .output()
        .await?;
    let code = output.status.code().context("it was ended by a signal")?;
    Ok((code, String::from_utf8(output.stderr)?))
}

#[tokio::test]
async fn a_check_finds_what_a_start_would() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (code, said) = check(folder.path(), "").await?;
    assert!(code == 0 && said.contains("This configuration is good."), "{code}: {said}");
    let short = folder.path().join("password");
    std::fs::write(&short, "short")?;
    let providers = folder.path().join("providers.toml");
    std::fs::write(
        &providers,
        "[[provider]]\nid = 'p'\nkind = 'oidc'\nclient_id = 'c'\nissuer = 'http://example.org'",
    )?;
    for (toml, key) in [
        ("lgo = 'info'".to_owned(), "line 2: unknown field `lgo`"),
        ("log = 'kaliun=loudest'".to_owned(), "log"),
        ("otlp_endpoint = 'collector'".to_owned(), "otlp_endpoint"),
        ("public_tls_cert = '/none/cert'\npublic_tls_key = '/none/key'".to_owned(), "public_tls_cert"),
        ("database_url = 'postgresql://h/d'\ndatabase_ca = '/none/ca'".to_owned(), "database_ca"),
        ("first_api_token_file = '/none/token'".to_owned(), "first_api_token_file"),
        (
            "identity_providers_file = '/none/providers'".to_owned(),
            "identity_providers_file: /none/providers cannot be read",
        ),
        (format!("identity_providers_file = {providers:?}"), "provider \"p\": issuer must be an https address"),
        ("smtp_url = 'smtps://mail.example.org'".to_owned(), "mail_from"),
        (
            "smtp_url = 'smtps://mail.example.org'\nmail_from = 'a@example.org'\nsmtp_ca = '/none/ca'".to_owned(),
            "smtp_ca: /none/ca cannot be read",
        ),
        (
            "smtp_url = 'smtps://a@mail.example.org'\nmail_from = 'a@example.org'\nsmtp_password_file = '/none/p'"
                .to_owned(),
            "smtp_password_file: /none/p cannot be read",
        ),
        (format!("first_admin_password_file = {short:?}"), "first_admin_password_file"),
    ] {
        let (code, said) = check(folder.path(), &toml).await?;
        assert!(code == 78 && said.contains(key) && !said.contains("is good"), "{toml}: {code}: {said}");
    }
    Ok(())
}
