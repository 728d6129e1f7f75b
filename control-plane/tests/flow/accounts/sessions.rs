//! A person's sessions.

use super::{PASSWORD, WithMail, who};
use crate::browser::Browser;
use crate::support::with_token;
use crate::watch_rights::check_ended;
use crate::watching::{the_list, until};
use anyhow::{Context, Result};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::watch_response::Message;
use tonic::Code;

async fn sessions(browser: &Browser, page_size: u32, page_token: &str) -> Result<fleet::ListSessionsResponse> {
    let request = fleet::ListSessionsRequest { page_size, page_token: page_token.to_owned() };
    Ok(browser.accounts().list_sessions(browser.request(request)).await?.into_inner())
}

#[tokio::test]
async fn sessions_are_listed_and_end_one_by_one_or_all_but_one() -> Result<()> {
    let mut server = WithMail::start().await?;
    let browser = server.person("anna@example.org").await?;
    let other_person = server.person("bert@example.org").await?;
    let mut others = Vec::new();
    for _ in 0..3 {
        let mut other = Browser::open(&server.fixture).await?;
        other.sign_in_as("anna@example.org", PASSWORD).await?;
        others.push(other);
    }
    let first = sessions(&browser, 3, "").await?;
    let second = sessions(&browser, 3, &first.next_page_token).await?;
    let foreign = fleet::ListSessionsRequest { page_size: 3, page_token: first.next_page_token.clone() };
    let foreign = other_person.accounts().list_sessions(other_person.request(foreign)).await.unwrap_err();
    assert_eq!(foreign.code(), Code::InvalidArgument);
    let all: Vec<_> = first.sessions.into_iter().chain(second.sessions).collect();
    assert_eq!((all.len(), second.next_page_token.as_str()), (4, ""));
    let current: Vec<bool> = all.iter().map(|session| session.is_current).collect();
    assert_eq!(current, [false, false, false, true], "newest first");
    assert!(
        all.iter()
            .all(|session| session.kind() == fleet::SessionKind::Browser && session.source_address == "127.0.0.1")
    );

    let newest = all.first().context("four")?.id.clone();
    let revoke = |by: &Browser| by.request(fleet::RevokeSessionRequest { id: newest.clone() });
    let foreign = other_person.accounts().revoke_session(revoke(&other_person)).await.unwrap_err();
    assert_eq!(foreign.code(), Code::NotFound);
    browser.accounts().revoke_session(revoke(&browser)).await?;
    let ended = others.pop().context("three")?;
    assert_eq!(who(&ended).await.unwrap_err().code(), Code::Unauthenticated);

    let request = browser.request(fleet::RevokeOtherSessionsRequest {});
    let revoked = browser.accounts().revoke_other_sessions(request).await?;
    assert_eq!(revoked.into_inner().revoked, 2);
    for other in others {
        assert_eq!(who(&other).await.unwrap_err().code(), Code::Unauthenticated);
    }
    assert!(who(&browser).await.is_ok());
    server.stop().await
}

/// The watch of somebody whose session is ended at one replica ends at the other.
#[tokio::test]
async fn a_watch_ends_with_its_session_also_at_another_replica() -> Result<()> {
    let mut server = WithMail::start().await?;
    let mut browser = server.person("anna@example.org").await?;
    let account = who(&browser).await?.account_id;
    let admin = server.fixture.admin().await?;
    admin
        .execute(
            "INSERT INTO membership (organization_id, account_id, role) SELECT id, $1::text::uuid, 1 FROM organization",
            &[&account],
        )
        .await?;
    let replica = server.fixture.replica().await?;
    let mut elsewhere = Browser::open_at(&server.fixture, &replica).await?;
    elsewhere.sign_in_as("anna@example.org", PASSWORD).await?;
    let mut stream = elsewhere.watch(the_list()).await?;
    until(&mut stream, |message| matches!(message, Message::CaughtUp(_))).await?;
    let mut hints = server.fixture.hints().await?;
    browser.accounts().revoke_other_sessions(browser.request(fleet::RevokeOtherSessionsRequest {})).await?;
    // It is told at once, and would find out by itself some seconds later.
    assert_eq!(hints.next().await?, format!("rights account {account}"));
    check_ended(stream, Code::Unauthenticated).await?;
    browser.sign_in_as("anna@example.org", PASSWORD).await?;
    replica.stop().await;
    server.stop().await
}

#[tokio::test]
async fn a_call_acts_in_the_organization_that_it_names() -> Result<()> {
    let server = WithMail::start().await?;
    let mut client = fleet::account_service_client::AccountServiceClient::new(server.fixture.public().await?);
    let own = client.who_am_i(with_token(fleet::WhoAmIRequest {})).await?.into_inner().identity.context("who")?;
    for (organization, expected) in [
        (own.organization_id.as_str(), Code::Ok),
        ("018f3c1e-7d2a-7c3b-9f10-2b6f0c9a5d11", Code::PermissionDenied),
        ("My fleet", Code::InvalidArgument),
    ] {
        let mut request = with_token(fleet::WhoAmIRequest {});
        request.metadata_mut().insert("kaliun-organization", organization.parse()?);
        let code = client.who_am_i(request).await.err().map_or(Code::Ok, |status| status.code());
        assert_eq!(code, expected, "{organization}");
    }
    server.stop().await
}
