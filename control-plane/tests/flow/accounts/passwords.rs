//! Setting another password or address, and what ends with the old one.

use super::{OTHER_PASSWORD, PASSWORD, WithMail, secret, who};
use crate::browser::Browser;
use anyhow::Result;
use kaliun_proto::fleet::v1 as fleet;
use tonic::Code;

#[tokio::test]
async fn a_password_is_set_anew_by_mail_and_ends_every_session() -> Result<()> {
    let mut server = WithMail::start().await?;
    let browser = server.person("anna@example.org").await?;
    let stranger = Browser::open(&server.fixture).await?;
    let mut links = Vec::new();
    for _ in 0..2 {
        let request = fleet::RequestPasswordResetRequest { email: "Anna@Example.org".to_owned() };
        stranger.accounts().request_password_reset(stranger.request(request)).await?;
        links.push(secret(&server.mail().await?, "reset")?);
    }
    let reset = |secret: &str, new_password: &str| {
        let (secret, new_password) = (secret.to_owned(), new_password.to_owned());
        stranger.request(fleet::ResetPasswordRequest { secret, new_password })
    };
    let [older, newer] = <[String; 2]>::try_from(links).map_err(|links| anyhow::anyhow!("{links:?}"))?;
    let weak = stranger.accounts().reset_password(reset(&older, "short")).await.unwrap_err();
    assert_eq!(weak.code(), Code::InvalidArgument);
    stranger.accounts().reset_password(reset(&older, OTHER_PASSWORD)).await?;
    assert_eq!(server.mail().await?.to, "anna@example.org", "she is told");
    assert_eq!(who(&browser).await.unwrap_err().code(), Code::Unauthenticated, "the session is over");
    for used in [older, newer] {
        let refused = stranger.accounts().reset_password(reset(&used, PASSWORD)).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "no link of before is good any more");
    }
    let mut browser = Browser::open(&server.fixture).await?;
    assert!(browser.sign_in_as("anna@example.org", PASSWORD).await.is_err());
    browser.sign_in_as("anna@example.org", OTHER_PASSWORD).await?;
    server.stop().await
}

#[tokio::test]
async fn another_password_takes_the_old_one_and_ends_the_other_sessions() -> Result<()> {
    let mut server = WithMail::start().await?;
    let browser = server.person("anna@example.org").await?;
    let mut other = Browser::open(&server.fixture).await?;
    other.sign_in_as("anna@example.org", PASSWORD).await?;
    let change = |current_password: &str| {
        let (current_password, new_password) = (current_password.to_owned(), OTHER_PASSWORD.to_owned());
        browser.request(fleet::ChangePasswordRequest { current_password, new_password })
    };
    let refused = browser.accounts().change_password(change("not the password")).await.unwrap_err();
    assert!(
        refused.code() == Code::InvalidArgument && refused.message().starts_with("current_password:"),
        "{refused:?}"
    );
    assert!(who(&other).await.is_ok());
    // Whoever knew the old password may have asked for another address.
    let (new_email, password) = ("thief@example.org".to_owned(), PASSWORD.to_owned());
    let request = other.request(fleet::RequestAddressChangeRequest { new_email, password });
    other.accounts().request_address_change(request).await?;
    let prepared = secret(&server.mail().await?, "change-address")?;
    browser.accounts().change_password(change(PASSWORD)).await?;
    let request = other.request(fleet::ConfirmAddressChangeRequest { secret: prepared });
    assert_eq!(other.accounts().confirm_address_change(request).await.unwrap_err().code(), Code::NotFound);
    assert!(who(&browser).await.is_ok(), "who did it goes on");
    assert_eq!(who(&other).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(server.mail().await?.to, "anna@example.org");
    server.stop().await
}

#[tokio::test]
async fn an_address_is_another_one_once_its_mail_was_read() -> Result<()> {
    let mut server = WithMail::start().await?;
    let browser = server.person("anna@example.org").await?;
    server.person("taken@example.org").await?;
    let ask = |new_email: &str, password: &str| {
        let (new_email, password) = (new_email.to_owned(), password.to_owned());
        browser.request(fleet::RequestAddressChangeRequest { new_email, password })
    };
    assert!(browser.accounts().request_address_change(ask("new@example.org", "wrong")).await.is_err());
    // An address that somebody has is answered as any other; its owner is told.
    browser.accounts().request_address_change(ask("taken@example.org", PASSWORD)).await?;
    let told = server.mail().await?;
    assert_eq!(told.to, "taken@example.org");
    assert!(secret(&told, "change-address").is_err(), "{told:?}");

    browser.accounts().request_address_change(ask("first@example.org", PASSWORD)).await?;
    let first = secret(&server.mail().await?, "change-address")?;
    browser.accounts().request_address_change(ask("new@example.org", PASSWORD)).await?;
    let mail = server.mail().await?;
    assert_eq!(mail.to, "new@example.org");
    assert_eq!(who(&browser).await?.email, "anna@example.org", "not before it was read");
    let confirm = |secret: String| browser.request(fleet::ConfirmAddressChangeRequest { secret });
    let refused = browser.accounts().confirm_address_change(confirm(first)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "the first link was for another address");
    let changed = browser.accounts().confirm_address_change(confirm(secret(&mail, "change-address")?)).await?;
    assert_eq!(changed.into_inner().email, "new@example.org");
    assert_eq!(who(&browser).await?.email, "new@example.org");
    let told = server.mail().await?;
    assert!(told.to == "anna@example.org" && told.text.contains("new@example.org"), "{told:?}");
    server.stop().await
}
