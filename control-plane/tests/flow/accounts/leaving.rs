//! What a person takes along, and how they leave.

use super::{PASSWORD, WithMail, who};
use crate::browser::Browser;
use anyhow::{Context, Result};
use kaliun_proto::fleet::v1 as fleet;
use tonic::Code;

fn delete(browser: &Browser, email: &str, password: &str) -> tonic::Request<fleet::DeleteAccountRequest> {
    browser.request(fleet::DeleteAccountRequest { email: email.to_owned(), password: password.to_owned() })
}

#[tokio::test]
async fn a_person_takes_all_along_that_is_kept_of_them_and_goes() -> Result<()> {
    let mut server = WithMail::start().await?;
    let browser = server.person("anna@example.org").await?;
    let rename = fleet::UpdateAccountRequest { name: "Anna B.".to_owned() };
    browser.accounts().update_account(browser.request(rename)).await?;
    let export = browser.accounts().export_account(browser.request(fleet::ExportAccountRequest {})).await?;
    let export: serde_json::Value = serde_json::from_slice(&export.into_inner().json)?;
    let text = |pointer: &str| export.pointer(pointer).and_then(serde_json::Value::as_str).map(str::to_owned);
    assert_eq!(text("/account/email").as_deref(), Some("anna@example.org"));
    assert_eq!(text("/account/name").as_deref(), Some("Anna B."));
    assert_eq!(text("/records/0/action").as_deref(), Some("account.rename"));
    assert_eq!(text("/sessions/0/kind").as_deref(), Some("browser"));
    assert!(!export.to_string().contains("argon2"), "no secret goes along");

    assert!(browser.accounts().delete_account(delete(&browser, "bert@example.org", PASSWORD)).await.is_err());
    assert!(browser.accounts().delete_account(delete(&browser, "anna@example.org", "wrong")).await.is_err());
    browser.accounts().delete_account(delete(&browser, "Anna@example.org", PASSWORD)).await?;
    assert_eq!(server.mail().await?.to, "anna@example.org");
    assert_eq!(who(&browser).await.unwrap_err().code(), Code::Unauthenticated);
    let mut again = Browser::open(&server.fixture).await?;
    assert_eq!(again.sign_in_as("anna@example.org", PASSWORD).await.unwrap_err().code(), Code::Unauthenticated);
    let left: i64 = server
        .fixture
        .admin()
        .await?
        .query_one("SELECT count(*) FROM account WHERE email LIKE 'anna%'", &[])
        .await?
        .get(0);
    assert_eq!(left, 0);
    // The address is free for whoever reads its mail.
    server.person("anna@example.org").await?;
    server.stop().await
}

#[tokio::test]
async fn nobody_leaves_an_organization_without_an_admin() -> Result<()> {
    let mut server = WithMail::start().await?;
    let password = server.fixture.server.take_first_password().context("a password was made")?;
    let mut admin = Browser::open(&server.fixture).await?;
    admin.sign_in_as("admin@example.org", &password).await?;
    let refused = admin.accounts().delete_account(delete(&admin, "admin@example.org", &password)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("only admin of \"My fleet\""), "{refused:?}");
    assert!(who(&admin).await.is_ok());
    server.stop().await
}
