//! Invitations: for one address, once.

use crate::people::Human;
use crate::support::{Fixture, actor, hash};
use anyhow::{Context, Result, bail};
use kaliun_domain::authorization::Grants;
use kaliun_domain::invitation::Seat;
use kaliun_domain::mail::{Mail, MailState};
use kaliun_domain::mailed_secret::SecretPurpose;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_domain::time_zone::TimeZoneName;
use kaliun_store::{
    HandedOver, InvitationAccepted, InvitationRow, Invited, NewInvitation, OrganizationScope, StoreError,
};
use kaliun_types::email::EmailAddress;
use std::time::{Duration, SystemTime};

/// How an invitation with a secret of this byte is made by hand.
async fn invite(
    fixture: &Fixture,
    scope: &OrganizationScope,
    email: &str,
    seat: Seat,
    secret: u8,
) -> Result<Invited, StoreError> {
    let email = EmailAddress::parse(email).expect("the test knows addresses");
    let expires_at = SystemTime::now() + Duration::from_secs(3600);
    let secret = hash(secret);
    let new = NewInvitation { email: &email, seat, expires_at, handed_over: HandedOver::ByHand(&secret) };
    fixture.store.system.invitation_insert(scope, &actor(), &new).await
}

async fn invited(fixture: &Fixture, email: &str, seat: Seat, secret: u8) -> Result<InvitationRow> {
    match invite(fixture, &fixture.first, email, seat, secret).await? {
        Invited::Yes(row) => Ok(row),
        other @ (Invited::NoSuchHome | Invited::IsIn) => bail!("{other:?}"),
    }
}

async fn accept(fixture: &Fixture, who: &Human, secret: u8) -> Result<InvitationAccepted, StoreError> {
    fixture.store.system.invitation_accept(&who.person.scope(), &who.actor(), &hash(secret)).await
}

#[tokio::test]
async fn an_invitation_brings_in_whom_it_is_for_in_any_case() -> Result<()> {
    let fixture = Fixture::new().await?;
    let ada = fixture.human(1, "ada@example.org").await?;
    let eve = fixture.human(2, "eve@example.org").await?;
    let made = invited(&fixture, "ADA@Example.org", Seat::Organization(Role::Operator), 1).await?;
    let found = fixture.store.system.invitation_look_up(&hash(1)).await?.context("it is good")?;
    assert_eq!((found.invitation.id, found.organization_name.as_str()), (made.id, "First"));
    assert_eq!(accept(&fixture, &eve, 1).await?, InvitationAccepted::ForSomebodyElse);
    assert_eq!(accept(&fixture, &ada, 2).await?, InvitationAccepted::NoSuchInvitation);
    let InvitationAccepted::Yes(mine) = accept(&fixture, &ada, 1).await? else { bail!("it was good") };
    assert_eq!((mine.id, mine.role, mine.homes), (fixture.first.organization(), Some(Role::Operator), 0));
    assert_eq!(accept(&fixture, &ada, 1).await?, InvitationAccepted::NoSuchInvitation, "once");
    assert!(fixture.store.system.invitation_look_up(&hash(1)).await?.is_none());
    assert!(fixture.store.system.invitation_list_page(&fixture.first, None, 10).await?.is_empty());
    assert_eq!(fixture.audited().await?, ["organization.create", "invitation.create", "invitation.accept"]);
    let again = invite(&fixture, &fixture.first, "ada@example.org", Seat::Organization(Role::Admin), 3).await?;
    assert!(matches!(again, Invited::IsIn), "{again:?}");
    Ok(())
}

#[tokio::test]
async fn two_who_accept_at_once_are_one() -> Result<()> {
    let fixture = Fixture::new().await?;
    let ada = fixture.human(1, "ada@example.org").await?;
    let home = fixture.first_home().await?;
    for (secret, seat) in [(1, Seat::Organization(Role::Viewer)), (2, Seat::Home(home, HomeRole::Owner))] {
        invited(&fixture, "ada@example.org", seat, secret).await?;
        let (one, two) = tokio::join!(accept(&fixture, &ada, secret), accept(&fixture, &ada, secret));
        let outcomes = [one?, two?];
        assert_eq!(
            outcomes.iter().filter(|done| matches!(done, InvitationAccepted::Yes(_))).count(),
            1,
            "{outcomes:?}"
        );
        assert!(outcomes.contains(&InvitationAccepted::NoSuchInvitation), "{outcomes:?}");
    }
    let accepted = "SELECT count(*) FROM audit WHERE action = 'invitation.accept'";
    assert_eq!(fixture.count(accepted).await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_role_rises_and_never_falls() -> Result<()> {
    let fixture = Fixture::new().await?;
    let home = fixture.first_home().await?;
    let ada = fixture.human(1, "ada@example.org").await?;
    invited(&fixture, "ada@example.org", Seat::Organization(Role::Viewer), 1).await?;
    invited(&fixture, "ada@example.org", Seat::Home(home, HomeRole::Member), 2).await?;
    // Meanwhile others made more of her.
    let organization = fixture.first.organization();
    let statement = "INSERT INTO membership (organization_id, account_id, role) VALUES ($1, $2, 3)";
    fixture.admin.execute(statement, &[&organization, &ada.account()]).await?;
    fixture.moves_in(&ada, home, HomeRole::Owner).await?;
    for secret in [1, 2] {
        assert!(matches!(accept(&fixture, &ada, secret).await?, InvitationAccepted::Yes(_)));
    }
    let standing = ada.place(&fixture, organization).await?.context("she is in")?.standing;
    assert_eq!((standing.role, standing.homes), (Some(Role::Operator), vec![(home, HomeRole::Owner)]));
    Ok(())
}

#[tokio::test]
async fn what_is_taken_back_replaced_or_too_old_is_void() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let ada = fixture.human(1, "ada@example.org").await?;
    let seat = Seat::Organization(Role::Viewer);
    let first = invited(&fixture, "ada@example.org", seat, 1).await?;
    let second = invited(&fixture, "Ada@example.org", Seat::Organization(Role::Support), 2).await?;
    assert_eq!(accept(&fixture, &ada, 1).await?, InvitationAccepted::NoSuchInvitation, "replaced");
    let waiting = system.invitation_list_page(&fixture.first, None, 10).await?;
    assert_eq!(waiting.iter().map(|row| row.id).collect::<Vec<_>>(), [second.id]);
    assert!(!system.invitation_revoke(&fixture.first, &actor(), first.id).await?);
    assert!(!system.invitation_revoke(&fixture.second, &actor(), second.id).await?, "another's");
    assert!(system.invitation_revoke(&fixture.first, &actor(), second.id).await?);
    assert_eq!(accept(&fixture, &ada, 2).await?, InvitationAccepted::NoSuchInvitation, "taken back");
    invited(&fixture, "ada@example.org", seat, 3).await?;
    fixture.admin.execute("UPDATE invitation SET expires_at = now()", &[]).await?;
    assert_eq!(accept(&fixture, &ada, 3).await?, InvitationAccepted::NoSuchInvitation, "too old");
    assert!(system.invitation_list_page(&fixture.first, None, 10).await?.is_empty());
    invited(&fixture, "bob@example.org", seat, 4).await?;
    assert_eq!(fixture.count("SELECT count(*) FROM invitation").await?, 1, "what is too old goes with the next");
    Ok(())
}

#[tokio::test]
async fn a_mail_makes_the_secret_unless_it_is_taken_back_before() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let email = EmailAddress::parse("ada@example.org")?;
    let expires_at = SystemTime::now() + Duration::from_secs(3600);
    let seat = Seat::Home(fixture.first_home().await?, HomeRole::Owner);
    let new = NewInvitation { email: &email, seat, expires_at, handed_over: HandedOver::ByMail };
    let Invited::Yes(row) = system.invitation_insert(&fixture.first, &actor(), &new).await? else { bail!("invited") };
    assert_eq!(fixture.count("SELECT count(*) FROM mailed_secret").await?, 0);
    assert_eq!(fixture.count("SELECT count(*) FROM invitation WHERE mailed").await?, 1);
    let claimed = system.mail_claim_batch(Duration::from_secs(60), 10).await?;
    let mail = claimed.first().context("a mail is due")?;
    let (organization, home) = ("First".to_owned(), "Home".to_owned());
    let expected = Mail::InvitedToHome { organization, home, role: "owner".to_owned(), inviter: "test".to_owned() };
    assert_eq!((mail.recipient.as_str(), mail.mail.as_ref()), ("ada@example.org", Some(&expected)));
    assert!(system.mail_secret_issue(mail, SecretPurpose::Invitation, &hash(1), expires_at).await?);
    assert!(system.invitation_look_up(&hash(1)).await?.is_some());
    assert!(system.invitation_revoke(&fixture.first, &actor(), row.id).await?);
    assert!(system.invitation_look_up(&hash(1)).await?.is_none());
    assert!(!system.mail_secret_issue(mail, SecretPurpose::Invitation, &hash(2), expires_at).await?);
    assert_eq!(system.mail_list_page(Some(MailState::GivenUp), None, 10).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_owner_sees_and_takes_back_those_to_their_home_only() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let home = fixture.first_home().await?;
    let other = system.installation_insert(&fixture.first, &actor(), "Cabin", TimeZoneName::UTC).await?.id;
    let ada = fixture.lives_in(1, "ada@example.org", home, HomeRole::Owner).await?;
    let scope = ada.right(&fixture, Grants::of(Role::Admin).or_in_home(HomeRole::Owner)).await?;
    let seat = Seat::Home(home, HomeRole::Member);
    assert!(matches!(invite(&fixture, &scope, "bob@example.org", seat, 1).await?, Invited::Yes(_)));
    let elsewhere = Seat::Home(other, HomeRole::Member);
    assert!(matches!(invite(&fixture, &scope, "bob@example.org", elsewhere, 2).await?, Invited::NoSuchHome));
    let cabin = invited(&fixture, "bob@example.org", elsewhere, 3).await?;
    let whole = invited(&fixture, "bob@example.org", Seat::Organization(Role::Viewer), 4).await?;
    let seen = system.invitation_list_page(&scope, None, 10).await?;
    assert_eq!(seen.iter().map(|row| row.seat).collect::<Vec<_>>(), [seat]);
    assert_eq!(seen.first().and_then(|row| row.home_name.as_deref()), Some("Home"));
    for foreign in [cabin.id, whole.id] {
        assert!(!system.invitation_revoke(&scope, &ada.actor(), foreign).await?);
    }
    assert_eq!(system.invitation_list_page(&fixture.first, None, 10).await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn there_is_room_for_so_many_and_no_more() -> Result<()> {
    let fixture = Fixture::new().await?;
    let home = fixture.first_home().await?;
    let fill = "INSERT INTO invitation (id, organization_id, email, role, installation_id, home_role, invited_by, mailed, expires_at)
                SELECT gen_random_uuid(), $1, 'x' || n || '@example.org', $4::smallint, $2, $5::smallint, 'test', false, now() + interval '1 hour'
                FROM generate_series(1, $3) AS n";
    let organization = fixture.first.organization();
    let (none, one) = (None::<i16>, Some(1_i16));
    fixture.admin.execute(fill, &[&organization, &home, &99_i32, &none, &one]).await?;
    invited(&fixture, "ada@example.org", Seat::Home(home, HomeRole::Member), 1).await?;
    let refused = invite(&fixture, &fixture.first, "bob@example.org", Seat::Home(home, HomeRole::Member), 2).await;
    assert!(matches!(refused, Err(StoreError::TooMany { most: 100, .. })), "{refused:?}");
    // One that takes another's place is none more.
    invited(&fixture, "ada@example.org", Seat::Home(home, HomeRole::Installer), 3).await?;
    let nowhere = None::<kaliun_types::id::InstallationId>;
    fixture.admin.execute(fill, &[&organization, &nowhere, &900_i32, &one, &none]).await?;
    let refused = invite(&fixture, &fixture.first, "bob@example.org", Seat::Organization(Role::Viewer), 4).await;
    assert!(matches!(refused, Err(StoreError::TooMany { most: 1_000, .. })), "{refused:?}");

    let ada = fixture.human(1, "ada@example.org").await?;
    for number in 0..10 {
        fixture.lives_in(10 + number, &format!("owner{number}@example.org"), home, HomeRole::Owner).await?;
    }
    fixture.admin.execute("UPDATE invitation SET home_role = 3 WHERE email = 'ada@example.org'", &[]).await?;
    let refused = accept(&fixture, &ada, 3).await;
    assert!(matches!(refused, Err(StoreError::TooMany { most: 10, .. })), "{refused:?}");
    fixture.admin.execute("UPDATE home_membership SET role = 1", &[]).await?;
    assert!(matches!(accept(&fixture, &ada, 3).await?, InvitationAccepted::Yes(_)), "nothing was used up");
    Ok(())
}
