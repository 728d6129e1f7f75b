//! Events: how long they are kept.

use crate::support::Fixture;
use anyhow::Result;
use kaliun_store::OrganizationScope;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Writes events of an organization that were stored some days ago, oldest first.
async fn populate(fixture: &Fixture, scope: &OrganizationScope, days_ago: &[i32]) -> Result<()> {
    fixture
        .admin
        .execute(
            "INSERT INTO event (organization_id, code, message, actor, happened_at, stored_at)
             SELECT $1, 'agent.started', days::text, 'test', now(), now() - make_interval(days => days)
             FROM unnest($2::integer[]) AS days",
            &[&scope.organization(), &days_ago],
        )
        .await?;
    Ok(())
}

/// The ages of an organization's events in days, newest first.
async fn ages(fixture: &Fixture, scope: &OrganizationScope) -> Result<Vec<String>> {
    let events = fixture.store.app.event_list_page(scope, None, None, 1_000).await?;
    Ok(events.into_iter().map(|event| event.message).collect())
}

#[tokio::test]
async fn old_events_go_in_batches_and_young_ones_stay() -> Result<()> {
    let fixture = Fixture::new().await?;
    let (first, second) = (&fixture.first, &fixture.second);
    populate(&fixture, first, &[100, 99]).await?;
    populate(&fixture, second, &[98, 97, 96]).await?;
    populate(&fixture, first, &[89, 2]).await?;
    populate(&fixture, second, &[1]).await?;
    let system = &fixture.store.system;
    let horizon = SystemTime::now() - 90 * DAY;

    assert_eq!(system.event_delete_before(horizon, 3).await?, 3);
    assert_eq!(ages(&fixture, first).await?, ["2", "89"], "the oldest go first");
    assert_eq!(ages(&fixture, second).await?, ["1", "96", "97"]);
    // Two replicas at once delete no more than what is old.
    let (one, two) = tokio::join!(system.event_delete_before(horizon, 100), system.event_delete_before(horizon, 100));
    assert_eq!(one? + two?, 2);
    assert_eq!(ages(&fixture, first).await?, ["2", "89"]);
    assert_eq!(ages(&fixture, second).await?, ["1"]);
    assert_eq!(system.event_delete_before(horizon, 100).await?, 0);
    Ok(())
}

#[tokio::test]
async fn the_oldest_events_are_found_without_reading_all() -> Result<()> {
    let fixture = Fixture::new().await?;
    populate(&fixture, &fixture.first, &vec![1; 20_000]).await?;
    fixture.admin.batch_execute("ANALYZE event").await?;
    let plan = fixture
        .admin
        .query(
            "EXPLAIN DELETE FROM event WHERE id IN (SELECT id FROM event ORDER BY id LIMIT 100) AND stored_at < now()",
            &[],
        )
        .await?;
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    assert!(!plan.iter().any(|line| line.contains("Seq Scan")), "{plan:#?}");
    Ok(())
}
