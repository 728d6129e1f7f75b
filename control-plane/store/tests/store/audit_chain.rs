//! The audit's chain in a real database: who seals, in which order, and what nobody waits for.

mod erasing;
mod forgetting;
mod listing;
pub(crate) mod sealer;

use crate::support::{Fixture, actor};
use anyhow::{Context, Result};
use kaliun_store::{NewJoinToken, OrganizationScope};
use kaliun_types::id::JoinTokenId;
use sealer::{Sealer, rows, verify};
use std::time::{Duration, SystemTime};
use tokio_postgres::Client;

/// A change that is audited.
pub(crate) async fn change(fixture: &Fixture, scope: &OrganizationScope, description: &str) -> Result<()> {
    let secret = JoinTokenId::new().as_uuid().as_bytes().to_vec();
    let token = NewJoinToken {
        description,
        secret_hash: &secret,
        labels: &Default::default(),
        name_pattern: None,
        needs_approval: false,
        max_uses: 1,
        expires_at: SystemTime::now() + Duration::from_secs(60),
    };
    fixture.store.app.join_token_insert(scope, &actor(), token).await?;
    Ok(())
}

/// Begins a change behind the store's back, and leaves it open.
async fn begin(admin: &Client, scope: &OrganizationScope, target: &str) -> Result<()> {
    admin.batch_execute("BEGIN").await?;
    admin
        .execute(
            "INSERT INTO audit (organization_id, actor_kind, actor, action, target, request_id)
             VALUES ($1, 3, 'late', 'test', $2, '')",
            &[&scope.organization(), &target],
        )
        .await?;
    Ok(())
}

#[tokio::test]
async fn what_was_changed_is_sealed_and_holds() -> Result<()> {
    let fixture = Fixture::new().await?;
    let sealer = Sealer::new(&fixture, 7);
    for number in 0..20 {
        change(&fixture, &fixture.first, &format!("token {number}")).await?;
    }
    change(&fixture, &fixture.second, "another's").await?;
    sealer.seal_all(fixture.first.organization()).await?;
    let report = verify(&fixture, &fixture.first).await?;
    assert!(report.is_good(), "{:?}", report.faults);
    // One is of the first start.
    assert_eq!((report.entries, report.first, report.last, report.unsealed), (21, 1, 21, 0));
    let other = verify(&fixture, &fixture.second).await?;
    assert_eq!((other.entries, other.unsealed), (0, 1));
    Ok(())
}

#[tokio::test]
async fn two_sealers_at_once_give_no_number_twice() -> Result<()> {
    let fixture = Fixture::new().await?;
    let organization = fixture.first.organization();
    let (one, two) = (Sealer::new(&fixture, 3), Sealer::new(&fixture, 5));
    let changing = async {
        for number in 0..60 {
            change(&fixture, &fixture.first, &format!("token {number}")).await?;
        }
        anyhow::Ok(())
    };
    // Each takes the chain from the other as often as it likes, for the leases are over at once.
    let sealing = async |sealer: &Sealer| {
        let mut sealed = 0;
        while sealed < 500 && rows(&fixture.admin, organization).await?.iter().any(|row| row.sequence.is_none()) {
            sealer.seal_once(organization, Duration::ZERO).await?;
            sealed += 1;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(changing, sealing(&one), sealing(&two))?;
    one.seal_all(organization).await?;
    let report = verify(&fixture, &fixture.first).await?;
    assert!(report.is_good(), "{:?}", report.faults);
    assert_eq!(report.entries, 61);
    Ok(())
}

#[tokio::test]
async fn a_chain_belongs_to_one_sealer_until_its_lease_is_over() -> Result<()> {
    let fixture = Fixture::new().await?;
    let organization = fixture.first.organization();
    let (one, two) = (Sealer::new(&fixture, 10), Sealer::new(&fixture, 10));
    // It is killed after it took the chain.
    let taken = one.take(organization, Duration::from_millis(50)).await?.context("nobody had it")?;
    assert!(two.take(organization, Duration::from_secs(60)).await?.is_none());
    loop {
        if let Some(again) = two.take(organization, Duration::from_secs(60)).await? {
            assert_eq!(again.head, taken.head, "nothing was half done");
            assert_eq!(again.entries, taken.entries);
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(one.take(organization, Duration::from_secs(60)).await?.is_none());
    // What it had read before counts for nothing any more.
    assert!(!one.write(&taken).await?);
    two.seal_all(organization).await?;
    assert!(verify(&fixture, &fixture.first).await?.is_good());
    Ok(())
}

#[tokio::test]
async fn a_seal_is_written_whole_or_not_at_all() -> Result<()> {
    let fixture = Fixture::new().await?;
    let organization = fixture.first.organization();
    let sealer = Sealer::new(&fixture, 10);
    for number in 0..3 {
        change(&fixture, &fixture.first, &format!("token {number}")).await?;
    }
    let taken = sealer.take(organization, Duration::from_secs(60)).await?.context("nobody had it")?;
    let gone = taken.entries.last().context("there are some")?.id;
    fixture.admin.execute("DELETE FROM audit WHERE id = $1", &[&gone]).await?;
    assert!(!sealer.write(&taken).await?);
    assert!(rows(&fixture.admin, organization).await?.iter().all(|row| row.sequence.is_none()));
    sealer.seal_all(organization).await?;
    assert_eq!(verify(&fixture, &fixture.first).await?.entries, 3);
    Ok(())
}

#[tokio::test]
async fn who_commits_late_comes_after_those_who_were_seen_before() -> Result<()> {
    let fixture = Fixture::new().await?;
    let organization = fixture.first.organization();
    let sealer = Sealer::new(&fixture, 100);
    begin(&fixture.admin, &fixture.first, "late").await?;
    change(&fixture, &fixture.first, "soon").await?;
    sealer.seal_all(organization).await?;
    assert_eq!(verify(&fixture, &fixture.first).await?.last, 2);
    fixture.admin.batch_execute("COMMIT").await?;
    change(&fixture, &fixture.first, "last").await?;
    sealer.seal_all(organization).await?;
    let report = verify(&fixture, &fixture.first).await?;
    assert!(report.is_good(), "{:?}", report.faults);
    let sealed = rows(&fixture.admin, organization).await?;
    let place = |target: &str| sealed.iter().find(|row| row.target == target).and_then(|row| row.sequence);
    assert_eq!(place("late"), Some(3));
    assert_eq!(sealed.iter().filter_map(|row| row.sequence).max(), Some(4));
    Ok(())
}

/// There is nothing that two changes of an organization have in common.
#[tokio::test]
async fn a_change_that_stays_open_keeps_nobody_waiting() -> Result<()> {
    let fixture = Fixture::new().await?;
    let sealer = Sealer::new(&fixture, 100);
    begin(&fixture.admin, &fixture.first, "open").await?;
    for number in 0..50 {
        change(&fixture, &fixture.first, &format!("token {number}")).await?;
    }
    // Not even the sealer waits, nor anybody for it.
    let taken = sealer.take(fixture.first.organization(), Duration::from_secs(60)).await?.context("nobody had it")?;
    change(&fixture, &fixture.first, "while it is sealed").await?;
    assert!(sealer.write(&taken).await?);
    fixture.admin.batch_execute("ROLLBACK").await?;
    sealer.seal_all(fixture.first.organization()).await?;
    assert_eq!(verify(&fixture, &fixture.first).await?.entries, 52);
    Ok(())
}

#[tokio::test]
async fn organizations_with_news_are_found_from_any_place_on() -> Result<()> {
    let fixture = Fixture::new().await?;
    change(&fixture, &fixture.second, "token").await?;
    let nobody = kaliun_types::id::OrganizationId::from_uuid(uuid::Uuid::nil());
    let day = Duration::from_secs(86_400);
    let due = fixture.store.system.audit_chain_list_due(nobody, day, 10).await?;
    let mut both = [fixture.first.organization(), fixture.second.organization()];
    both.sort();
    assert_eq!(due, both);
    assert_eq!(fixture.store.system.audit_chain_list_due(both[0], day, 10).await?, both[1..]);
    assert_eq!(fixture.store.system.audit_chain_list_due(nobody, day, 1).await?, both[..1]);
    let sealer = Sealer::new(&fixture, 100);
    for organization in both {
        sealer.seal_all(organization).await?;
    }
    // What is sealed and was not signed yet is due, and what was signed lately is in time.
    assert_eq!(fixture.store.system.audit_chain_list_due(nobody, day, 10).await?, both);
    fixture.admin.batch_execute("UPDATE audit_chain SET checkpoint_at = now()").await?;
    assert_eq!(fixture.store.system.audit_chain_list_due(nobody, day, 10).await?, []);
    assert_eq!(fixture.store.system.audit_chain_list_due(nobody, Duration::ZERO, 10).await?, both);
    Ok(())
}

/// What the application could do that would break the chain.
#[tokio::test]
async fn nobody_writes_what_the_sealer_writes_but_the_sealer() -> Result<()> {
    let fixture = Fixture::new().await?;
    let organization = fixture.first.organization();
    Sealer::new(&fixture, 100).seal_all(organization).await?;
    let insert = "INSERT INTO audit (organization_id, actor_kind, actor, action, target, request_id";
    let statements = [
        format!("{insert}, sequence, hash) VALUES ($1, 3, '', '', '', '', 9, '')"),
        format!("{insert}, at) VALUES ($1, 3, '', '', '', '', now() - interval '1 day')"),
        "UPDATE audit SET action = 'other' WHERE organization_id = $1".to_owned(),
        "UPDATE audit SET at = now() WHERE organization_id = $1".to_owned(),
    ];
    let of_app = [
        "UPDATE audit SET actor = NULL WHERE organization_id = $1".to_owned(),
        "UPDATE audit SET sequence = 9 WHERE organization_id = $1".to_owned(),
        "DELETE FROM audit WHERE organization_id = $1".to_owned(),
        "UPDATE audit_chain SET head_sequence = 0 WHERE organization_id = $1".to_owned(),
        "DELETE FROM audit_checkpoint WHERE organization_id = $1".to_owned(),
        "INSERT INTO audit_chain (organization_id, head_hash) VALUES ($1, '')".to_owned(),
    ];
    let admin = &fixture.admin;
    for (role, statements) in
        [("kaliun_app", [&statements[..], &of_app].concat()), ("kaliun_system", statements.to_vec())]
    {
        for statement in statements {
            admin.batch_execute(&format!("BEGIN; SET LOCAL ROLE {role}")).await?;
            admin
                .execute("SELECT set_config('kaliun.organization_id', $1, true)", &[&organization.to_string()])
                .await?;
            let done = admin.execute(&statement, &[&organization]).await;
            admin.batch_execute("ROLLBACK").await?;
            let code = done.err().and_then(|error| error.code().cloned());
            assert_eq!(code, Some(tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE), "{role}: {statement}");
        }
    }
    Ok(())
}
