//! Organizations at the real server: made, named, joined and left.

use crate::support::people::Person;
use crate::support::{Fixture, with_token};
use crate::watching::{the_list, until};
use anyhow::{Context, Result};
use kaliun_domain::role::Role;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::organization_service_client::OrganizationServiceClient;
use kaliun_proto::fleet::v1::watch_response::Message;
use std::time::{Duration, Instant};
use tonic::{Code, Status};

/// What somebody has open ends within a second of losing the right to it. Some seconds more for a busy machine; by itself a watch would
/// notice after thirty.
const SOON: Duration = Duration::from_secs(8);

async fn make(person: &Person, name: &str, home_time_zone: &str) -> Result<fleet::Organization, Status> {
    let request = fleet::CreateOrganizationRequest {
        name: name.to_owned(),
        home_time_zone: home_time_zone.to_owned(),
        ..Default::default()
    };
    let made = person.organizations().create_organization(person.request(request)).await?;
    Ok(made.into_inner().organization.unwrap_or_default())
}

async fn mine(person: &Person) -> Result<Vec<(String, fleet::Role, u32)>> {
    let request = person.request(fleet::ListMyOrganizationsRequest::default());
    let page = person.organizations().list_my_organizations(request).await?.into_inner();
    Ok(page.organizations.into_iter().map(|mine| (mine.name.clone(), mine.role(), mine.homes)).collect())
}

#[tokio::test]
async fn a_stranger_makes_an_organization_and_runs_it() -> Result<()> {
    let fixture = Fixture::start().await?;
    let ada = fixture.person("ada@example.org").await?;
    assert_eq!(mine(&ada).await?, []);
    let refused = ada.homes().list_installations(ada.request(fleet::ListInstallationsRequest::default())).await;
    assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition, "there is nowhere to look");
    for (name, zone, field) in
        [("", "", "name"), ("x\ny", "", "name"), (&"x".repeat(81), "", "name"), ("Ada", "Mars", "home_time_zone")]
    {
        let refused = make(&ada, name, zone).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with(&format!("{field}: ")), "{refused:?}");
    }
    let made = make(&ada, " Ada's ", "Europe/Vienna").await?;
    assert_eq!((made.name.as_str(), made.role(), made.homes), ("Ada's", fleet::Role::Admin, 1));
    let homes = ada.homes().list_installations(ada.request(fleet::ListInstallationsRequest::default())).await?;
    let homes = homes.into_inner().installations;
    let first = homes.first().context("the first home")?;
    assert_eq!((first.name.as_str(), first.time_zone.as_str(), homes.len()), ("Home", "Europe/Vienna", 1));
    let rename = fleet::UpdateOrganizationRequest { name: "Adas".to_owned() };
    ada.organizations().update_organization(ada.request(rename)).await?;
    assert_eq!(mine(&ada).await?, [("Adas".to_owned(), fleet::Role::Admin, 1)]);
    let leave = ada.organizations().leave_organization(ada.request(fleet::LeaveOrganizationRequest {})).await;
    assert_eq!(leave.unwrap_err().code(), Code::FailedPrecondition, "its only admin");
    for number in 2..=10 {
        make(&ada, &format!("Number {number}"), "").await?;
    }
    assert_eq!(make(&ada, "Number 11", "").await.unwrap_err().code(), Code::ResourceExhausted);
    fixture.stop().await
}

#[tokio::test]
async fn what_a_member_has_open_ends_as_they_are_removed() -> Result<()> {
    let fixture = Fixture::start().await?;
    let replica = fixture.replica().await?;
    let ada = fixture.member("ada@example.org", Role::Admin).await?;
    let bob = fixture.member("bob@example.org", Role::Viewer).await?;
    let mut here = bob.watches().watch(bob.request(the_list())).await?.into_inner();
    let there = crate::support::public_channel(&replica).await?;
    let mut there = fleet::watch_service_client::WatchServiceClient::new(there);
    let mut there = there.watch(bob.request(the_list())).await?.into_inner();
    for stream in [&mut here, &mut there] {
        until(stream, |message| matches!(message, Message::CaughtUp(_))).await?;
    }
    let began = Instant::now();
    let remove = fleet::RemoveMemberRequest { account_id: bob.account.to_string() };
    ada.organizations().remove_member(ada.request(remove)).await?;
    for mut stream in [here, there] {
        let ended = tokio::time::timeout(SOON, async { while let Ok(Some(_)) = stream.message().await {} }).await;
        assert!(ended.is_ok(), "it goes on {:?} after", began.elapsed());
    }
    replica.stop().await;
    fixture.stop().await
}

#[tokio::test]
async fn a_member_leaves_and_a_token_cannot() -> Result<()> {
    let fixture = Fixture::start().await?;
    let bob = fixture.member("bob@example.org", Role::Operator).await?;
    let mut by_token = OrganizationServiceClient::new(fixture.public().await?);
    let refused = by_token.leave_organization(with_token(fleet::LeaveOrganizationRequest {})).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    let members = bob.organizations().list_members(bob.request(fleet::ListMembersRequest::default())).await?;
    let emails: Vec<String> = members.into_inner().members.into_iter().map(|member| member.email).collect();
    assert_eq!(emails, ["admin@example.org", "bob@example.org"]);
    bob.organizations().leave_organization(bob.request(fleet::LeaveOrganizationRequest {})).await?;
    assert_eq!(mine(&bob).await?, []);
    fixture.stop().await
}
