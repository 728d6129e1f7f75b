//! Invitations at the real server, by hand and by mail.

use crate::accounts::{WithMail, secret};
use crate::support::Fixture;
use crate::support::people::Person;
use anyhow::{Context, Result};
use kaliun_domain::role::{HomeRole, Role};
use kaliun_proto::fleet::v1 as fleet;
use tonic::{Code, Status};

async fn invite(
    by: &Person,
    request: fleet::CreateInvitationRequest,
) -> Result<fleet::CreateInvitationResponse, Status> {
    Ok(by.invitations().create_invitation(by.request(request)).await?.into_inner())
}

async fn accept(who: &Person, secret: &str) -> Result<fleet::Organization, Status> {
    let request = fleet::AcceptInvitationRequest { secret: secret.to_owned() };
    let accepted = who.invitations().accept_invitation(who.request(request)).await?;
    Ok(accepted.into_inner().organization.unwrap_or_default())
}

fn to_organization(email: &str, role: fleet::Role) -> fleet::CreateInvitationRequest {
    fleet::CreateInvitationRequest { email: email.to_owned(), role: role.into(), ..Default::default() }
}

fn to_home(email: &str, home: &str, role: fleet::HomeRole) -> fleet::CreateInvitationRequest {
    let (email, installation_id) = (email.to_owned(), home.to_owned());
    fleet::CreateInvitationRequest { email, installation_id, home_role: role.into(), ..Default::default() }
}

#[tokio::test]
async fn without_mail_the_link_is_handed_over_and_is_good_for_one() -> Result<()> {
    let fixture = Fixture::start().await?;
    let ada = fixture.member("ada@example.org", Role::Admin).await?;
    let bob = fixture.person("bob@example.org").await?;
    let eve = fixture.person("eve@example.org").await?;
    let made = invite(&ada, to_organization("Bob@Example.org", fleet::Role::Operator)).await?;
    let (page, secret) = made.link.split_once('#').context("a secret")?;
    assert!(page.ends_with("/invitation") && secret.len() == 43, "{}", made.link);
    // Whoever has the link sees what it is to, without being signed in.
    let mut anybody = fleet::invitation_service_client::InvitationServiceClient::new(fixture.public().await?);
    let seen = anybody.look_up_invitation(fleet::LookUpInvitationRequest { secret: secret.to_owned() }).await?;
    let seen = seen.into_inner();
    let invitation = seen.invitation.context("an invitation")?;
    assert_eq!((invitation.role(), invitation.email.as_str()), (fleet::Role::Operator, "Bob@Example.org"));
    assert_eq!((invitation.invited_by.as_str(), seen.organization_name.as_str()), ("ada@example.org", "My fleet"));
    assert_eq!(accept(&eve, secret).await.unwrap_err().code(), Code::PermissionDenied);
    let joined = accept(&bob, secret).await?;
    assert_eq!((joined.name.as_str(), joined.role()), ("My fleet", fleet::Role::Operator));
    assert_eq!(accept(&bob, secret).await.unwrap_err().code(), Code::NotFound);
    let again = invite(&ada, to_organization("bob@example.org", fleet::Role::Viewer)).await;
    assert_eq!(again.unwrap_err().code(), Code::AlreadyExists);
    let secrets = "SELECT count(*) FROM audit WHERE after::text LIKE '%' || $1 || '%'";
    let kept: i64 = fixture.admin().await?.query_one(secrets, &[&secret]).await?.get(0);
    assert_eq!(kept, 0);
    fixture.stop().await
}

#[tokio::test]
async fn nobody_invites_further_than_they_reach() -> Result<()> {
    let fixture = Fixture::start().await?;
    let home = fixture.first_home().await?;
    let oto = fixture.member("oto@example.org", Role::Operator).await?;
    let owner = fixture.resident("owner@example.org", HomeRole::Owner).await?;
    let installer = fixture.resident("installer@example.org", HomeRole::Installer).await?;
    let viewer = || to_organization("bob@example.org", fleet::Role::Viewer);
    let guest = || to_home("bob@example.org", &home, fleet::HomeRole::Member);
    for (who, request) in [(&oto, viewer()), (&oto, guest()), (&installer, guest()), (&owner, viewer())] {
        let refused = invite(who, request).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{}: {refused:?}", who.email);
    }
    let elsewhere = to_home("bob@example.org", &uuid::Uuid::now_v7().to_string(), fleet::HomeRole::Member);
    assert_eq!(invite(&owner, elsewhere).await.unwrap_err().code(), Code::NotFound);
    for (request, field) in [
        (to_organization("bob", fleet::Role::Viewer), "email"),
        (to_organization("bob@example.org", fleet::Role::Unspecified), "role"),
        (to_home("bob@example.org", "kitchen", fleet::HomeRole::Member), "installation_id"),
        (to_home("bob@example.org", &home, fleet::HomeRole::Unspecified), "home_role"),
    ] {
        let refused = invite(&owner, request).await.unwrap_err();
        assert!(refused.message().starts_with(&format!("{field}: ")), "{refused:?}");
    }
    let made = invite(&owner, guest()).await?;
    let bob = fixture.person("bob@example.org").await?;
    let joined = accept(&bob, made.link.split_once('#').context("a secret")?.1).await?;
    assert_eq!((joined.role(), joined.homes), (fleet::Role::Unspecified, 1));
    fixture.stop().await
}

#[tokio::test]
async fn with_mail_the_link_is_in_the_mail_alone() -> Result<()> {
    let mut server = WithMail::start().await?;
    let ada = server.fixture.member("ada@example.org", Role::Admin).await?;
    let home = server.fixture.first_home().await?;
    let made = invite(&ada, to_home("bob@example.org", &home, fleet::HomeRole::Owner)).await?;
    assert_eq!(made.link, "");
    let mail = server.mail().await?;
    let secret = secret(&mail, "invitation")?;
    let bob = server.fixture.person("bob@example.org").await?;
    assert_eq!(accept(&bob, &secret).await?.homes, 1);
    let people = fleet::ListHomePeopleRequest { installation_id: home, ..Default::default() };
    let people = bob.homes().list_home_people(bob.request(people)).await?.into_inner().people;
    assert_eq!(people.iter().map(fleet::HomePerson::role).collect::<Vec<_>>(), [fleet::HomeRole::Owner]);
    server.stop().await
}
