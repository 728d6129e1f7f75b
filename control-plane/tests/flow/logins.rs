//! Signing in on a machine without a browser (RFC 8628), and the tokens that it then has.

use crate::accounts::{WithMail, who};
use crate::browser::Browser;
use crate::support::{Fixture, with_token_of};
use anyhow::{Context, Result};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::account_service_client::AccountServiceClient;
use kaliun_proto::fleet::v1::login_service_client::LoginServiceClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

/// A machine that asks to be signed in.
struct Machine {
    logins: LoginServiceClient<Channel>,
    accounts: AccountServiceClient<Channel>,
    begun: fleet::StartLoginResponse,
}

impl Machine {
    async fn begin(fixture: &Fixture) -> Result<Self> {
        let channel = fixture.public().await?;
        let mut logins = LoginServiceClient::new(channel.clone());
        let request = fleet::StartLoginRequest { client: "fleetctl on workbench".to_owned() };
        let begun = logins.start_login(request).await?.into_inner();
        Ok(Self { logins, accounts: AccountServiceClient::new(channel), begun })
    }

    async fn poll(&mut self) -> Result<fleet::PollLoginResponse, Status> {
        let request = fleet::PollLoginRequest { device_code: self.begun.device_code.clone() };
        Ok(self.logins.poll_login(request).await?.into_inner())
    }

    async fn refresh(&mut self, refresh_token: &str) -> Result<fleet::LoginTokens, Status> {
        let request = fleet::RefreshLoginRequest { refresh_token: refresh_token.to_owned() };
        Ok(self.logins.refresh_login(request).await?.into_inner().tokens.unwrap_or_default())
    }

    async fn who(&mut self, access_token: &str) -> Result<fleet::Identity, Status> {
        let answer = self.accounts.who_am_i(with_token_of(access_token, fleet::WhoAmIRequest {})).await?;
        Ok(answer.into_inner().identity.unwrap_or_default())
    }
}

async fn decide(browser: &Browser, code: &str, approve: bool) -> Result<(), Status> {
    let request = fleet::DecideLoginRequest { user_code: code.to_owned(), approve };
    LoginServiceClient::new(browser.web()).decide_login(browser.request(request)).await.map(|_| ())
}

async fn look_up(browser: &Browser, code: &str) -> Result<fleet::LookUpLoginResponse, Status> {
    let request = fleet::LookUpLoginRequest { user_code: code.to_owned() };
    Ok(LoginServiceClient::new(browser.web()).look_up_login(browser.request(request)).await?.into_inner())
}

/// Lets the machine ask again now.
async fn let_time_pass(fixture: &Fixture) -> Result<()> {
    fixture.admin().await?.execute("UPDATE login SET polled_at = polled_at - interval '1 hour'", &[]).await?;
    Ok(())
}

#[tokio::test]
async fn a_machine_is_signed_in_once_the_person_says_yes() -> Result<()> {
    let mut server = WithMail::start().await?;
    let browser = server.person("anna@example.org").await?;
    let mut machine = Machine::begin(&server.fixture).await?;
    let fleet::StartLoginResponse { user_code, verification_uri, verification_uri_complete, .. } =
        machine.begun.clone();
    assert!(verification_uri.ends_with("/login-device"), "{verification_uri}");
    assert_eq!(verification_uri_complete, format!("{verification_uri}?code={user_code}"));
    assert_eq!(machine.poll().await?.state(), fleet::LoginState::Pending);
    let soon = machine.poll().await?;
    assert_eq!((soon.state(), soon.interval_seconds), (fleet::LoginState::SlowDown, 10));

    let asks = look_up(&browser, &user_code.to_lowercase()).await?;
    assert_eq!((asks.client.as_str(), asks.source_address.as_str()), ("fleetctl on workbench", "127.0.0.1"));
    decide(&browser, &user_code, true).await?;
    assert_eq!(decide(&browser, &user_code, true).await.unwrap_err().code(), Code::NotFound, "a code is good once");
    let approved = machine.poll().await?;
    assert_eq!(approved.state(), fleet::LoginState::Approved);
    let tokens = approved.tokens.context("tokens")?;
    assert_eq!(machine.poll().await?.state(), fleet::LoginState::Expired, "tokens are given once");
    assert_eq!(machine.who(&tokens.access_token).await?.email, "anna@example.org");

    // It is one of her sessions, and can do what she can but let others in.
    let list = fleet::ListSessionsRequest::default();
    let sessions = browser.accounts().list_sessions(browser.request(list)).await?.into_inner().sessions;
    let kinds: Vec<_> = sessions.iter().map(|session| (session.kind(), session.client.as_str())).collect();
    assert!(kinds.contains(&(fleet::SessionKind::CommandLine, "fleetctl on workbench")), "{kinds:?}");
    let other = Machine::begin(&server.fixture).await?;
    let request = fleet::DecideLoginRequest { user_code: other.begun.user_code.clone(), approve: true };
    let refused = machine.logins.decide_login(with_token_of(&tokens.access_token, request)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);

    machine.accounts.sign_out(with_token_of(&tokens.access_token, fleet::SignOutRequest {})).await?;
    assert_eq!(machine.who(&tokens.access_token).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(machine.refresh(&tokens.refresh_token).await.unwrap_err().code(), Code::Unauthenticated);
    assert!(who(&browser).await.is_ok());
    server.stop().await
}

#[tokio::test]
async fn a_machine_is_told_of_a_no_and_of_a_code_that_ran_out() -> Result<()> {
    let mut server = WithMail::start().await?;
    let browser = server.person("anna@example.org").await?;
    let mut denied = Machine::begin(&server.fixture).await?;
    decide(&browser, &denied.begun.user_code, false).await?;
    assert_eq!(denied.poll().await?.state(), fleet::LoginState::Denied);
    let mut late = Machine::begin(&server.fixture).await?;
    server.fixture.admin().await?.execute("UPDATE login SET expires_at = now()", &[]).await?;
    assert_eq!(look_up(&browser, &late.begun.user_code).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(decide(&browser, &late.begun.user_code, true).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(late.poll().await?.state(), fleet::LoginState::Expired);
    server.stop().await
}

#[tokio::test]
async fn a_yes_is_worth_nothing_any_more_once_the_other_sessions_were_ended() -> Result<()> {
    let mut server = WithMail::start().await?;
    let browser = server.person("anna@example.org").await?;
    let mut machine = Machine::begin(&server.fixture).await?;
    decide(&browser, &machine.begun.user_code.clone(), true).await?;
    let request = browser.request(fleet::RevokeOtherSessionsRequest {});
    browser.accounts().revoke_other_sessions(request).await?;
    assert_eq!(machine.poll().await?.state(), fleet::LoginState::Expired);
    server.stop().await
}

#[tokio::test]
async fn tokens_are_replaced_and_one_that_comes_back_ends_the_session() -> Result<()> {
    let mut server = WithMail::start().await?;
    let browser = server.person("anna@example.org").await?;
    let mut machine = Machine::begin(&server.fixture).await?;
    decide(&browser, &machine.begun.user_code.clone(), true).await?;
    let first = machine.poll().await?.tokens.context("tokens")?;
    let second = machine.refresh(&first.refresh_token).await?;
    assert_eq!(machine.who(&first.access_token).await.unwrap_err().code(), Code::Unauthenticated, "it was replaced");
    assert_eq!(machine.who(&second.access_token).await?.email, "anna@example.org");
    // An access token that ran out is worth nothing, and the session goes on.
    server
        .fixture
        .admin()
        .await?
        .execute("UPDATE account_session SET access_expires_at = now() WHERE kind = 2", &[])
        .await?;
    assert_eq!(machine.who(&second.access_token).await.unwrap_err().code(), Code::Unauthenticated);
    let third = machine.refresh(&second.refresh_token).await?;
    assert_eq!(machine.who(&third.access_token).await?.email, "anna@example.org");

    // Whoever stole the second one uses it now: neither of them is believed any more.
    let thief = machine.refresh(&second.refresh_token).await.unwrap_err();
    assert!(thief.code() == Code::Unauthenticated && thief.message().contains("replaced before"), "{thief:?}");
    assert_eq!(machine.who(&third.access_token).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(machine.refresh(&third.refresh_token).await.unwrap_err().code(), Code::Unauthenticated);
    assert!(who(&browser).await.is_ok(), "her browser goes on");
    server.stop().await
}

#[tokio::test]
async fn codes_that_nothing_waits_under_run_out() -> Result<()> {
    let mut server = WithMail::start().await?;
    let browser = server.person("anna@example.org").await?;
    let machine = Machine::begin(&server.fixture).await?;
    for _ in 0..30 {
        look_up(&browser, &machine.begun.user_code).await?;
    }
    for _ in 0..10 {
        assert_eq!(look_up(&browser, "BBBB-BBBB").await.unwrap_err().code(), Code::NotFound);
    }
    let refused = look_up(&browser, &machine.begun.user_code).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "right codes wait, too");
    let_time_pass(&server.fixture).await?;
    server.stop().await
}
