//! Who did what, newest first, as people ask for it.

use super::row::{self, entry_columns};
use crate::error::StoreError;
use crate::pool::{AppStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_types::audit::Entry;
use tokio_postgres::types::ToSql;

/// Most rows that are looked at for one page, some 20 ms. A question that few rows fit gets a page with fewer than it asked for, and where
/// to go on.
const SCANNED_MAX: i64 = 10_000;

/// Which rows. What is none fits all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Part of the actor's name, in any case.
    pub actor: Option<String>,
    /// With what the action begins.
    pub action: Option<String>,
    /// The target.
    pub target: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// The first time, microseconds since the Unix epoch.
    pub since_us: Option<i64>,
    /// The first time that is not included any more, microseconds since the Unix epoch.
    pub until_us: Option<i64>,
}

/// A place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditPosition {
    /// The row's time, microseconds since the Unix epoch.
    pub at_us: i64,
    /// Its id.
    pub id: i64,
}

impl AppStore {
    /// A page of rows, sealed or not, newest first, after a place; and where to go on, none when there are no more. At most `limit`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_list_page(
        &self,
        scope: &OrganizationScope,
        filter: &AuditFilter,
        after: Option<AuditPosition>,
        limit: i64,
    ) -> Result<(Vec<Entry>, Option<AuditPosition>), StoreError> {
        const OPERATION: &str = "audit_list_page";
        // Each by an index of its own: all rows of an organization, or those about one thing. The inner one bounds what is looked at.
        const OF_ALL: &str = concat!(
            "SELECT ",
            entry_columns!(),
            " FROM (SELECT * FROM audit WHERE organization_id = $1
                 AND (at, id) < (coalesce(timestamptz 'epoch' + $2::bigint * interval '1 microsecond', 'infinity'), $3)
                 AND at >= coalesce(timestamptz 'epoch' + $4::bigint * interval '1 microsecond', '-infinity')
                 AND at < coalesce(timestamptz 'epoch' + $5::bigint * interval '1 microsecond', 'infinity')
                 ORDER BY at DESC, id DESC LIMIT $6) a
             WHERE ($7::text IS NULL OR strpos(lower(a.actor), lower($7)) > 0)
               AND ($8::text IS NULL OR starts_with(a.action, $8))
               AND ($9::text IS NULL OR a.request_id = $9)
             ORDER BY a.at DESC, a.id DESC LIMIT $10"
        );
        const OF_TARGET: &str = concat!(
            "SELECT ",
            entry_columns!(),
            " FROM (SELECT * FROM audit WHERE organization_id = $1 AND target = $11
                 AND (at, id) < (coalesce(timestamptz 'epoch' + $2::bigint * interval '1 microsecond', 'infinity'), $3)
                 AND at >= coalesce(timestamptz 'epoch' + $4::bigint * interval '1 microsecond', '-infinity')
                 AND at < coalesce(timestamptz 'epoch' + $5::bigint * interval '1 microsecond', 'infinity')
                 ORDER BY at DESC, id DESC LIMIT $6) a
             WHERE ($7::text IS NULL OR strpos(lower(a.actor), lower($7)) > 0)
               AND ($8::text IS NULL OR starts_with(a.action, $8))
               AND ($9::text IS NULL OR a.request_id = $9)
             ORDER BY a.at DESC, a.id DESC LIMIT $10"
        );
        let organization = scope.organization();
        let after_us = after.map(|after| after.at_us);
        let after_id = after.map_or(i64::MAX, |after| after.id);
        let most = limit.saturating_add(1);
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![
            &organization,
            &after_us,
            &after_id,
            &filter.since_us,
            &filter.until_us,
            &SCANNED_MAX,
            &filter.actor,
            &filter.action,
            &filter.request_id,
            &most,
        ];
        if filter.target.is_some() {
            parameters.push(&filter.target);
        }
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let rows = txn.rows(if filter.target.is_some() { OF_TARGET } else { OF_ALL }, &parameters).await?;
        let mut entries: Vec<Entry> = rows.iter().map(|row| row::entry(organization, row)).collect::<Result<_, _>>()?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let next = if entries.len() > size {
            entries.truncate(size);
            entries.last().map(|last| AuditPosition { at_us: last.at_us, id: last.id })
        } else {
            looked_at(&txn, scope, filter, after_us, after_id).await?
        };
        txn.commit().await?;
        Ok((entries, next))
    }
}

/// The last row that was looked at, when there may be more beyond it.
async fn looked_at(
    txn: &Txn<'_>,
    scope: &OrganizationScope,
    filter: &AuditFilter,
    after_us: Option<i64>,
    after_id: i64,
) -> Result<Option<AuditPosition>, StoreError> {
    let row = txn
        .row_opt(
            "SELECT (extract(epoch FROM at) * 1000000)::bigint AS at_us, id FROM audit
             WHERE organization_id = $1 AND ($7::text IS NULL OR target = $7)
               AND (at, id) < (coalesce(timestamptz 'epoch' + $2::bigint * interval '1 microsecond', 'infinity'), $3)
               AND at >= coalesce(timestamptz 'epoch' + $4::bigint * interval '1 microsecond', '-infinity')
               AND at < coalesce(timestamptz 'epoch' + $5::bigint * interval '1 microsecond', 'infinity')
             ORDER BY at DESC, id DESC OFFSET $6 LIMIT 1",
            &[
                &scope.organization(),
                &after_us,
                &after_id,
                &filter.since_us,
                &filter.until_us,
                &(SCANNED_MAX - 1),
                &filter.target,
            ],
        )
        .await?;
    let position = |row| Ok(AuditPosition { at_us: column(&row, "audit", "at_us")?, id: column(&row, "audit", "id")? });
    row.map(position).transpose()
}
