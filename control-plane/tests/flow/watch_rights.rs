//! A watch ends with the right to it, whatever the right was, and shows nothing that is newer.

use crate::browser::Browser;
use crate::support::{Fixture, TestBox, connect, with_token, with_token_of};
use crate::watching::{the_list, until};
use anyhow::{Context, Result, bail};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::api_token_service_client::ApiTokenServiceClient;
use kaliun_proto::fleet::v1::watch_response::Message;
use kaliun_proto::fleet::v1::watch_service_client::WatchServiceClient;
use std::time::Duration;
use tonic::{Code, Streaming};

/// The contract promises to ask again within this time who may watch.
const PROMISED: Duration = Duration::from_secs(30);

async fn rename(fixture: &Fixture, device: &TestBox, version: u64, name: &str) -> Result<()> {
    let id = device.device_id.clone();
    let request = fleet::UpdateDeviceRequest { id, version, name: Some(name.to_owned()), ..Default::default() };
    fixture.devices().await?.update_device(with_token(request)).await?;
    Ok(())
}

/// Reads to the end, which must come in time, say that the right is over, and have nothing of a device before it.
pub(crate) async fn check_ended(mut stream: Streaming<fleet::WatchResponse>, code: Code) -> Result<()> {
    let ended = async {
        loop {
            match stream.message().await {
                Ok(Some(told)) => match told.message.context("a message")? {
                    Message::Summary(_) | Message::KeepAlive(_) => {}
                    told @ (Message::Device(_)
                    | Message::RemovedDeviceId(_)
                    | Message::Order(_)
                    | Message::CaughtUp(_)) => bail!("{told:?} was told without a right"),
                },
                Ok(None) => bail!("the watch ended without a word"),
                Err(status) => return Ok(status),
            }
        }
    };
    let status = tokio::time::timeout(PROMISED, ended).await.context("the watch goes on")??;
    assert_eq!(status.code(), code, "{status:?}");
    Ok(())
}

/// Lets nobody into the database any more, and throws out who is in.
async fn take_away_the_database(fixture: &Fixture) -> Result<()> {
    let mut elsewhere = fixture.database.admin_config();
    elsewhere.dbname("postgres");
    let admin = connect(&elsewhere).await?;
    let name = fixture.database.name();
    admin.batch_execute(&format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false")).await?;
    let ended =
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", &[&name]).await?;
    anyhow::ensure!(ended > 0, "nobody was in it");
    Ok(())
}

#[tokio::test]
async fn a_watch_ends_when_nobody_can_say_whether_it_may_go_on() -> Result<()> {
    let fixture = Fixture::start().await?;
    TestBox::enroll(&fixture, "cellar").await?;
    let (_id, secret) = token(&fixture).await?;
    let stream = watch_by_token(&fixture, &secret).await?;
    take_away_the_database(&fixture).await?;
    check_ended(stream, Code::Unavailable).await?;
    fixture.stop().await
}

pub(crate) async fn token(fixture: &Fixture) -> Result<(String, String)> {
    let mut tokens = ApiTokenServiceClient::new(fixture.public().await?);
    let role = fleet::Role::Viewer.into();
    let request = fleet::CreateApiTokenRequest { name: "watcher".to_owned(), role, ..Default::default() };
    let made = tokens.create_api_token(with_token(request)).await?.into_inner();
    Ok((made.api_token.context("a token")?.id, made.secret))
}

async fn revoke(fixture: &Fixture, id: String) -> Result<()> {
    let mut tokens = ApiTokenServiceClient::new(fixture.public().await?);
    tokens.revoke_api_token(with_token(fleet::RevokeApiTokenRequest { id })).await?;
    Ok(())
}

async fn watch_by_token(fixture: &Fixture, secret: &str) -> Result<Streaming<fleet::WatchResponse>> {
    let mut watches = WatchServiceClient::new(fixture.public().await?);
    let mut stream = watches.watch(with_token_of(secret, the_list())).await?.into_inner();
    until(&mut stream, |m| matches!(m, Message::CaughtUp(_))).await?;
    Ok(stream)
}

#[tokio::test]
async fn a_revoked_token_sees_no_change_any_more() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let (id, secret) = token(&fixture).await?;
    let mut stream = watch_by_token(&fixture, &secret).await?;
    rename(&fixture, &known, 1, "attic").await?;
    until(&mut stream, |m| matches!(m, Message::Device(device) if device.name == "attic")).await?;
    revoke(&fixture, id).await?;
    rename(&fixture, &known, 2, "barn").await?;
    check_ended(stream, Code::Unauthenticated).await?;
    fixture.stop().await
}

#[tokio::test]
async fn a_revoked_token_s_watch_ends_though_nothing_changes() -> Result<()> {
    let fixture = Fixture::start().await?;
    TestBox::enroll(&fixture, "cellar").await?;
    let (id, secret) = token(&fixture).await?;
    let stream = watch_by_token(&fixture, &secret).await?;
    revoke(&fixture, id).await?;
    check_ended(stream, Code::Unauthenticated).await?;
    fixture.stop().await
}

#[tokio::test]
async fn who_signs_out_sees_no_change_any_more() -> Result<()> {
    let mut fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let browser = Browser::sign_in(&mut fixture).await?;
    let mut stream = browser.watch(the_list()).await?;
    until(&mut stream, |m| matches!(m, Message::CaughtUp(_))).await?;
    rename(&fixture, &known, 1, "attic").await?;
    until(&mut stream, |m| matches!(m, Message::Device(device) if device.name == "attic")).await?;
    browser.sign_out().await?;
    rename(&fixture, &known, 2, "barn").await?;
    check_ended(stream, Code::Unauthenticated).await?;
    fixture.stop().await
}

/// What somebody may watch was decided by what they are in the organization.
#[tokio::test]
async fn who_is_taken_out_of_the_organization_sees_no_change_any_more() -> Result<()> {
    let mut fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let browser = Browser::sign_in(&mut fixture).await?;
    let mut stream = browser.watch(the_list()).await?;
    until(&mut stream, |m| matches!(m, Message::CaughtUp(_))).await?;
    let removed = fixture.admin().await?.execute("DELETE FROM membership WHERE role = 4", &[]).await?;
    assert_eq!(removed, 1);
    rename(&fixture, &known, 1, "barn").await?;
    check_ended(stream, Code::PermissionDenied).await?;
    fixture.stop().await
}

/// A watch reaches as far as the right that it was opened with, and not less when a role changes that has nothing to do with it.
#[tokio::test]
async fn who_gets_a_lower_role_and_may_watch_all_the_same_goes_on() -> Result<()> {
    let mut fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let browser = Browser::sign_in(&mut fixture).await?;
    let mut stream = browser.watch(the_list()).await?;
    until(&mut stream, |m| matches!(m, Message::CaughtUp(_))).await?;
    let lowered = fixture.admin().await?.execute("UPDATE membership SET role = 1 WHERE role = 4", &[]).await?;
    assert_eq!(lowered, 1);
    rename(&fixture, &known, 1, "barn").await?;
    until(&mut stream, |m| matches!(m, Message::Device(device) if device.name == "barn")).await?;
    fixture.stop().await
}
