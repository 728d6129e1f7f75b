//! The certificates that devices got, and when those that they have run out.

use crate::error::StoreError;
use crate::pool::{AppStore, SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::certificate::{CertificateCause, CertificateExpiry, DeviceCertificate};
use kaliun_types::id::DeviceId;
use std::time::SystemTime;
use tokio_postgres::Row;

const TABLE: &str = "device_certificate";

fn from_row(row: &Row) -> Result<DeviceCertificate, StoreError> {
    let id: i64 = column(row, TABLE, "id")?;
    let cause = CertificateCause::from_number(column(row, TABLE, "cause")?);
    Ok(DeviceCertificate {
        id,
        cause: cause.ok_or_else(|| StoreError::Inconsistent { table: TABLE, column: "cause", id: id.to_string() })?,
        authority: column(row, TABLE, "authority")?,
        issued_at: column(row, TABLE, "issued_at")?,
        expires_at: column(row, TABLE, "expires_at")?,
    })
}

impl AppStore {
    /// A page of the certificates that a device got, newest first, before the one with this id. None when there is no such device.
    ///
    /// # Errors
    /// The database failed.
    pub async fn certificate_list_page(
        &self,
        scope: &OrganizationScope,
        device: DeviceId,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Option<Vec<DeviceCertificate>>, StoreError> {
        const OPERATION: &str = "certificate_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let known = txn
            .row_opt(
                "SELECT id FROM device
                 WHERE id = $2 AND organization_id = $1 AND ($3::uuid[] IS NULL OR installation_id = ANY($3)) AND deleted_at IS NULL",
                &[&scope.organization(), &device, &scope.homes()],
            )
            .await?;
        if known.is_none() {
            return Ok(None);
        }
        let rows = txn
            .rows(
                "SELECT id, cause, authority, issued_at, expires_at FROM device_certificate
                 WHERE organization_id = $1 AND device_id = $2 AND ($3::bigint IS NULL OR id < $3)
                 ORDER BY id DESC LIMIT $4",
                &[&scope.organization(), &device, &before, &limit],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(from_row).collect::<Result<_, _>>().map(Some)
    }
}

impl SystemStore {
    /// How the certificates of all devices that may connect are doing: those that run out until `soon` are counted as expiring.
    ///
    /// # Errors
    /// The database failed.
    pub async fn certificate_expiry(&self, now: SystemTime, soon: SystemTime) -> Result<CertificateExpiry, StoreError> {
        const OPERATION: &str = "certificate_expiry";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // Each of the three reads its own part of the index device_certificate_expiry: a fleet that renews in time has nothing in the
        // second, and in the third only boxes that are switched off.
        let row = txn
            .row_opt(
                "SELECT (SELECT min(certificate_expires_at) FROM device
                         WHERE deleted_at IS NULL AND revoked_at IS NULL AND certificate_expires_at > $1) AS next_at,
                        (SELECT count(*) FROM device
                         WHERE deleted_at IS NULL AND revoked_at IS NULL AND certificate_expires_at > $1
                           AND certificate_expires_at <= $2) AS expiring,
                        (SELECT count(*) FROM device
                         WHERE deleted_at IS NULL AND revoked_at IS NULL AND certificate_expires_at <= $1) AS expired",
                &[&now, &soon],
            )
            .await?;
        txn.commit().await?;
        let Some(row) = row else { return Ok(CertificateExpiry::default()) };
        Ok(CertificateExpiry {
            next_at: column(&row, "device", "next_at")?,
            expiring: column(&row, "device", "expiring")?,
            expired: column(&row, "device", "expired")?,
        })
    }
}
