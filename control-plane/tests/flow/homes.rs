//! Homes at the real server: who sees them, who changes them, and what is in them.

use crate::support::{Fixture, TestBox};
use crate::watching::{the_list, until};
use anyhow::Result;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::watch_response::Message;
use std::time::Duration;
use tonic::Code;

/// As for organizations: within a second, and some more for a busy machine.
const SOON: Duration = Duration::from_secs(8);

#[tokio::test]
async fn an_operator_makes_and_deletes_homes_that_no_box_serves() -> Result<()> {
    let fixture = Fixture::start().await?;
    let oto = fixture.member("oto@example.org", Role::Operator).await?;
    let create = |name: &str, time_zone: &str| {
        oto.request(fleet::CreateInstallationRequest { name: name.to_owned(), time_zone: time_zone.to_owned() })
    };
    let refused = oto.homes().create_installation(create("Cabin", "Europe/Atlantis")).await.unwrap_err();
    assert!(refused.message().starts_with("time_zone: "), "{refused:?}");
    let cabin = oto.homes().create_installation(create("Cabin", "europe/vienna")).await?.into_inner();
    let cabin = cabin.installation.unwrap_or_default();
    assert_eq!(cabin.time_zone, "Europe/Vienna", "as the database writes it");
    let again = oto.homes().create_installation(create("Cabin", "")).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);

    let device = TestBox::enroll(&fixture, "cellar").await?.device_id;
    let serve = "UPDATE device SET installation_id = $1::text::uuid WHERE id = $2::text::uuid";
    fixture.admin().await?.execute(serve, &[&cabin.id, &device]).await?;
    let delete = || oto.request(fleet::DeleteInstallationRequest { id: cabin.id.clone() });
    assert_eq!(oto.homes().delete_installation(delete()).await.unwrap_err().code(), Code::FailedPrecondition);
    let name = Some("Lodge".to_owned());
    let rename = fleet::UpdateInstallationRequest { id: cabin.id.clone(), name, time_zone: None };
    let mut stream = oto.watches().watch(oto.request(the_list())).await?.into_inner();
    until(&mut stream, |message| matches!(message, Message::CaughtUp(_))).await?;
    oto.homes().update_installation(oto.request(rename)).await?;
    until(&mut stream, |message| matches!(message, Message::Device(device) if device.installation_name == "Lodge"))
        .await?;
    oto.devices().delete_device(oto.request(fleet::DeleteDeviceRequest { id: device })).await?;
    oto.homes().delete_installation(oto.request(fleet::DeleteInstallationRequest { id: cabin.id.clone() })).await?;
    assert_eq!(oto.homes().delete_installation(delete()).await.unwrap_err().code(), Code::NotFound);
    fixture.stop().await
}

#[tokio::test]
async fn people_of_a_home_see_it_and_its_boxes_alone_until_they_are_out() -> Result<()> {
    let fixture = Fixture::start().await?;
    let home = fixture.first_home().await?;
    let owner = fixture.resident("owner@example.org", HomeRole::Owner).await?;
    let member = fixture.resident("member@example.org", HomeRole::Member).await?;
    let known = TestBox::enroll(&fixture, "cellar").await?.device_id;
    TestBox::enroll(&fixture, "elsewhere").await?;
    let serve = "UPDATE device SET installation_id = $1::text::uuid WHERE id = $2::text::uuid";
    fixture.admin().await?.execute(serve, &[&home, &known]).await?;
    let seen = member.devices().list_devices(member.request(fleet::ListDevicesRequest::default())).await?.into_inner();
    assert_eq!(seen.devices.iter().map(|device| device.name.as_str()).collect::<Vec<_>>(), ["cellar"]);
    let members = owner.organizations().list_members(owner.request(fleet::ListMembersRequest::default())).await;
    assert_eq!(members.unwrap_err().code(), Code::PermissionDenied, "the organization's people are none of theirs");

    let role = fleet::HomeRole::Installer.into();
    let promote = || fleet::UpdateHomePersonRequest {
        installation_id: home.clone(),
        account_id: member.account.to_string(),
        role,
    };
    let by_member = member.homes().update_home_person(member.request(promote())).await;
    assert_eq!(by_member.unwrap_err().code(), Code::PermissionDenied);
    owner.homes().update_home_person(owner.request(promote())).await?;
    let mut stream = member.watches().watch(member.request(the_list())).await?.into_inner();
    until(&mut stream, |message| matches!(message, Message::CaughtUp(_))).await?;
    let remove = |account: uuid::Uuid| fleet::RemoveHomePersonRequest {
        installation_id: home.clone(),
        account_id: account.to_string(),
    };
    owner.homes().remove_home_person(owner.request(remove(member.account))).await?;
    let ended = tokio::time::timeout(SOON, async { while let Ok(Some(_)) = stream.message().await {} }).await;
    assert!(ended.is_ok(), "it goes on");
    let last = owner.homes().remove_home_person(owner.request(remove(owner.account))).await;
    assert_eq!(last.unwrap_err().code(), Code::FailedPrecondition);
    let ada = fixture.member("ada@example.org", Role::Admin).await?;
    ada.homes().remove_home_person(ada.request(remove(owner.account))).await?;
    fixture.stop().await
}
