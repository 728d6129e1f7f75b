//! Organizations as people have and make them.

use crate::support::Fixture;
use anyhow::{Result, bail};
use kaliun_domain::authorization::Grants;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_store::{MyOrganization, NewOrganization, OrganizationMade};

fn new<'a>(name: &'a str) -> NewOrganization<'a> {
    NewOrganization { name, home_name: "Cabin", home_time_zone: "Europe/Vienna", settings_document: b"settings" }
}

#[tokio::test]
async fn whoever_makes_one_runs_it_and_owns_its_first_home() -> Result<()> {
    let fixture = Fixture::new().await?;
    let ada = fixture.human(1, "ada@example.org").await?;
    let made = fixture.store.system.organization_make(&ada.person.scope(), &ada.actor(), &new("Ada's")).await?;
    let OrganizationMade::Yes(made) = made else { bail!("{made:?}") };
    let place = ada.place(&fixture, made.id).await?.map(|place| place.standing);
    let standing = place.unwrap_or_default();
    assert_eq!(standing.role, Some(Role::Admin));
    assert_eq!(standing.homes.iter().map(|(_, role)| *role).collect::<Vec<_>>(), [HomeRole::Owner]);
    let documents = "SELECT count(*) FROM report_settings WHERE document = 'settings'";
    assert_eq!(fixture.count(documents).await?, 2, "its boxes have something to report");
    assert_eq!(fixture.count("SELECT count(*) FROM installation WHERE time_zone = 'Europe/Vienna'").await?, 1);
    assert_eq!(fixture.audited().await?.last().map(String::as_str), Some("organization.create"));
    Ok(())
}

#[tokio::test]
async fn a_person_makes_ten_a_day_also_when_they_hurry() -> Result<()> {
    let fixture = Fixture::new().await?;
    let ada = fixture.human(1, "ada@example.org").await?;
    let bob = fixture.human(2, "bob@example.org").await?;
    let (system, scope, actor) = (&fixture.store.system, ada.person.scope(), ada.actor());
    for _ in 0..9 {
        let made = system.organization_make(&scope, &actor, &new("Same name")).await?;
        assert!(matches!(made, OrganizationMade::Yes(_)), "{made:?}");
    }
    let name = new("The last");
    let (one, two) =
        tokio::join!(system.organization_make(&scope, &actor, &name), system.organization_make(&scope, &actor, &name));
    let made = [one?, two?];
    assert_eq!(made.iter().filter(|made| **made == OrganizationMade::EnoughForToday).count(), 1, "{made:?}");
    let others = system.organization_make(&bob.person.scope(), &bob.actor(), &name).await?;
    assert!(matches!(others, OrganizationMade::Yes(_)));
    fixture.admin.execute("UPDATE organization SET created_at = now() - interval '25 hours'", &[]).await?;
    assert!(matches!(system.organization_make(&scope, &actor, &name).await?, OrganizationMade::Yes(_)));
    Ok(())
}

#[tokio::test]
async fn a_person_lists_what_is_theirs_by_name_page_by_page() -> Result<()> {
    let fixture = Fixture::new().await?;
    let ada = fixture.human(1, "ada@example.org").await?;
    let (system, scope) = (&fixture.store.system, ada.person.scope());
    for name in ["Same", "Zoo", "Same", "Attic"] {
        system.organization_make(&scope, &ada.actor(), &new(name)).await?;
    }
    // A home in somebody else's organization, too, and in another nothing.
    fixture.moves_in(&ada, fixture.first_home().await?, HomeRole::Member).await?;
    let mut seen: Vec<MyOrganization> = Vec::new();
    loop {
        let after = seen.last().map(|last| (last.name.clone(), last.id));
        let after = after.as_ref().map(|(name, id)| (name.as_str(), *id));
        let page = system.my_organization_list_page(&scope, after, 2).await?;
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    let names: Vec<&str> = seen.iter().map(|mine| mine.name.as_str()).collect();
    assert_eq!(names, ["Attic", "First", "Same", "Same", "Zoo"]);
    let first = seen.iter().find(|mine| mine.name == "First").map(|mine| (mine.role, mine.homes));
    assert_eq!(first, Some((None, 1)));
    Ok(())
}

#[tokio::test]
async fn an_organization_is_renamed_inside_its_own_scope() -> Result<()> {
    let fixture = Fixture::new().await?;
    let ada = fixture.member(1, "ada@example.org", Role::Admin).await?;
    let scope = ada.right(&fixture, Grants::of(Role::Admin)).await?;
    fixture.store.system.organization_rename(&scope, &ada.actor(), "Northwind").await?;
    let names = "SELECT string_agg(name, ',' ORDER BY name) FROM organization";
    assert_eq!(fixture.admin.query_one(names, &[]).await?.get::<_, String>(0), "Northwind,Second");
    let before_after = "SELECT before ->> 'name' || ' ' || (after ->> 'name') FROM audit ORDER BY id DESC LIMIT 1";
    assert_eq!(fixture.admin.query_one(before_after, &[]).await?.get::<_, String>(0), "First Northwind");
    Ok(())
}
