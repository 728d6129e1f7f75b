//! People of a home: it is always somebody's, unless an admin of the organization wants it otherwise.

use crate::people::Human;
use crate::support::Fixture;
use anyhow::{Context, Result};
use kaliun_domain::authorization::Grants;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_domain::time_zone::TimeZoneName;
use kaliun_store::{HomePersonChanged, OrganizationScope, OwnerlessHome, StoreError};
use kaliun_types::id::InstallationId;

const LETS_IN: Grants = Grants::of(Role::Admin).or_in_home(HomeRole::Owner);

struct Household {
    fixture: Fixture,
    home: InstallationId,
    ada: Human,
    scope: OrganizationScope,
}

/// A home that is Ada's.
async fn household() -> Result<Household> {
    let fixture = Fixture::new().await?;
    let home = fixture.first_home().await?;
    let ada = fixture.lives_in(1, "ada@example.org", home, HomeRole::Owner).await?;
    let scope = ada.right(&fixture, LETS_IN).await?;
    Ok(Household { fixture, home, ada, scope })
}

impl Household {
    async fn set_role(&self, whom: &Human, role: HomeRole) -> Result<HomePersonChanged, StoreError> {
        let which = (self.home, whom.account());
        self.fixture.store.system.home_person_set_role(&self.scope, &self.ada.actor(), which, role).await
    }

    async fn remove(&self, whom: &Human, ownerless: OwnerlessHome) -> Result<HomePersonChanged, StoreError> {
        let which = (self.home, whom.account());
        self.fixture.store.system.home_person_remove(&self.scope, &self.ada.actor(), which, ownerless).await
    }
}

#[tokio::test]
async fn the_only_owner_stays_one() -> Result<()> {
    let household = household().await?;
    let bob = household.fixture.lives_in(2, "bob@example.org", household.home, HomeRole::Member).await?;
    assert_eq!(household.set_role(&household.ada, HomeRole::Member).await?, HomePersonChanged::OnlyOwner);
    assert_eq!(household.remove(&household.ada, OwnerlessHome::Refused).await?, HomePersonChanged::OnlyOwner);
    assert_eq!(household.set_role(&bob, HomeRole::Owner).await?, HomePersonChanged::Yes);
    assert_eq!(household.set_role(&household.ada, HomeRole::Installer).await?, HomePersonChanged::Yes);
    assert_eq!(household.remove(&bob, OwnerlessHome::Refused).await?, HomePersonChanged::OnlyOwner);
    assert_eq!(household.remove(&bob, OwnerlessHome::Allowed).await?, HomePersonChanged::Yes, "as an admin does");
    assert_eq!(household.remove(&bob, OwnerlessHome::Allowed).await?, HomePersonChanged::NoSuchPerson);
    let audited = household.fixture.audited().await?;
    assert_eq!(audited, ["organization.create", "home_person.update", "home_person.update", "home_person.remove"]);
    Ok(())
}

#[tokio::test]
async fn of_two_owners_who_remove_each_other_one_stays() -> Result<()> {
    let household = household().await?;
    for round in 2..7 {
        let bob = household
            .fixture
            .lives_in(round, &format!("bob{round}@example.org"), household.home, HomeRole::Owner)
            .await?;
        let (one, two) = tokio::join!(
            household.remove(&household.ada, OwnerlessHome::Refused),
            household.remove(&bob, OwnerlessHome::Refused),
        );
        let outcomes = [one?, two?];
        assert!(
            outcomes.contains(&HomePersonChanged::Yes) && outcomes.contains(&HomePersonChanged::OnlyOwner),
            "{outcomes:?}"
        );
        household.fixture.admin.execute("DELETE FROM home_membership", &[]).await?;
        household.fixture.moves_in(&household.ada, household.home, HomeRole::Owner).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_owner_who_leaves_and_one_who_is_removed_at_once_leave_one() -> Result<()> {
    let household = household().await?;
    let bob = household.fixture.lives_in(2, "bob@example.org", household.home, HomeRole::Owner).await?;
    let (system, actor) = (&household.fixture.store.system, household.ada.actor());
    let leaving = system.member_leave(&household.scope, &actor, household.ada.account());
    let (left, removed) = tokio::join!(leaving, household.remove(&bob, OwnerlessHome::Refused));
    left?;
    removed?;
    assert_eq!(household.fixture.count("SELECT count(*) FROM home_membership WHERE role = 3").await?, 1);
    Ok(())
}

#[tokio::test]
async fn there_are_ten_owners_at_most() -> Result<()> {
    let household = household().await?;
    for number in 2..=10 {
        household
            .fixture
            .lives_in(number, &format!("owner{number}@example.org"), household.home, HomeRole::Owner)
            .await?;
    }
    let eve = household.fixture.lives_in(11, "eve@example.org", household.home, HomeRole::Member).await?;
    let refused = household.set_role(&eve, HomeRole::Owner).await;
    assert!(matches!(refused, Err(StoreError::TooMany { most: 10, .. })), "{refused:?}");
    assert_eq!(household.set_role(&eve, HomeRole::Installer).await?, HomePersonChanged::Yes);
    Ok(())
}

#[tokio::test]
async fn a_home_is_closed_to_owners_of_another() -> Result<()> {
    let household = household().await?;
    let fixture = &household.fixture;
    let system = &fixture.store.system;
    let other =
        system.installation_insert(&fixture.first, &household.ada.actor(), "Cabin", TimeZoneName::UTC).await?.id;
    let bob = fixture.lives_in(2, "bob@example.org", other, HomeRole::Owner).await?;
    let actor = household.ada.actor();
    let which = (other, bob.account());
    let changed = system.home_person_set_role(&household.scope, &actor, which, HomeRole::Member).await?;
    assert_eq!(changed, HomePersonChanged::NoSuchHome);
    let removed = system.home_person_remove(&household.scope, &actor, which, OwnerlessHome::Allowed).await?;
    assert_eq!(removed, HomePersonChanged::NoSuchHome);
    assert!(system.home_person_list_page(&household.scope, other, None, 10).await?.is_none());
    assert!(system.home_person_list_page(&fixture.second, household.home, None, 10).await?.is_none());
    let own = system.home_person_list_page(&household.scope, household.home, None, 10).await?.context("their own")?;
    assert_eq!(own.iter().map(|row| row.email.as_str()).collect::<Vec<_>>(), ["ada@example.org"]);
    let all = system.home_person_list_page(&fixture.first, other, None, 10).await?.context("the organization's")?;
    assert_eq!(all.first().map(|row| (row.account, row.role)), Some((bob.account(), HomeRole::Owner)));
    Ok(())
}
