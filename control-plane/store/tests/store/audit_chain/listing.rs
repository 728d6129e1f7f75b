//! Lists of who did what.

use super::change;
use crate::support::Fixture;
use anyhow::Result;
use kaliun_store::{AuditFilter, AuditPosition};
use kaliun_types::audit::Entry;

async fn list(fixture: &Fixture, filter: &AuditFilter, size: i64) -> Result<Vec<Entry>> {
    let mut all: Vec<Entry> = Vec::new();
    let mut after: Option<AuditPosition> = None;
    loop {
        let (page, next) = fixture.store.app.audit_list_page(&fixture.first, filter, after, size).await?;
        assert!(i64::try_from(page.len())? <= size);
        all.extend(page);
        if next.is_none() {
            return Ok(all);
        }
        after = next;
    }
}

#[tokio::test]
async fn rows_are_listed_newest_first_and_each_filter_counts() -> Result<()> {
    let fixture = Fixture::new().await?;
    for number in 0..7 {
        change(&fixture, &fixture.first, &format!("token {number}")).await?;
    }
    change(&fixture, &fixture.second, "another's").await?;
    let all = list(&fixture, &AuditFilter::default(), 3).await?;
    assert_eq!(all.len(), 8, "with that of the first start");
    assert!(all.is_sorted_by_key(|entry| (-entry.at_us, -entry.id)));
    assert_eq!(all, list(&fixture, &AuditFilter::default(), 100).await?);

    let count = async |filter: AuditFilter| anyhow::Ok(list(&fixture, &filter, 2).await?.len());
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(count(AuditFilter { actor: text("TES"), ..Default::default() }).await?, 7);
    assert_eq!(count(AuditFilter { actor: text("t%t"), ..Default::default() }).await?, 0);
    assert_eq!(count(AuditFilter { action: text("organization."), ..Default::default() }).await?, 1);
    assert_eq!(count(AuditFilter { action: text("join_token.create"), ..Default::default() }).await?, 7);
    assert_eq!(count(AuditFilter { action: text("join"), request_id: text("test"), ..Default::default() }).await?, 7);
    assert_eq!(count(AuditFilter { request_id: text("other"), ..Default::default() }).await?, 0);
    let target = Some(all[2].target.clone());
    assert_eq!(list(&fixture, &AuditFilter { target, ..Default::default() }, 5).await?, all[2..3]);
    let between = AuditFilter { since_us: Some(all[4].at_us), until_us: Some(all[1].at_us), ..Default::default() };
    assert_eq!(list(&fixture, &between, 2).await?, all[2..=4]);
    Ok(())
}

/// A question that few rows fit does not read all of them for one page.
#[tokio::test]
async fn a_page_looks_at_so_many_rows_and_no_more() -> Result<()> {
    let fixture = Fixture::new().await?;
    fixture
        .admin
        .execute(
            "INSERT INTO audit (organization_id, actor_kind, actor, action, target, request_id, at)
             SELECT $1, 3, CASE WHEN n = 1 THEN 'rare' ELSE 'usual' END, 'test', 'thing', '', now() - interval '1 h' + n * interval '1 ms'
             FROM generate_series(1, 20000) n",
            &[&fixture.first.organization()],
        )
        .await?;
    for target in [None, Some("thing".to_owned())] {
        let filter = AuditFilter { actor: Some("rare".to_owned()), target, ..Default::default() };
        let (page, next) = fixture.store.app.audit_list_page(&fixture.first, &filter, None, 10).await?;
        assert!(page.is_empty() && next.is_some());
        let found = list(&fixture, &filter, 10).await?;
        assert_eq!(found.len(), 1);
    }
    Ok(())
}
