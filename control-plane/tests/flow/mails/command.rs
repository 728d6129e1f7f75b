//! `control-plane mail`, as whoever runs a control plane uses it.

use crate::support::mail_server::{MailServer, accept};
use anyhow::{Context, Result};
use kaliun_domain::mail::MailKind;
use std::path::Path;
use tokio::process::Command;

/// Runs it; answers the exit code and what was said.
async fn mail(folder: &Path, arguments: &[&str]) -> Result<(i32, String)> {
    let output = Command::new(env!("CARGO_BIN_EXE_control-plane"))
        .arg("mail")
        .args(arguments)
        .env_clear()
        .current_dir(folder)
        .output()
        .await?;
    let code = output.status.code().context("it was ended by a signal")?;
    Ok((code, String::from_utf8(output.stderr)?))
}

#[tokio::test]
async fn a_preview_has_three_files_of_each_kind() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (code, said) = mail(folder.path(), &["preview"]).await?;
    assert!(code == 0 && said.contains("36 files are in mail-preview"), "{code}: {said}");
    for kind in MailKind::ALL {
        for ending in ["html", "txt", "eml"] {
            let path = folder.path().join("mail-preview").join(format!("{}.{ending}", kind.word()));
            let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
            assert!(text.contains("Kaliun Fleet"), "{}", path.display());
        }
    }
    let (code, _) = mail(folder.path(), &["preview", "--kind", "support-asks", "--out", "one"]).await?;
    assert_eq!((code, std::fs::read_dir(folder.path().join("one"))?.count()), (0, 3));
    let (code, said) = mail(folder.path(), &["preview", "--kind", "advertisement"]).await?;
    assert!(code == 1 && said.contains("reset_password"), "{code}: {said}");
    Ok(())
}

#[tokio::test]
async fn a_test_says_what_the_server_said() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mail_server = MailServer::start(accept).await?;
    let url = format!("smtp://127.0.0.1:{}", mail_server.config().server.port);
    let configured = ["--state-dir", "state", "--smtp-url", &url, "--mail-from", "fleet@example.org"];
    let run = async |to: &str| mail(folder.path(), &[&configured[..], &["test", "--to", to]].concat()).await;
    let (code, said) = run("ada@example.org").await?;
    assert!(code == 0 && said.contains("The mail server took the mail: 250"), "{code}: {said}");
    assert_eq!(mail_server.taken(1).await?.first().context("one")?.to, "ada@example.org");
    let (code, said) = run("nobody").await?;
    assert!(code == 1 && said.contains("the recipient's address is not one"), "{code}: {said}");
    let (code, said) = mail(folder.path(), &["--state-dir", "state", "test", "--to", "ada@example.org"]).await?;
    assert!(code == 1 && said.contains("smtp_url is missing"), "{code}: {said}");
    Ok(())
}
