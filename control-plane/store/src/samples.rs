//! Stored measurements.

use crate::error::StoreError;
use crate::pool::{AppStore, SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_types::id::DeviceId;
use std::ops::Range;
use std::time::{Duration, SystemTime};

/// How much a box's clock may be ahead of the server's before its samples are missed by the search for partitions.
const CLOCK_AHEAD_MAX: Duration = Duration::from_secs(2 * 3600);

/// One stored sample.
#[derive(Debug, Clone)]
pub struct SampleRow {
    /// By the box's clock.
    pub sampled_at: SystemTime,
    /// Which life of the box's spool it came from.
    pub spool_id: Vec<u8>,
    /// Its place in that.
    pub sequence: i64,
    /// An encoded `kaliun.telemetry.v1.SampleValues`.
    pub values: Vec<u8>,
}

impl AppStore {
    /// The first samples of a device, oldest first, from `from` (included) to `to` (not): at most `limit`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sample_list(
        &self,
        scope: &OrganizationScope,
        device: DeviceId,
        from: SystemTime,
        to: SystemTime,
        limit: i64,
    ) -> Result<Vec<SampleRow>, StoreError> {
        self.sample_page(scope, device, from..to, None, limit).await
    }

    /// Those of the same range that follow one. Samples of the same time, which a clock that is set back makes, are told apart by their place in the
    /// spool, so that none is lost between two pages.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sample_list_after(
        &self,
        scope: &OrganizationScope,
        device: DeviceId,
        from: SystemTime,
        to: SystemTime,
        after: &SampleRow,
        limit: i64,
    ) -> Result<Vec<SampleRow>, StoreError> {
        self.sample_page(scope, device, from..to, Some(after), limit).await
    }

    async fn sample_page(
        &self,
        scope: &OrganizationScope,
        device: DeviceId,
        range: Range<SystemTime>,
        after: Option<&SampleRow>,
        limit: i64,
    ) -> Result<Vec<SampleRow>, StoreError> {
        const OPERATION: &str = "sample_list";
        const TABLE: &str = "sample_head";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        // By the beginning of the whole range for every page of it: where a clock was far ahead, what comes later was stored earlier.
        let stored_from = range.start.checked_sub(CLOCK_AHEAD_MAX).unwrap_or(range.start);
        let (spool_id, sequence) = after.map(|after| (after.spool_id.as_slice(), after.sequence)).unzip();
        let from = after.map_or(range.start, |after| after.sampled_at);
        // By the index on device and time of each partition; only samples of one time are sorted.
        let rows = txn
            .rows(
                "SELECT sampled_at, spool_id, sequence, sample_values FROM sample_head
                 WHERE organization_id = $1 AND device_id = $2 AND sampled_at >= $3 AND sampled_at < $4 AND stored_at >= $5
                   AND ($6::bytea IS NULL OR (sampled_at, spool_id, sequence) > ($3, $6, $7::bigint))
                   AND ($9::uuid[] IS NULL OR EXISTS (SELECT FROM device WHERE device.id = $2 AND device.installation_id = ANY($9)))
                 ORDER BY sampled_at, spool_id, sequence LIMIT $8",
                &[
                    &scope.organization(),
                    &device,
                    &from,
                    &range.end,
                    &stored_from,
                    &spool_id,
                    &sequence,
                    &limit,
                    &scope.homes(),
                ],
            )
            .await?;
        txn.commit().await?;
        rows.iter()
            .map(|row| {
                Ok(SampleRow {
                    sampled_at: column(row, TABLE, "sampled_at")?,
                    spool_id: column(row, TABLE, "spool_id")?,
                    sequence: column(row, TABLE, "sequence")?,
                    values: column(row, TABLE, "sample_values")?,
                })
            })
            .collect()
    }
}

impl SystemStore {
    /// Makes the partitions of the hour of `now` and of the next hours.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sample_partitions_prepare(&self, now: SystemTime, hours: u32) -> Result<(), StoreError> {
        const OPERATION: &str = "sample_partitions_prepare";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        for hour in 0..=hours {
            let at = now + Duration::from_secs(3600) * hour;
            txn.rows("SELECT sample_head_prepare($1)", &[&at]).await?;
        }
        txn.commit().await
    }

    /// Drops the partitions that ended before `horizon`. Answers how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sample_partitions_drop(&self, horizon: SystemTime) -> Result<i32, StoreError> {
        const OPERATION: &str = "sample_partitions_drop";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn.row_opt("SELECT sample_head_drop_before($1) AS dropped", &[&horizon]).await?;
        txn.commit().await?;
        row.map_or(Ok(0), |row| column(&row, "sample_head", "dropped"))
    }
}
