//! Homes: made, changed, and gone with all that is in them.

use crate::support::{Fixture, actor, hash};
use anyhow::{Context, Result, bail};
use kaliun_domain::authorization::Grants;
use kaliun_domain::invitation::Seat;
use kaliun_domain::mailed_secret::SecretPurpose;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_domain::time_zone::TimeZoneName;
use kaliun_store::{HandedOver, InstallationChange, InstallationDeleted, NewInvitation, StoreError};
use kaliun_types::email::EmailAddress;
use kaliun_types::id::InstallationId;
use std::time::{Duration, SystemTime};

#[tokio::test]
async fn a_name_is_taken_once_in_an_organization() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let vienna = TimeZoneName::parse("Europe/Vienna")?;
    let cabin = system.installation_insert(&fixture.first, &actor(), "Cabin", vienna).await?;
    let again = system.installation_insert(&fixture.first, &actor(), "Cabin", vienna).await;
    assert!(matches!(again, Err(StoreError::AlreadyExists { .. })), "{again:?}");
    system.installation_insert(&fixture.second, &actor(), "Cabin", vienna).await?;
    let change = InstallationChange { name: Some("Home"), time_zone: None };
    let taken = system.installation_update(&fixture.first, &actor(), cabin.id, change).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })), "{taken:?}");
    let change = InstallationChange { name: Some("Lodge"), time_zone: Some(TimeZoneName::UTC) };
    let (changed, _) =
        system.installation_update(&fixture.first, &actor(), cabin.id, change).await?.context("it is there")?;
    assert_eq!((changed.name.as_str(), changed.time_zone.as_str()), ("Lodge", "UTC"));
    let unchanged =
        system.installation_update(&fixture.first, &actor(), cabin.id, InstallationChange::default()).await?;
    assert_eq!(unchanged.map(|(row, _)| row), Some(changed));
    assert!(system.installation_update(&fixture.second, &actor(), cabin.id, change).await?.is_none(), "another's");
    let audited = fixture.audited().await?;
    assert_eq!(audited.iter().filter(|action| *action == "installation.update").count(), 1, "{audited:?}");
    Ok(())
}

#[tokio::test]
async fn a_home_goes_with_all_that_is_in_it_once_no_box_serves_it() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let home = fixture.first_home().await?;
    let ada = fixture.lives_in(1, "ada@example.org", home, HomeRole::Owner).await?;
    let device = fixture.enroll(&fixture.first, 10, "cellar").await?.device;
    fixture.admin.execute("UPDATE device SET installation_id = $1", &[&home]).await?;
    let email = EmailAddress::parse("bob@example.org")?;
    let invitation = NewInvitation {
        email: &email,
        seat: Seat::Home(home, HomeRole::Member),
        expires_at: SystemTime::now() + Duration::from_secs(60),
        handed_over: HandedOver::ByHand(&hash(3)),
    };
    system.invitation_insert(&fixture.first, &actor(), &invitation).await?;

    let delete = async || system.installation_delete(&fixture.first, &actor(), home).await;
    assert_eq!(delete().await?, InstallationDeleted::Served);
    let change = InstallationChange { name: Some("Lodge"), time_zone: None };
    let (_, told) = system.installation_update(&fixture.first, &actor(), home, change).await?.context("it is there")?;
    assert_eq!(told, [device]);
    assert_eq!(system.installation_delete(&fixture.second, &actor(), home).await?, InstallationDeleted::NoSuchHome);
    fixture.admin.execute("UPDATE device SET revoked_at = now()", &[]).await?;
    let InstallationDeleted::Yes(people) = delete().await? else { bail!("it was served") };
    assert_eq!(people.into_iter().collect::<Vec<_>>(), [ada.account()]);
    assert_eq!(ada.place(&fixture, fixture.first.organization()).await?, None);
    assert_eq!(system.mailed_secret_look(SecretPurpose::Invitation, &hash(3)).await?, None);
    let left: Option<InstallationId> = fixture.admin.query_one("SELECT installation_id FROM device", &[]).await?.get(0);
    assert_eq!(left, None);
    assert_eq!(delete().await?, InstallationDeleted::NoSuchHome);
    Ok(())
}

#[tokio::test]
async fn an_owner_changes_their_home_and_no_other() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let home = fixture.first_home().await?;
    let other = system.installation_insert(&fixture.first, &actor(), "Cabin", TimeZoneName::UTC).await?.id;
    let ada = fixture.lives_in(1, "ada@example.org", home, HomeRole::Owner).await?;
    let scope = ada.right(&fixture, Grants::of(Role::Operator).or_in_home(HomeRole::Owner)).await?;
    let change = InstallationChange { name: Some("Lodge"), time_zone: None };
    assert!(system.installation_update(&scope, &ada.actor(), other, change).await?.is_none());
    assert!(system.installation_update(&scope, &ada.actor(), home, change).await?.is_some());
    let seen = fixture.store.app.installation_list_page(&scope, None, 10).await?;
    assert_eq!(seen.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["Lodge"]);
    Ok(())
}
