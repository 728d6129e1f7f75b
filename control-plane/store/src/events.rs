//! Facts in time.

use crate::error::StoreError;
use crate::pool::{AppStore, SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::event::Event;
use kaliun_types::id::DeviceId;
use std::time::SystemTime;

impl AppStore {
    /// A page of events, newest first, before the one with this id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn event_list_page(
        &self,
        scope: &OrganizationScope,
        device: Option<DeviceId>,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Event>, StoreError> {
        const OPERATION: &str = "event_list_page";
        // Two statements, for one with "OR" would use neither index.
        const OF_DEVICE: &str = "
            SELECT e.id, e.device_id, d.name AS device_name, e.code, e.message, e.happened_at, e.stored_at
            FROM event e LEFT JOIN device d ON d.id = e.device_id
            WHERE e.organization_id = $1 AND e.device_id = $2 AND ($3::bigint IS NULL OR e.id < $3)
              AND ($5::uuid[] IS NULL OR d.installation_id = ANY($5))
            ORDER BY e.id DESC LIMIT $4";
        const OF_ORGANIZATION: &str = "
            SELECT e.id, e.device_id, d.name AS device_name, e.code, e.message, e.happened_at, e.stored_at
            FROM event e LEFT JOIN device d ON d.id = e.device_id
            WHERE e.organization_id = $1 AND ($2::bigint IS NULL OR e.id < $2)
              AND ($4::uuid[] IS NULL OR d.installation_id = ANY($4))
            ORDER BY e.id DESC LIMIT $3";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let homes = scope.homes();
        let rows = match device {
            Some(device) => txn.rows(OF_DEVICE, &[&scope.organization(), &device, &before, &limit, &homes]).await?,
            None => txn.rows(OF_ORGANIZATION, &[&scope.organization(), &before, &limit, &homes]).await?,
        };
        txn.commit().await?;
        rows.iter()
            .map(|row| {
                let device: Option<DeviceId> = column(row, "event", "device_id")?;
                let device_name: Option<String> = column(row, "event", "device_name")?;
                Ok(Event {
                    id: column(row, "event", "id")?,
                    device: device.zip(device_name),
                    code: column(row, "event", "code")?,
                    message: column(row, "event", "message")?,
                    happened_at: column(row, "event", "happened_at")?,
                    stored_at: column(row, "event", "stored_at")?,
                })
            })
            .collect()
    }
}

impl SystemStore {
    /// Deletes events that were stored before `horizon`, the oldest first, at most `limit`. Answers how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn event_delete_before(&self, horizon: SystemTime, limit: i64) -> Result<u64, StoreError> {
        const OPERATION: &str = "event_delete_before";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // Ids grow with time, so the oldest are found by the primary key. Another replica that does the same waits for these
        // rows and then finds them gone.
        let deleted = txn
            .execute(
                "DELETE FROM event WHERE id IN (SELECT id FROM event ORDER BY id LIMIT $2) AND stored_at < $1",
                &[&horizon, &limit],
            )
            .await?;
        txn.commit().await?;
        Ok(deleted)
    }
}
