//! Asking for an account, and getting it.

use super::{OTHER_PASSWORD, PASSWORD, WithMail, confirm, secret, sign_up, who};
use crate::browser::Browser;
use crate::support::{Fixture, with_token};
use anyhow::Result;
use kaliun_control_plane::SignUpPolicy;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::sign_up_service_client::SignUpServiceClient;
use tonic::Code;

#[tokio::test]
async fn a_stranger_signs_up_and_is_in_once_the_mail_was_read() -> Result<()> {
    let mut server = WithMail::start().await?;
    let mut browser = Browser::open(&server.fixture).await?;
    assert_eq!(sign_up(&browser, "Anna@example.org").await?, fleet::SignUpStep::Mail);
    let refused = browser.sign_in_as("anna@example.org", PASSWORD).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "there is no account yet");

    let mail = server.mail().await?;
    assert_eq!(mail.to, "Anna@example.org");
    let secret = secret(&mail, "confirm")?;
    let wrong = confirm(&mut browser, &secret, OTHER_PASSWORD).await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument, "{wrong:?}");
    let identity = confirm(&mut browser, &secret, PASSWORD).await?;
    assert_eq!((identity.email.as_str(), identity.name.as_str()), ("Anna@example.org", "Anna Berger"));
    assert!(identity.has_password && identity.organization_id.is_empty() && !identity.runs_platform, "{identity:?}");
    assert_eq!(who(&browser).await?, identity);

    let again = confirm(&mut browser, &secret, PASSWORD).await.unwrap_err();
    assert_eq!(again.code(), Code::NotFound, "a link is good once");
    let mut elsewhere = Browser::open(&server.fixture).await?;
    elsewhere.sign_in_as("ANNA@example.org", PASSWORD).await?;
    server.stop().await
}

#[tokio::test]
async fn whoever_asks_learns_nothing_and_the_address_s_owner_does() -> Result<()> {
    let mut server = WithMail::start().await?;
    server.person("anna@example.org").await?;
    let stranger = Browser::open(&server.fixture).await?;
    assert_eq!(sign_up(&stranger, "anna@example.org").await?, sign_up(&stranger, "nobody@example.org").await?);
    let (first, second) = (server.mail().await?, server.mail().await?);
    let mut mails = [first, second];
    mails.sort_by(|one, other| one.to.cmp(&other.to));
    let [known, new] = mails;
    assert_eq!((known.to.as_str(), new.to.as_str()), ("anna@example.org", "nobody@example.org"));
    assert!(secret(&known, "confirm").is_err(), "{known:?}");
    assert!(secret(&new, "confirm").is_ok(), "{new:?}");

    for email in ["anna@example.org", "stranger@example.org"] {
        let request = fleet::RequestPasswordResetRequest { email: email.to_owned() };
        stranger.accounts().request_password_reset(stranger.request(request)).await?;
        let mail = server.mail().await?;
        assert_eq!(mail.to, email);
        assert_eq!(secret(&mail, "reset").is_ok(), email.starts_with("anna"), "{mail:?}");
    }
    server.stop().await
}

/// Somebody asks with another's address and a password of their own: the owner of the address cannot be made to give them the account.
#[tokio::test]
async fn nobody_prepares_an_account_for_somebody_else() -> Result<()> {
    let mut server = WithMail::start().await?;
    let attacker = Browser::open(&server.fixture).await?;
    let request = fleet::SignUpRequest {
        email: "anna@example.org".to_owned(),
        name: "Anna Berger".to_owned(),
        password: OTHER_PASSWORD.to_owned(),
        ..Default::default()
    };
    attacker.accounts().sign_up(attacker.request(request)).await?;
    let prepared = secret(&server.mail().await?, "confirm")?;
    let mut browser = Browser::open(&server.fixture).await?;
    sign_up(&browser, "anna@example.org").await?;
    let own = secret(&server.mail().await?, "confirm")?;
    assert!(confirm(&mut browser, &prepared, PASSWORD).await.is_err(), "it takes the password of that request");
    confirm(&mut browser, &own, PASSWORD).await?;
    let late = confirm(&mut browser, &prepared, OTHER_PASSWORD).await.unwrap_err();
    assert_eq!(late.code(), Code::NotFound, "the other request is forgotten");
    server.stop().await
}

#[tokio::test]
async fn what_is_typed_is_refused_by_its_field() -> Result<()> {
    let server = WithMail::start().await?;
    let browser = Browser::open(&server.fixture).await?;
    let good = fleet::SignUpRequest {
        email: "anna@example.org".to_owned(),
        name: "Anna".to_owned(),
        password: PASSWORD.to_owned(),
        ..Default::default()
    };
    let cases = [
        (fleet::SignUpRequest { email: "anna".to_owned(), ..good.clone() }, "email:"),
        (fleet::SignUpRequest { email: "anna@example.org\r\nBcc: x@example.org".to_owned(), ..good.clone() }, "email:"),
        (fleet::SignUpRequest { name: " ".to_owned(), ..good.clone() }, "name:"),
        (fleet::SignUpRequest { name: "x".repeat(81), ..good.clone() }, "name:"),
        (fleet::SignUpRequest { password: "short".to_owned(), ..good.clone() }, "password: must have at least 12"),
        (fleet::SignUpRequest { password: "password1234".to_owned(), ..good.clone() }, "password: is among those"),
        (fleet::SignUpRequest { password: "anna@example.org".to_owned(), ..good }, "password: is mostly made of your"),
    ];
    for (request, expected) in cases {
        let refused = browser.accounts().sign_up(browser.request(request)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        assert!(refused.message().starts_with(expected), "{refused:?} for {expected}");
    }
    server.stop().await
}

#[tokio::test]
async fn without_mail_an_admin_of_the_server_says_yes() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut browser = Browser::open(&fixture).await?;
    assert_eq!(sign_up(&browser, "anna@example.org").await?, fleet::SignUpStep::Admin);
    assert_eq!(sign_up(&browser, "bert@example.org").await?, fleet::SignUpStep::Admin);
    assert_eq!(browser.sign_in_as("anna@example.org", PASSWORD).await.unwrap_err().code(), Code::Unauthenticated);
    let mut waiting = SignUpServiceClient::new(fixture.public().await?);
    let list = fleet::ListSignUpsRequest { page_size: 1, ..Default::default() };
    let first = waiting.list_sign_ups(with_token(list)).await?.into_inner();
    let list = fleet::ListSignUpsRequest { page_size: 1, page_token: first.next_page_token };
    let second = waiting.list_sign_ups(with_token(list)).await?.into_inner();
    let listed: Vec<_> = first.sign_ups.into_iter().chain(second.sign_ups).collect();
    let emails: Vec<_> = listed.iter().map(|entry| entry.email.as_str()).collect();
    assert_eq!(
        (emails.as_slice(), second.next_page_token.as_str()),
        (["bert@example.org", "anna@example.org"].as_slice(), "")
    );
    let id = |index: usize| listed.get(index).map(|entry| entry.id.clone()).unwrap_or_default();
    waiting.deny_sign_up(with_token(fleet::DenySignUpRequest { id: id(0) })).await?;
    waiting.approve_sign_up(with_token(fleet::ApproveSignUpRequest { id: id(1) })).await?;
    let again = waiting.approve_sign_up(with_token(fleet::ApproveSignUpRequest { id: id(0) })).await.unwrap_err();
    assert_eq!(again.code(), Code::NotFound);
    browser.sign_in_as("anna@example.org", PASSWORD).await?;
    assert_eq!(browser.sign_in_as("bert@example.org", PASSWORD).await.unwrap_err().code(), Code::Unauthenticated);

    let request = fleet::RequestPasswordResetRequest { email: "anna@example.org".to_owned() };
    let refused = browser.accounts().request_password_reset(browser.request(request)).await.unwrap_err();
    assert!(
        refused.code() == Code::FailedPrecondition && refused.message().contains("cannot send mail"),
        "{refused:?}"
    );
    fixture.stop().await
}

#[tokio::test]
async fn a_server_for_the_invited_takes_no_stranger() -> Result<()> {
    let fixture = Fixture::start_with(|config| config.sign_up = SignUpPolicy::Invited).await?;
    let browser = Browser::open(&fixture).await?;
    let refused = sign_up(&browser, "anna@example.org").await.unwrap_err();
    assert!(refused.code() == Code::PermissionDenied && refused.message().contains("invitation"), "{refused:?}");
    fixture.stop().await
}
