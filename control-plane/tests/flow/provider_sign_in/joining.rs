//! Becoming a member of an organization by a verified domain, and by claims.

use super::{House, people};
use crate::support::http::Visitor;
use crate::support::with_token;
use anyhow::{Context, Result};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::claim_rule_service_client::ClaimRuleServiceClient;
use kaliun_proto::fleet::v1::domain_service_client::DomainServiceClient;
use std::time::Duration;
use tonic::Code;
use uuid::Uuid;

/// Says that a domain is the first organization's.
async fn create_domain(house: &House, name: &str, role: fleet::Role) -> Result<fleet::Domain> {
    let mut domains = DomainServiceClient::new(house.fixture.public().await?);
    let request = fleet::CreateDomainRequest { name: name.to_owned(), role: role.into() };
    domains.create_domain(with_token(request)).await?.into_inner().domain.context("a domain")
}

async fn verify(house: &House, name: &str) -> Result<Result<fleet::Domain, tonic::Status>> {
    let mut domains = DomainServiceClient::new(house.fixture.public().await?);
    match domains.verify_domain(with_token(fleet::VerifyDomainRequest { name: name.to_owned() })).await {
        Ok(answer) => Ok(Ok(answer.into_inner().domain.context("a domain")?)),
        Err(status) => Ok(Err(status)),
    }
}

async fn create_rule(house: &House, value: &str, role: fleet::Role) -> Result<fleet::ClaimRule> {
    let mut rules = ClaimRuleServiceClient::new(house.fixture.public().await?);
    let (provider, claim) = ("company".to_owned(), "groups".to_owned());
    let request = fleet::CreateClaimRuleRequest { provider, claim, value: value.to_owned(), role: role.into() };
    rules.create_claim_rule(with_token(request)).await?.into_inner().rule.context("a rule")
}

/// Another organization, made behind the server's back.
async fn another_organization(house: &House) -> Result<Uuid> {
    let made = "INSERT INTO organization (id, name) VALUES (gen_random_uuid(), 'Another') RETURNING id";
    Ok(house.fixture.admin().await?.query_one(made, &[]).await?.get(0))
}

/// What somebody is after signing in anew: role in the organization, or none.
async fn role_of(house: &House, login: &str) -> Result<Option<fleet::Role>> {
    let mut visitor = Visitor::default();
    let ended = house.arrive(&mut visitor, login).await?;
    anyhow::ensure!(ended == "/", "{ended}");
    let who = house.who(&visitor).await?;
    Ok((!who.organization_id.is_empty()).then(|| who.role()))
}

/// What was recorded of memberships: actor, action, role and rule, oldest first.
async fn records(house: &House) -> Result<Vec<String>> {
    let rows = house
        .fixture
        .admin()
        .await?
        .query(
            "SELECT actor || ' ' || action || ' ' || coalesce(after ->> 'role', '-') || ': ' || (after ->> 'rule')
             FROM audit WHERE action LIKE 'member.%' ORDER BY id",
            &[],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[tokio::test]
async fn a_domain_that_shows_whose_it_is_brings_its_people_in() -> Result<()> {
    let accounts = people(&[
        ("ann", "ann@Example.org", true, &[]),
        ("bob", "bob@sub.example.org", true, &[]),
        ("eve", "eve@example.org", false, &[]),
    ]);
    let house = House::start_with(accounts, |config| {
        config.sign_up = kaliun_control_plane::SignUpPolicy::Invited;
    })
    .await?;
    let domain = create_domain(&house, "Example.ORG", fleet::Role::Support).await?;
    assert_eq!((domain.name.as_str(), domain.record_name.as_str()), ("example.org", "_kaliun-fleet.example.org"));
    assert_eq!(domain.verified_at_ms, 0);

    // Said is not shown.
    let refused = "/?error=sign_in.not_invited&provider=company";
    assert_eq!(house.arrive(&mut Visitor::default(), "ann").await?, refused);
    let unshown = verify(&house, "example.org").await?.expect_err("there is no record");
    assert_eq!(unshown.code(), Code::FailedPrecondition);
    assert!(unshown.message().contains(&domain.record_text) && unshown.message().contains(&domain.record_name));
    house.dns.set(&domain.record_name, &["v=spf1 -all", &domain.record_text]);
    let verified = verify(&house, "example.org").await??;
    assert!(verified.verified_at_ms > 0 && verified.verified_by == "dns", "{verified:?}");

    assert_eq!(role_of(&house, "ann").await?, Some(fleet::Role::Support));
    assert_eq!(role_of(&house, "ann").await?, Some(fleet::Role::Support), "nothing more happens the next time");
    assert_eq!(house.arrive(&mut Visitor::default(), "bob").await?, refused, "of a domain below it");
    let unconfirmed = "/?error=sign_in.address_unconfirmed&provider=company";
    assert_eq!(house.arrive(&mut Visitor::default(), "eve").await?, unconfirmed);
    assert_eq!(records(&house).await?, ["control-plane member.join support: domain example.org"]);

    // What was made of her since then stays.
    let set =
        "UPDATE membership SET role = 1 WHERE account_id <> (SELECT id FROM account WHERE email = 'admin@example.org')";
    house.fixture.admin().await?.execute(set, &[]).await?;
    assert_eq!(role_of(&house, "ann").await?, Some(fleet::Role::Viewer));
    house.stop().await
}

#[tokio::test]
async fn a_domain_is_of_one_organization() -> Result<()> {
    let house = House::start(people(&[("ann", "ann@example.org", true, &[])])).await?;
    let other = another_organization(&house).await?;
    let admin = house.fixture.admin().await?;
    admin
        .execute(
            "INSERT INTO organization_domain (organization_id, domain, word, role) VALUES ($1, 'example.org', 'w', 3)",
            &[&other],
        )
        .await?;
    let domain = create_domain(&house, "example.org", fleet::Role::Viewer).await?;
    house.dns.set(&domain.record_name, &[&domain.record_text]);

    // The server's admin believes the other one, before anything was shown.
    let mut domains = DomainServiceClient::new(house.fixture.public().await?);
    let confirm = |organization: Uuid, name: &str| {
        with_token(fleet::ConfirmDomainRequest { organization_id: organization.to_string(), name: name.to_owned() })
    };
    domains.confirm_domain(confirm(other, "example.org")).await?;
    let unsaid = domains.confirm_domain(confirm(other, "example.net")).await.expect_err("it never said so");
    assert_eq!(unsaid.code(), Code::NotFound);
    let taken = verify(&house, "example.org").await?.expect_err("it is the other's");
    assert_eq!(taken.code(), Code::FailedPrecondition);
    assert!(taken.message().contains("another organization"), "{taken:?}");

    let mut visitor = Visitor::default();
    house.arrive(&mut visitor, "ann").await?;
    let who = house.who(&visitor).await?;
    assert_eq!((who.organization_name.as_str(), who.role()), ("Another", fleet::Role::Operator));

    // Once it is given up the first can have it.
    admin.execute("DELETE FROM organization_domain WHERE organization_id = $1", &[&other]).await?;
    verify(&house, "example.org").await??;
    let deleted = fleet::DeleteDomainRequest { name: "example.org".to_owned() };
    domains.delete_domain(with_token(deleted.clone())).await?;
    assert_eq!(domains.delete_domain(with_token(deleted)).await.expect_err("gone").code(), Code::NotFound);
    let admin_by_domain =
        fleet::CreateDomainRequest { name: "example.org".to_owned(), role: fleet::Role::Admin.into() };
    let refused = domains.create_domain(with_token(admin_by_domain)).await.expect_err("not by an address alone");
    assert!(refused.message().starts_with("role: "), "{refused:?}");
    house.stop().await
}

#[tokio::test]
async fn claims_give_a_role_and_take_it_back() -> Result<()> {
    let with =
        |groups: &[&str]| people(&[("ann", "ann@example.org", true, groups), ("boss", "b@example.org", true, &[])]);
    let mut house = House::start(with(&["crew", "leads"])).await?;
    let crew = create_rule(&house, "crew", fleet::Role::Viewer).await?;
    let leads = create_rule(&house, "leads", fleet::Role::Operator).await?;
    assert_eq!(role_of(&house, "ann").await?, Some(fleet::Role::Operator), "the highest of those that fit");
    assert_eq!(role_of(&house, "boss").await?, None);

    let change = async |house: &mut House, groups: &[&str]| -> Result<()> {
        house.company.change_accounts(with(groups)).await?;
        // New keys are looked for once a minute.
        house.fixture.advance(Duration::from_secs(61));
        Ok(())
    };
    change(&mut house, &["crew"]).await?;
    assert_eq!(role_of(&house, "ann").await?, Some(fleet::Role::Viewer));
    change(&mut house, &[]).await?;
    assert_eq!(role_of(&house, "ann").await?, None);
    assert_eq!(
        records(&house).await?,
        [
            "control-plane member.join operator: claim groups=leads of company",
            "control-plane member.update viewer: claim groups=crew of company",
            "control-plane member.remove -: no claim of company any more",
        ]
    );

    // What was given by hand is the least that stays.
    let by_hand = "INSERT INTO membership (organization_id, account_id, role)
                   SELECT o.id, a.id, 1 FROM organization o, account a WHERE a.email = 'ann@example.org'";
    house.fixture.admin().await?.execute(by_hand, &[]).await?;
    assert_eq!(role_of(&house, "ann").await?, Some(fleet::Role::Viewer));
    change(&mut house, &["leads"]).await?;
    assert_eq!(role_of(&house, "ann").await?, Some(fleet::Role::Operator));
    let mut rules = ClaimRuleServiceClient::new(house.fixture.public().await?);
    rules.delete_claim_rule(with_token(fleet::DeleteClaimRuleRequest { id: leads.id })).await?;
    assert_eq!(role_of(&house, "ann").await?, Some(fleet::Role::Viewer), "with its rule the role is gone");
    let listed = rules.list_claim_rules(with_token(fleet::ListClaimRulesRequest {})).await?.into_inner().rules;
    assert_eq!(listed, [crew]);
    house.stop().await
}

#[tokio::test]
async fn the_only_admin_stays_one_whatever_is_claimed() -> Result<()> {
    let mut house = House::start(people(&[("ann", "ann@example.org", true, &["leads"])])).await?;
    create_rule(&house, "leads", fleet::Role::Admin).await?;
    assert_eq!(role_of(&house, "ann").await?, Some(fleet::Role::Admin));
    let others = "DELETE FROM membership WHERE account_id = (SELECT id FROM account WHERE email = 'admin@example.org')";
    house.fixture.admin().await?.execute(others, &[]).await?;
    house.company.change_accounts(people(&[("ann", "ann@example.org", true, &[])])).await?;
    house.fixture.advance(Duration::from_secs(61));
    assert_eq!(role_of(&house, "ann").await?, Some(fleet::Role::Admin));
    assert_eq!(records(&house).await?.len(), 1);
    house.stop().await
}

#[tokio::test]
async fn an_organization_claims_nobody_who_has_nothing_to_do_with_it() -> Result<()> {
    let accounts = people(&[("ann", "ann@example.org", true, &["crew"]), ("bob", "bob@example.net", true, &["crew"])]);
    let house = House::start(accounts).await?;
    let other = another_organization(&house).await?;
    let admin = house.fixture.admin().await?;
    for statement in [
        "INSERT INTO organization_claim_rule (id, organization_id, provider, claim, value, role) VALUES (gen_random_uuid(), $1, 'company', 'groups', 'crew', 3)",
        "INSERT INTO organization_domain (organization_id, domain, word, role, verified_at) VALUES ($1, 'example.org', 'w', 1, now())",
    ] {
        admin.execute(statement, &[&other]).await?;
    }
    assert_eq!(role_of(&house, "ann").await?, Some(fleet::Role::Operator), "she is of its domain");
    assert_eq!(role_of(&house, "bob").await?, None, "he is not");
    // Once he is a member by somebody's hand the rule is for him, too.
    let by_hand = "INSERT INTO membership (organization_id, account_id, role)
                   SELECT $1, id, 1 FROM account WHERE email = 'bob@example.net'";
    admin.execute(by_hand, &[&other]).await?;
    assert_eq!(role_of(&house, "bob").await?, Some(fleet::Role::Operator));
    house.stop().await
}

#[tokio::test]
async fn rules_are_checked() -> Result<()> {
    let house = House::start(people(&[])).await?;
    create_rule(&house, "crew", fleet::Role::Viewer).await?;
    let mut rules = ClaimRuleServiceClient::new(house.fixture.public().await?);
    let good = fleet::CreateClaimRuleRequest {
        provider: "company".to_owned(),
        claim: "groups".to_owned(),
        value: "leads".to_owned(),
        role: fleet::Role::Viewer.into(),
    };
    let mut refused = async |request: fleet::CreateClaimRuleRequest| {
        let status = rules.create_claim_rule(with_token(request)).await.expect_err("it is wrong");
        (status.code(), status.message().split(':').next().unwrap_or_default().to_owned())
    };
    let wrong = |field: &str| (Code::InvalidArgument, field.to_owned());
    assert_eq!(
        refused(fleet::CreateClaimRuleRequest { provider: "gone".to_owned(), ..good.clone() }).await,
        wrong("provider")
    );
    assert_eq!(refused(fleet::CreateClaimRuleRequest { claim: String::new(), ..good.clone() }).await, wrong("claim"));
    assert_eq!(refused(fleet::CreateClaimRuleRequest { value: "x".repeat(257), ..good.clone() }).await, wrong("value"));
    assert_eq!(refused(fleet::CreateClaimRuleRequest { role: 0, ..good.clone() }).await, wrong("role"));
    let twice = refused(fleet::CreateClaimRuleRequest { value: "crew".to_owned(), ..good }).await;
    assert_eq!(twice.0, Code::AlreadyExists);
    house.stop().await
}
