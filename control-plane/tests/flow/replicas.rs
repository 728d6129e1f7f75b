//! Two servers on one database.

use crate::support::{Fixture, TestBox, public_channel, with_token, with_token_of};
use anyhow::{Context, Result};
use aws_lc_rs::digest::{SHA256, digest};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::device_service_client::DeviceServiceClient;
use kaliun_proto::fleet::v1::join_token_service_client::JoinTokenServiceClient;
use tonic::{Code, Status};

fn one_device(page_token: &str) -> fleet::ListDevicesRequest {
    fleet::ListDevicesRequest { page_size: 1, page_token: page_token.to_owned(), ..Default::default() }
}

/// The names on a page, and the token of the next.
fn page(answer: tonic::Response<fleet::ListDevicesResponse>) -> (Vec<String>, String) {
    let answer = answer.into_inner();
    (answer.devices.into_iter().map(|device| device.name).collect(), answer.next_page_token)
}

fn check_refused<T>(answer: Result<T, Status>) {
    let status = answer.map(|_| ()).expect_err("the token is of another list");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert!(status.message().starts_with("page_token"), "{status:?}");
}

/// An API token of an organization of its own.
async fn foreign_token(fixture: &Fixture) -> Result<String> {
    let token = format!("kat1.foreign-{}", "x".repeat(40));
    let secret_hash = digest(&SHA256, token.as_bytes()).as_ref().to_vec();
    fixture
        .admin()
        .await?
        .execute(
            "WITH other AS (INSERT INTO organization (id, name) VALUES (gen_random_uuid(), 'Other') RETURNING id)
             INSERT INTO api_token (id, organization_id, name, role, secret_hash, created_by, expires_at)
             SELECT gen_random_uuid(), id, 'other', 4, $1, 'test', now() + interval '1 hour' FROM other",
            &[&secret_hash],
        )
        .await?;
    Ok(token)
}

#[tokio::test]
async fn a_list_is_read_on_at_another_replica() -> Result<()> {
    let fixture = Fixture::start().await?;
    for name in ["attic", "barn", "cellar"] {
        TestBox::enroll(&fixture, name).await?;
    }
    let other = fixture.replica().await?;
    let other_channel = public_channel(&other).await?;
    let mut here = fixture.devices().await?;
    let mut there = DeviceServiceClient::new(other_channel.clone());

    let (names, token) = page(here.list_devices(with_token(one_device(""))).await?);
    assert_eq!(names, ["attic"]);
    let (names, next) = page(there.list_devices(with_token(one_device(&token))).await?);
    assert_eq!(names, ["barn"]);
    let (names, last) = page(here.list_devices(with_token(one_device(&next))).await?);
    assert_eq!((names, last), (vec!["cellar".to_owned()], String::new()));

    let narrower = fleet::ListDevicesRequest { name_contains: "r".to_owned(), ..one_device(&token) };
    check_refused(there.list_devices(with_token(narrower)).await);
    let join_tokens = fleet::ListJoinTokensRequest { page_token: token.clone(), ..Default::default() };
    check_refused(JoinTokenServiceClient::new(other_channel).list_join_tokens(with_token(join_tokens)).await);
    let stranger = foreign_token(&fixture).await?;
    check_refused(there.list_devices(with_token_of(&stranger, one_device(&token))).await);

    other.stop().await;
    fixture.stop().await
}

#[tokio::test]
async fn a_list_is_read_on_after_a_restart() -> Result<()> {
    let fixture = Fixture::start().await?;
    for name in ["attic", "barn"] {
        TestBox::enroll(&fixture, name).await?;
    }
    let (_, token) = page(fixture.devices().await?.list_devices(with_token(one_device(""))).await?);
    let fixture = fixture.restart().await.context("the second start")?;
    let (names, _) = page(fixture.devices().await?.list_devices(with_token(one_device(&token))).await?);
    assert_eq!(names, ["barn"]);
    fixture.stop().await
}
