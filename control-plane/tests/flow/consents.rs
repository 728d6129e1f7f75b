//! Support's way into a home at the real server, from the question to the end.

use crate::support::people::Person;
use crate::support::{Fixture, TestBox};
use anyhow::{Context, Result};
use kaliun_domain::role::{HomeRole, Role};
use kaliun_proto::fleet::v1 as fleet;
use tonic::{Code, Status};

async fn ask(who: &Person, home: &str, reason: &str, duration_seconds: u32) -> Result<fleet::Consent, Status> {
    let (installation_id, reason) = (home.to_owned(), reason.to_owned());
    let request = fleet::RequestConsentRequest { installation_id, reason, duration_seconds };
    Ok(who.consents().request_consent(who.request(request)).await?.into_inner().consent.unwrap_or_default())
}

async fn decide(who: &Person, id: &str, approve: bool) -> Result<fleet::Consent, Status> {
    let request = fleet::DecideConsentRequest { id: id.to_owned(), approve };
    Ok(who.consents().decide_consent(who.request(request)).await?.into_inner().consent.unwrap_or_default())
}

async fn end(who: &Person, id: &str) -> Result<fleet::Consent, Status> {
    let request = fleet::EndConsentRequest { id: id.to_owned() };
    Ok(who.consents().end_consent(who.request(request)).await?.into_inner().consent.unwrap_or_default())
}

async fn rename(who: &Person, device: &str, version: u64, name: &str) -> Result<(), Status> {
    let request = fleet::UpdateDeviceRequest {
        id: device.to_owned(),
        version,
        name: Some(name.to_owned()),
        ..Default::default()
    };
    who.devices().update_device(who.request(request)).await.map(|_| ())
}

#[tokio::test]
async fn support_acts_in_a_home_while_its_owner_lets_them() -> Result<()> {
    let fixture = Fixture::start().await?;
    let home = fixture.first_home().await?;
    let sam = fixture.member("sam@example.org", Role::Support).await?;
    let owner = fixture.resident("owner@example.org", HomeRole::Owner).await?;
    let device = TestBox::enroll(&fixture, "cellar").await?.device_id;
    let other = TestBox::enroll(&fixture, "attic").await?.device_id;
    let serve = "UPDATE device SET installation_id = $1::text::uuid WHERE id = $2::text::uuid";
    fixture.admin().await?.execute(serve, &[&home, &device]).await?;
    assert_eq!(rename(&sam, &device, 1, "barn").await.unwrap_err().code(), Code::PermissionDenied);

    let asked = ask(&sam, &home, " The heating is off. ", 0).await?;
    assert_eq!((asked.state(), asked.duration_seconds), (fleet::ConsentState::Waiting, 14_400));
    assert_eq!((asked.reason.as_str(), asked.asked_by.as_str()), ("The heating is off.", "sam@example.org"));
    assert_eq!(ask(&sam, &home, "again", 0).await.unwrap_err().code(), Code::AlreadyExists);
    let granted = decide(&owner, &asked.id, true).await?;
    assert_eq!((granted.state(), granted.decided_by.as_str()), (fleet::ConsentState::Granted, "owner@example.org"));
    assert_eq!(granted.until_ms - granted.decided_at_ms, 14_400_000);

    rename(&sam, &device, 1, "barn").await?;
    assert_eq!(rename(&sam, &other, 1, "loft").await.unwrap_err().code(), Code::NotFound, "another home's box");
    let marked = "SELECT consent_id::text FROM audit WHERE action = 'device.update'";
    let marked: Option<String> = fixture.admin().await?.query_one(marked, &[]).await?.get(0);
    assert_eq!(marked.as_ref(), Some(&asked.id), "what was done within it is marked");

    assert_eq!(end(&owner, &asked.id).await?.state(), fleet::ConsentState::Ended);
    assert_eq!(rename(&sam, &device, 2, "shed").await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(end(&sam, &asked.id).await.unwrap_err().code(), Code::FailedPrecondition, "it is over");
    fixture.stop().await
}

#[tokio::test]
async fn only_an_owner_says_yes_and_only_support_asks() -> Result<()> {
    let fixture = Fixture::start().await?;
    let home = fixture.first_home().await?;
    let sam = fixture.member("sam@example.org", Role::Support).await?;
    assert_eq!(
        ask(&sam, &home, "why not", 0).await.unwrap_err().code(),
        Code::FailedPrecondition,
        "nobody could say yes"
    );
    let owner = fixture.resident("owner@example.org", HomeRole::Owner).await?;
    let member = fixture.resident("member@example.org", HomeRole::Member).await?;
    let ada = fixture.member("ada@example.org", Role::Admin).await?;
    let viewer = fixture.member("viewer@example.org", Role::Viewer).await?;
    for (reason, seconds, field) in
        [("", 0, "reason"), ("why", 60, "duration_seconds"), ("why", 604_801, "duration_seconds")]
    {
        let refused = ask(&sam, &home, reason, seconds).await.unwrap_err();
        assert!(refused.message().starts_with(&format!("{field}: ")), "{refused:?}");
    }
    assert_eq!(ask(&ada, &home, "why", 0).await.unwrap_err().code(), Code::FailedPrecondition, "she needs none");
    assert_eq!(ask(&viewer, &home, "why", 0).await.unwrap_err().code(), Code::PermissionDenied);
    let asked = ask(&sam, &home, "why", 900).await?;
    for who in [&sam, &ada, &member] {
        assert_eq!(decide(who, &asked.id, true).await.unwrap_err().code(), Code::PermissionDenied, "{}", who.email);
    }
    assert_eq!(end(&ada, &asked.id).await.unwrap_err().code(), Code::PermissionDenied);
    let open = fleet::ListConsentsRequest { only_open: true, ..Default::default() };
    for (who, expected) in [(&sam, 1), (&ada, 1), (&member, 1), (&owner, 1)] {
        let listed = who.consents().list_consents(who.request(open.clone())).await?.into_inner().consents;
        assert_eq!(listed.len(), expected, "{}", who.email);
    }
    assert_eq!(decide(&owner, &asked.id, false).await?.state(), fleet::ConsentState::Denied);
    assert_eq!(decide(&owner, &asked.id, true).await.unwrap_err().code(), Code::FailedPrecondition, "it was decided");
    let listed = owner.consents().list_consents(owner.request(open)).await?.into_inner().consents;
    assert!(listed.is_empty(), "{listed:?}");
    let all = owner.consents().list_consents(owner.request(fleet::ListConsentsRequest::default())).await?.into_inner();
    assert_eq!(all.consents.first().context("the one")?.until_ms, 0);
    fixture.stop().await
}
