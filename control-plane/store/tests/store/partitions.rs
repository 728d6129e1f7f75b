//! The hourly partitions of samples.

use crate::support::Fixture;
use anyhow::Result;
use std::time::{Duration, SystemTime};

/// Replicas that start in the same moment all want the same hours.
#[tokio::test]
async fn partitions_are_made_once_by_whoever_is_first() -> Result<()> {
    let fixture = Fixture::new().await?;
    let later = SystemTime::now() + Duration::from_secs(100 * 3600);
    let prepare = || fixture.store.system.sample_partitions_prepare(later, 6);
    let (a, b, c, d) = tokio::join!(prepare(), prepare(), prepare(), prepare());
    for outcome in [a, b, c, d] {
        outcome?;
    }
    let made = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'sample_head'::regclass";
    let before: i64 = fixture.admin.query_one(made, &[]).await?.get(0);
    prepare().await?;
    let after: i64 = fixture.admin.query_one(made, &[]).await?.get(0);
    assert!(before > 6 && before == after, "{before} and then {after}");
    Ok(())
}
