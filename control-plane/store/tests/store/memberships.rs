//! Members of an organization: there is always somebody who runs it.

use crate::people::Human;
use crate::support::Fixture;
use anyhow::{Context, Result};
use kaliun_domain::authorization::Grants;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_store::{MemberChanged, NewOrganization, OrganizationMade};

const RUNS: Grants = Grants::of(Role::Admin);
const IS_IN: Grants = Grants::of(Role::Viewer).or_in_home(HomeRole::Member);

async fn remove(fixture: &Fixture, who: &Human, whom: &Human) -> Result<MemberChanged> {
    let scope = who.right(fixture, RUNS).await?;
    Ok(fixture.store.system.member_remove(&scope, &who.actor(), whom.account()).await?)
}

#[tokio::test]
async fn of_two_admins_who_remove_each_other_one_stays() -> Result<()> {
    let fixture = Fixture::new().await?;
    let founder = fixture.first_admin().await?;
    for round in 0..5 {
        let ada = fixture.member(1 + 2 * round, &format!("ada{round}@example.org"), Role::Admin).await?;
        let bob = fixture.member(2 + 2 * round, &format!("bob{round}@example.org"), Role::Admin).await?;
        fixture.admin.execute("UPDATE membership SET role = 1 WHERE account_id = $1", &[&founder]).await?;
        // Both have been let in before either acts.
        let (adas, bobs) = (ada.right(&fixture, RUNS).await?, bob.right(&fixture, RUNS).await?);
        let system = &fixture.store.system;
        let (ada_actor, bob_actor) = (ada.actor(), bob.actor());
        let (by_ada, by_bob) = tokio::join!(
            system.member_remove(&adas, &ada_actor, bob.account()),
            system.member_remove(&bobs, &bob_actor, ada.account()),
        );
        let outcomes = [by_ada?, by_bob?];
        assert!(outcomes.contains(&MemberChanged::Yes) && outcomes.contains(&MemberChanged::OnlyAdmin), "{outcomes:?}");
        assert_eq!(fixture.count("SELECT count(*) FROM membership WHERE role = 4").await?, 1);
        fixture.admin.execute("DELETE FROM membership WHERE account_id <> $1", &[&founder]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn of_two_admins_who_step_down_at_once_one_stays() -> Result<()> {
    let fixture = Fixture::new().await?;
    let founder = fixture.first_admin().await?;
    let ada = fixture.member(1, "ada@example.org", Role::Admin).await?;
    let scope = ada.right(&fixture, RUNS).await?;
    let (system, actor) = (&fixture.store.system, ada.actor());
    let (one, two) = tokio::join!(
        system.member_set_role(&scope, &actor, ada.account(), Role::Viewer),
        system.member_set_role(&scope, &actor, founder, Role::Operator),
    );
    let outcomes = [one?, two?];
    assert!(outcomes.contains(&MemberChanged::Yes) && outcomes.contains(&MemberChanged::OnlyAdmin), "{outcomes:?}");
    Ok(())
}

#[tokio::test]
async fn the_only_admin_can_neither_go_nor_step_down() -> Result<()> {
    let fixture = Fixture::new().await?;
    let founder = fixture.first_admin().await?;
    let ada = fixture.member(1, "ada@example.org", Role::Admin).await?;
    fixture.admin.execute("DELETE FROM membership WHERE account_id = $1", &[&founder]).await?;
    let scope = ada.right(&fixture, RUNS).await?;
    let (system, actor) = (&fixture.store.system, ada.actor());
    let own = ada.account();
    assert_eq!(system.member_set_role(&scope, &actor, own, Role::Operator).await?, MemberChanged::OnlyAdmin);
    assert_eq!(system.member_remove(&scope, &actor, own).await?, MemberChanged::OnlyAdmin);
    assert_eq!(system.member_leave(&scope, &actor, own).await?, MemberChanged::OnlyAdmin);
    assert_eq!(system.member_set_role(&scope, &actor, own, Role::Admin).await?, MemberChanged::Yes, "nothing changes");
    assert_eq!(fixture.audited().await?, ["organization.create"]);
    Ok(())
}

#[tokio::test]
async fn who_is_removed_leaves_their_homes_and_nothing_of_another_organization() -> Result<()> {
    let fixture = Fixture::new().await?;
    let ada = fixture.member(1, "ada@example.org", Role::Admin).await?;
    let bob = fixture.member(2, "bob@example.org", Role::Operator).await?;
    fixture.moves_in(&bob, fixture.first_home().await?, HomeRole::Owner).await?;
    let own = NewOrganization { name: "Bob's", home_name: "Home", home_time_zone: "UTC", settings_document: b"" };
    let made = fixture.store.system.organization_make(&bob.person.scope(), &bob.actor(), &own).await?;
    let OrganizationMade::Yes(own) = made else { anyhow::bail!("{made:?}") };

    assert_eq!(remove(&fixture, &ada, &bob).await?, MemberChanged::Yes);
    assert_eq!(bob.place(&fixture, fixture.first.organization()).await?, None);
    let standing = bob.place(&fixture, own.id).await?.context("Bob's own")?.standing;
    assert_eq!((standing.role, standing.homes.len()), (Some(Role::Admin), 1));
    assert_eq!(remove(&fixture, &ada, &bob).await?, MemberChanged::NoSuchMember, "they are out");
    assert_eq!(fixture.audited().await?.last().map(String::as_str), Some("member.remove"));

    // Somebody of another organization is nobody here, whatever they are there.
    let scope = ada.right(&fixture, RUNS).await?;
    let changed = fixture.store.system.member_set_role(&scope, &ada.actor(), bob.account(), Role::Viewer).await?;
    assert_eq!(changed, MemberChanged::NoSuchMember);
    assert_eq!(bob.place(&fixture, own.id).await?.context("Bob's own")?.standing.role, Some(Role::Admin));
    Ok(())
}

#[tokio::test]
async fn whoever_leaves_leaves_no_home_without_an_owner() -> Result<()> {
    let fixture = Fixture::new().await?;
    let home = fixture.first_home().await?;
    let ada = fixture.lives_in(1, "ada@example.org", home, HomeRole::Owner).await?;
    let (system, actor) = (&fixture.store.system, ada.actor());
    let scope = ada.right(&fixture, IS_IN).await?;
    let left = system.member_leave(&scope, &actor, ada.account()).await?;
    assert_eq!(left, MemberChanged::OnlyOwner("Home".to_owned()));
    let bob = fixture.lives_in(2, "bob@example.org", home, HomeRole::Owner).await?;
    assert_eq!(system.member_leave(&scope, &actor, ada.account()).await?, MemberChanged::Yes);
    assert_eq!(ada.place(&fixture, fixture.first.organization()).await?, None);
    assert!(bob.place(&fixture, fixture.first.organization()).await?.is_some());
    assert_eq!(system.member_leave(&scope, &actor, ada.account()).await?, MemberChanged::NoSuchMember, "already out");
    Ok(())
}

#[tokio::test]
async fn members_are_listed_by_address_in_any_case() -> Result<()> {
    let fixture = Fixture::new().await?;
    let ada = fixture.member(1, "Ada@example.org", Role::Operator).await?;
    fixture.member(2, "zoe@example.org", Role::Viewer).await?;
    fixture.member(3, "Bob@example.org", Role::Support).await?;
    fixture.human(4, "nobody@example.org").await?;
    let scope = ada.right(&fixture, Grants::of(Role::Operator)).await?;
    let first = fixture.store.system.member_list_page(&scope, None, 2).await?;
    let after = first.last().map(|row| row.position.clone());
    let second = fixture.store.system.member_list_page(&scope, after.as_deref(), 3).await?;
    let listed: Vec<&str> = first.iter().chain(&second).map(|row| row.email.as_str()).collect();
    assert_eq!(listed, ["Ada@example.org", "admin@example.org", "Bob@example.org", "zoe@example.org"]);
    assert_eq!(second.first().map(|row| (row.role, row.name.as_str())), Some((Role::Support, "Bob")));
    assert!(fixture.store.system.member_list_page(&fixture.second, None, 10).await?.is_empty());
    Ok(())
}
