//! Counts of refused enrolments: bounded by the hour, and none is lost.

use crate::support::Fixture;
use anyhow::Result;
use kaliun_store::EnrollmentRefusals;
use kaliun_types::reason::ReasonCode;

fn from(sources: std::ops::Range<i32>) -> Vec<EnrollmentRefusals> {
    let one = |number| EnrollmentRefusals {
        source: format!("source {number}"),
        organization: None,
        reason: ReasonCode::EnrollmentTokenInvalid,
        count: 3,
    };
    sources.map(one).collect()
}

/// Rows, and all that they count, of a source or of all.
async fn counted(fixture: &Fixture, source: Option<&str>) -> Result<(i64, i64)> {
    let statement = "SELECT count(*), coalesce(sum(refused_count), 0)::bigint FROM enrollment_refusal
                     WHERE $1::text IS NULL OR source = $1";
    let row = fixture.admin.query_one(statement, &[&source]).await?;
    Ok((row.get(0), row.get(1)))
}

#[tokio::test]
async fn a_flood_from_everywhere_is_bounded_and_every_try_is_counted() -> Result<()> {
    let fixture = Fixture::new().await?;
    let store = &fixture.store.system;
    store.enrollment_refusals_add(&from(0..700)).await?;
    store.enrollment_refusals_add(&from(0..700)).await?;
    assert_eq!(counted(&fixture, None).await?, (700, 4_200), "the same sources, the same rows");
    store.enrollment_refusals_add(&from(700..1_400)).await?;
    assert_eq!(counted(&fixture, None).await?.0, 1_400, "one writing may go beyond the bound");
    // From here on whoever is new is from elsewhere; whoever is known still has a row of its own.
    store.enrollment_refusals_add(&from(1_300..2_000)).await?;
    let all = counted(&fixture, None).await?;
    // The hour may have changed in between, and then there is room again.
    assert!(all.0 == 1_401 || all.0 > 2_000, "{all:?}");
    assert_eq!(all.1, 3 * (700 + 700 + 700 + 700));
    if all.0 == 1_401 {
        assert_eq!(counted(&fixture, Some("")).await?, (1, 3 * 600));
        assert_eq!(counted(&fixture, Some("source 1350")).await?, (1, 6));
    }
    Ok(())
}

#[tokio::test]
async fn what_is_old_is_forgotten_in_batches() -> Result<()> {
    let fixture = Fixture::new().await?;
    let store = &fixture.store.system;
    store.enrollment_refusals_add(&from(0..10)).await?;
    assert_eq!(store.enrollment_refusals_delete_old(100).await?, 0);
    let age = "UPDATE enrollment_refusal SET hour = hour - interval '73 hours' WHERE source < 'source 5'";
    assert_eq!(fixture.admin.execute(age, &[]).await?, 5);
    assert_eq!(store.enrollment_refusals_delete_old(3).await?, 3);
    assert_eq!(store.enrollment_refusals_delete_old(100).await?, 2);
    assert_eq!(counted(&fixture, None).await?.0, 5);
    Ok(())
}
