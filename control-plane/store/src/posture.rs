//! What is wrong with what devices are known by, as it stands in the database.
//!
//! Each kind has a statement of its own, which reads few of many rows by an index and pages by a key of its own.

use crate::device_identity::history_from_row;
use crate::error::StoreError;
use crate::pool::{AppStore, SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::enrollment::{RECOVERY_ALLOWANCE, recoverable_until};
use kaliun_domain::posture::{CERTIFICATE_OVERDUE, FLOOD_FROM, Finding, FindingKind, Matter};
use kaliun_types::id::{BootId, DeviceId};
use kaliun_types::reason::ReasonCode;
use std::time::SystemTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

const TABLE: &str = "device_identity";

/// How a page of one kind is asked for.
#[derive(Debug, Clone, Copy)]
pub struct FindingPage<'a> {
    /// Behind this key; none for the first.
    pub after: Option<&'a str>,
    /// How many at most.
    pub limit: i64,
    /// By the clock that certificates go by.
    pub now: SystemTime,
}

impl FindingPage<'_> {
    /// The key as a device's id. One that is none is no place in a list of devices.
    fn after_device(&self) -> Option<DeviceId> {
        self.after.and_then(|key| key.parse().ok())
    }
}

impl AppStore {
    /// A page of what is wrong in an organization, of one kind.
    ///
    /// # Errors
    /// The database failed.
    pub async fn finding_list_page(
        &self,
        scope: &OrganizationScope,
        kind: FindingKind,
        page: FindingPage<'_>,
    ) -> Result<Vec<Finding>, StoreError> {
        const OPERATION: &str = "finding_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let (organization, after) = (scope.organization(), page.after_device());
        let found = match kind {
            FindingKind::KeyReused => {
                let statement =
                    "SELECT d.id, d.name, k.key_reused_since AS since, k.key_reused_at AS last_at, k.key_reused_count AS n,
                            k.key_reused_source AS source, k.boots
                     FROM device_identity k JOIN device d ON d.id = k.device_id
                     WHERE k.organization_id = $1 AND k.key_reused_at > now() - interval '30 days'
                       AND d.deleted_at IS NULL AND d.revoked_at IS NULL AND ($2::uuid IS NULL OR d.id > $2)
                     ORDER BY d.id LIMIT $3";
                read(&txn, statement, &[&organization, &after, &page.limit], key_reused).await
            }
            FindingKind::CloneSuspected => {
                let statement = "SELECT d.id, d.name, k.parked_at AS since, NULL::timestamptz AS last_at, k.boots
                     FROM device_identity k JOIN device d ON d.id = k.device_id
                     WHERE k.organization_id = $1 AND k.parked_at IS NOT NULL
                       AND d.deleted_at IS NULL AND d.revoked_at IS NULL AND ($2::uuid IS NULL OR d.id > $2)
                     ORDER BY d.id LIMIT $3";
                read(&txn, statement, &[&organization, &after, &page.limit], clone_suspected).await
            }
            FindingKind::CertificateOutdated => {
                let statement =
                    "SELECT d.id, d.name, k.outdated_since AS since, k.outdated_at AS last_at, k.outdated_count AS n,
                            k.outdated_source AS source, k.boots
                     FROM device_identity k JOIN device d ON d.id = k.device_id
                     WHERE k.organization_id = $1 AND k.outdated_at > now() - interval '30 days' AND k.parked_at IS NULL
                       AND d.deleted_at IS NULL AND d.revoked_at IS NULL AND ($2::uuid IS NULL OR d.id > $2)
                     ORDER BY d.id LIMIT $3";
                read(&txn, statement, &[&organization, &after, &page.limit], certificate_outdated).await
            }
            FindingKind::Refused => {
                // A box that is refused for good asks once an hour.
                let statement =
                    "SELECT d.id, d.name, k.refused_since AS since, k.refused_at AS last_at, k.refused_count AS n,
                            k.refused_reason AS reason, d.deleted_at IS NOT NULL AS deleted
                     FROM device_identity k JOIN device d ON d.id = k.device_id
                     WHERE k.organization_id = $1 AND k.refused_at > now() - interval '1 day' AND ($2::uuid IS NULL OR d.id > $2)
                     ORDER BY d.id LIMIT $3";
                read(&txn, statement, &[&organization, &after, &page.limit], refused).await
            }
            FindingKind::EnrollmentFlood => {
                let statement = flood_statement("organization_id = $4");
                read(&txn, &statement, &[&page.after, &page.limit, &FLOOD_FROM, &organization], flood).await
            }
            FindingKind::RecoveryOver => {
                let statement = "SELECT id, name, certificate_expires_at, recoverable_until FROM device
                     WHERE organization_id = $1 AND deleted_at IS NULL AND revoked_at IS NULL AND certificate_expires_at < $4
                       AND coalesce(recoverable_until, '-infinity') < $5 AND ($2::uuid IS NULL OR id > $2)
                     ORDER BY id LIMIT $3";
                let ended = page.now - RECOVERY_ALLOWANCE;
                read(&txn, statement, &[&organization, &after, &page.limit, &ended, &page.now], recovery_over).await
            }
            FindingKind::CertificateExpired => {
                let statement = "SELECT id, name, certificate_expires_at AS since, NULL::timestamptz AS last_at FROM device
                     WHERE organization_id = $1 AND deleted_at IS NULL AND revoked_at IS NULL AND certificate_expires_at < $4
                       AND (certificate_expires_at >= $5 OR recoverable_until >= $4) AND ($2::uuid IS NULL OR id > $2)
                     ORDER BY id LIMIT $3";
                let ended = page.now - RECOVERY_ALLOWANCE;
                let expired = |row: &Row| about_device(row, Matter::CertificateExpired);
                read(&txn, statement, &[&organization, &after, &page.limit, &page.now, &ended], expired).await
            }
            FindingKind::CertificateOverdue => {
                let statement = "SELECT d.id, d.name, d.certificate_expires_at, s.online FROM device d
                     JOIN device_status s ON s.device_id = d.id
                     WHERE d.organization_id = $1 AND d.deleted_at IS NULL AND d.revoked_at IS NULL
                       AND d.certificate_expires_at >= $4 AND d.certificate_expires_at < $5 AND ($2::uuid IS NULL OR d.id > $2)
                     ORDER BY d.id LIMIT $3";
                let soon = page.now + CERTIFICATE_OVERDUE;
                read(&txn, statement, &[&organization, &after, &page.limit, &page.now, &soon], overdue).await
            }
            FindingKind::Returned => {
                let statement = returned_statement("true", "organization_id = $4");
                read(&txn, &statement, &[&after, &page.limit, &page.now, &organization], returned).await
            }
            FindingKind::DatabaseOlder | FindingKind::JournalStopped | FindingKind::RotationWaits => Ok(Vec::new()),
        };
        let found = found?;
        txn.commit().await?;
        Ok(found)
    }
}

impl SystemStore {
    /// A page of sources from which many enrolments came to nothing, with tokens of nobody.
    ///
    /// # Errors
    /// The database failed.
    pub async fn flood_list_page(&self, page: FindingPage<'_>) -> Result<Vec<Finding>, StoreError> {
        const OPERATION: &str = "flood_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let statement = flood_statement("organization_id IS NULL");
        let found = read(&txn, &statement, &[&page.after, &page.limit, &FLOOD_FROM], flood).await?;
        txn.commit().await?;
        Ok(found)
    }

    /// A page of devices that came back and that the database does not know, nor whose they are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn returned_list_page(&self, page: FindingPage<'_>) -> Result<Vec<Finding>, StoreError> {
        const OPERATION: &str = "returned_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // Where there is but one organization, it is that one's.
        let is_only = "NOT EXISTS (SELECT FROM organization WHERE NOT runs_platform)";
        let statement = returned_statement(is_only, "organization_id IS NULL");
        let found = read(&txn, &statement, &[&page.after_device(), &page.limit, &page.now], returned).await?;
        txn.commit().await?;
        Ok(found)
    }

    /// That boxes remember what this database does not, though nobody has said that it came back from a backup.
    ///
    /// # Errors
    /// The database failed.
    pub async fn database_older(&self) -> Result<Option<Finding>, StoreError> {
        const OPERATION: &str = "database_older";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT count(*) AS n, min(ahead_since) AS since, max(ahead_at) AS last_at FROM device_identity
                 WHERE ahead_at IS NOT NULL HAVING count(*) > 0",
                &[],
            )
            .await?;
        txn.commit().await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Finding {
            key: "database".to_owned(),
            device: None,
            since: column(&row, TABLE, "since")?,
            last_at: column(&row, TABLE, "last_at")?,
            matter: Matter::DatabaseOlder { boxes: count(&row, TABLE)? },
        }))
    }
}

/// Devices that came back and that the database does not know, of one owner.
fn returned_statement(is_known_whose: &str, whose: &str) -> String {
    format!(
        "SELECT device_id AS id, '' AS name, first_at AS since, last_at, source, encode(substr(key_hash, 1, 8), 'hex') AS fingerprint,
                {is_known_whose} AS is_known_whose
         FROM returned_device
         WHERE {whose} AND certificate_expires_at > $3 AND ($1::uuid IS NULL OR device_id > $1) ORDER BY device_id LIMIT $2"
    )
}

/// Sources of the last day with an hour that is a flood. At most a day's rows of one owner are read.
fn flood_statement(whose: &str) -> String {
    format!(
        "WITH hourly AS (
             SELECT source, hour, sum(refused_count)::bigint AS n, min(first_at) AS first_at, max(last_at) AS last_at
             FROM enrollment_refusal WHERE {whose} AND hour > now() - interval '1 day' GROUP BY source, hour
         ), flood AS (
             SELECT source, sum(n)::bigint AS n, min(first_at) AS since, max(last_at) AS last_at FROM hourly
             WHERE $1::text IS NULL OR source > $1
             GROUP BY source HAVING max(n) >= $3 ORDER BY source LIMIT $2
         )
         SELECT f.source, f.n, f.since, f.last_at,
                (SELECT reason FROM enrollment_refusal e
                 WHERE {whose} AND e.source = f.source AND e.hour > now() - interval '1 day'
                 GROUP BY reason ORDER BY sum(refused_count) DESC, reason LIMIT 1) AS reason
         FROM flood f ORDER BY f.source"
    )
}

async fn read(
    txn: &Txn<'_>,
    statement: &str,
    parameters: &[&(dyn ToSql + Sync)],
    from_row: impl Fn(&Row) -> Result<Finding, StoreError>,
) -> Result<Vec<Finding>, StoreError> {
    txn.rows(statement, parameters).await?.iter().map(from_row).collect()
}

/// From a row with the columns `id`, `name`, `since` and `last_at`.
fn about_device(row: &Row, matter: Matter) -> Result<Finding, StoreError> {
    let id: DeviceId = column(row, "device", "id")?;
    Ok(Finding {
        key: id.to_string(),
        device: Some((id, column(row, "device", "name")?)),
        since: column(row, TABLE, "since")?,
        last_at: column(row, TABLE, "last_at")?,
        matter,
    })
}

fn count(row: &Row, table: &'static str) -> Result<u64, StoreError> {
    column::<i64>(row, table, "n").map(i64::unsigned_abs)
}

fn reason(row: &Row, table: &'static str) -> Result<ReasonCode, StoreError> {
    let code: &str = column(row, table, "reason")?;
    ReasonCode::from_code(code).ok_or_else(|| StoreError::Inconsistent { table, column: "reason", id: code.to_owned() })
}

fn key_reused(row: &Row) -> Result<Finding, StoreError> {
    let matter = Matter::KeyReused {
        count: count(row, TABLE)?,
        source: column(row, TABLE, "source")?,
        last_boot: last_boot(row)?,
    };
    about_device(row, matter)
}

/// The boot that came last, from a row with the columns `id` and `boots`.
fn last_boot(row: &Row) -> Result<Option<BootId>, StoreError> {
    let history = history_from_row(row, column(row, "device", "id")?)?;
    Ok(history.boots().last().map(|boot| boot.id))
}

fn clone_suspected(row: &Row) -> Result<Finding, StoreError> {
    let history = history_from_row(row, column(row, "device", "id")?)?;
    let boots = history.rivals().into_iter().map(|boot| (boot.id, boot.source.clone())).collect();
    about_device(row, Matter::CloneSuspected(boots))
}

fn certificate_outdated(row: &Row) -> Result<Finding, StoreError> {
    let matter = Matter::CertificateOutdated {
        count: count(row, TABLE)?,
        source: column(row, TABLE, "source")?,
        last_boot: last_boot(row)?,
    };
    about_device(row, matter)
}

fn refused(row: &Row) -> Result<Finding, StoreError> {
    let is_deleted = column(row, "device", "deleted")?;
    about_device(row, Matter::Refused { reason: reason(row, TABLE)?, count: count(row, TABLE)?, is_deleted })
}

fn returned(row: &Row) -> Result<Finding, StoreError> {
    const TABLE: &str = "returned_device";
    let matter = Matter::Returned {
        source: column(row, TABLE, "source")?,
        key_fingerprint: column(row, TABLE, "fingerprint")?,
        is_known_whose: column(row, TABLE, "is_known_whose")?,
    };
    about_device(row, matter)
}

fn flood(row: &Row) -> Result<Finding, StoreError> {
    const TABLE: &str = "enrollment_refusal";
    let source: String = column(row, TABLE, "source")?;
    Ok(Finding {
        key: source.clone(),
        device: None,
        since: column(row, TABLE, "since")?,
        last_at: column(row, TABLE, "last_at")?,
        matter: Matter::EnrollmentFlood { source, count: count(row, TABLE)?, reason: reason(row, TABLE)? },
    })
}

fn recovery_over(row: &Row) -> Result<Finding, StoreError> {
    let (expired, extended) =
        (column(row, "device", "certificate_expires_at")?, column(row, "device", "recoverable_until")?);
    about_device_since(row, recoverable_until(expired, extended), Matter::RecoveryOver)
}

fn overdue(row: &Row) -> Result<Finding, StoreError> {
    let expires: SystemTime = column(row, "device", "certificate_expires_at")?;
    let matter = Matter::CertificateOverdue { online: column(row, "device_status", "online")? };
    about_device_since(row, expires - CERTIFICATE_OVERDUE, matter)
}

/// From a row with the columns `id` and `name`, of what lasts.
fn about_device_since(row: &Row, since: SystemTime, matter: Matter) -> Result<Finding, StoreError> {
    let id: DeviceId = column(row, "device", "id")?;
    let device = Some((id, column(row, "device", "name")?));
    Ok(Finding { key: id.to_string(), device, since, last_at: None, matter })
}
