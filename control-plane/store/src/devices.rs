//! Devices as people see them.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn, event_insert_in_txn};
use crate::error::StoreError;
use crate::join_tokens::{labels_from_json, labels_to_json};
use crate::pool::{AppStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::device::{Device, Link, Report, Summary, verdict_from_number};
use kaliun_types::id::{DeviceId, InstallationId};
use kaliun_types::label::Labels;
use kaliun_types::limits::LABELS_MAX;
use kaliun_types::reason::ReasonCode;
use kaliun_types::selector::{Condition, Selector};
use serde_json::{Value, json};
use std::time::SystemTime;
use tokio_postgres::Row;

/// Which devices.
#[derive(Debug, Clone, Default)]
pub struct DeviceFilter {
    /// By labels.
    pub selector: Selector,
    /// By a part of the name; empty for all.
    pub name_contains: String,
    /// By the link; none for both, and for those that may not have one any more.
    pub online: Option<bool>,
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceOrder {
    /// By name.
    Name,
    /// Gravest first, then by name.
    Health,
    /// Latest change of the link first.
    LinkSince,
    /// Newest first.
    Enrolled,
}

/// The last device of a page, in the order of the list: where the next page begins.
#[derive(Debug, Clone, PartialEq)]
pub enum DevicePosition {
    /// Order by name.
    Name(String),
    /// Order by health: the rank and the name.
    Health(i16, String),
    /// Order by the link's age.
    LinkSince(SystemTime, DeviceId),
    /// Order by enrolment.
    Enrolled(SystemTime, DeviceId),
}

/// What a person changes on a device.
#[derive(Debug, Clone, Default)]
pub struct DeviceChange {
    /// New name; none to keep it.
    pub name: Option<String>,
    /// Labels to set.
    pub set_labels: Labels,
    /// Label keys to remove.
    pub remove_labels: Vec<String>,
}

/// Where a device stands in the order of health: one that may not connect any more needs nobody's attention, and stands last.
macro_rules! health_rank {
    () => {
        "CASE WHEN d.revoked_at IS NULL THEN device_health_rank(s.verdict, s.sample_stored_at) ELSE 6::smallint END"
    };
}

/// The columns of a device, its status, facts and home; and the filter that all lists share.
macro_rules! device_query {
    ($tail:literal) => {
        concat!(
            "SELECT d.id, d.name, d.labels, d.installation_id, i.name AS installation_name, d.key_hash,
                    d.certificate_expires_at, d.recoverable_until, d.revoked_at, d.decommissioned_at, k.parked_at, d.enrolled_at, d.version, s.online, s.link_since, s.link_reason,
                    s.agent_version, s.sampled_at, s.sample_stored_at, s.sample_values, s.verdict, s.reasons, f.facts,
                    ",
            health_rank!(),
            " AS health_rank
             FROM device d
             JOIN device_status s ON s.device_id = d.id
             LEFT JOIN device_facts f ON f.device_id = d.id
             LEFT JOIN device_identity k ON k.device_id = d.id
             LEFT JOIN installation i ON i.id = d.installation_id
             WHERE d.organization_id = $1 AND ($2::uuid[] IS NULL OR d.installation_id = ANY($2)) AND d.deleted_at IS NULL ",
            $tail
        )
    };
}

macro_rules! device_page {
    ($tail:literal) => {
        concat!(
            device_query!(
                "AND ($3::jsonb = '[]' OR labels_match(d.labels, $3)) AND ($4 = '' OR strpos(d.name, $4) > 0)
                 AND ($5::boolean IS NULL OR (s.online = $5 AND d.revoked_at IS NULL)) "
            ),
            $tail
        )
    };
}

const BY_NAME: &str = device_page!("AND ($6::text IS NULL OR d.name > $6) ORDER BY d.name LIMIT $7");
const BY_HEALTH: &str = concat!(
    device_page!("AND ($6::smallint IS NULL OR ("),
    health_rank!(),
    ", d.name) > ($6, $7::text)) ORDER BY health_rank, d.name LIMIT $8"
);
const BY_LINK_SINCE: &str = device_page!(
    "AND ($6::timestamptz IS NULL OR (s.link_since, d.id) < ($6, $7::uuid)) ORDER BY s.link_since DESC, d.id DESC LIMIT $8"
);
const BY_ENROLLED: &str = device_page!(
    "AND ($6::timestamptz IS NULL OR (d.enrolled_at, d.id) < ($6, $7::uuid)) ORDER BY d.enrolled_at DESC, d.id DESC LIMIT $8"
);

fn from_row(row: &Row) -> Result<Device, StoreError> {
    const TABLE: &str = "device";
    let id: DeviceId = column(row, TABLE, "id")?;
    let installation_id: Option<InstallationId> = column(row, TABLE, "installation_id")?;
    let installation_name: Option<String> = column(row, TABLE, "installation_name")?;
    Ok(Device {
        id,
        name: column(row, TABLE, "name")?,
        labels: labels_from_json(column(row, TABLE, "labels")?, TABLE, &id.to_string())?,
        installation: installation_id.zip(installation_name),
        key_hash: column(row, TABLE, "key_hash")?,
        certificate_expires_at: column(row, TABLE, "certificate_expires_at")?,
        recovery_extended_until: column(row, TABLE, "recoverable_until")?,
        revoked_at: column(row, TABLE, "revoked_at")?,
        decommissioned_at: column(row, TABLE, "decommissioned_at")?,
        parked_at: column(row, TABLE, "parked_at")?,
        enrolled_at: column(row, TABLE, "enrolled_at")?,
        version: column(row, TABLE, "version")?,
        link: Link {
            online: column(row, TABLE, "online")?,
            since: column(row, TABLE, "link_since")?,
            reason: column(row, TABLE, "link_reason")?,
        },
        agent_version: column(row, TABLE, "agent_version")?,
        report: report_from_row(row, id)?,
        facts: column(row, TABLE, "facts")?,
    })
}

fn report_from_row(row: &Row, id: DeviceId) -> Result<Option<Report>, StoreError> {
    const TABLE: &str = "device_status";
    let sampled_at: Option<SystemTime> = column(row, TABLE, "sampled_at")?;
    let stored_at: Option<SystemTime> = column(row, TABLE, "sample_stored_at")?;
    let values: Option<Vec<u8>> = column(row, TABLE, "sample_values")?;
    let verdict: Option<i16> = column(row, TABLE, "verdict")?;
    let health: Option<Vec<u8>> = column(row, TABLE, "reasons")?;
    let (Some(sampled_at), Some(stored_at), Some(values), Some(verdict)) = (sampled_at, stored_at, values, verdict)
    else {
        return Ok(None);
    };
    let verdict = verdict_from_number(verdict).ok_or_else(|| StoreError::Inconsistent {
        table: TABLE,
        column: "verdict",
        id: id.to_string(),
    })?;
    Ok(Some(Report { sampled_at, stored_at, values, verdict, health: health.unwrap_or_default() }))
}

/// A selector as the SQL function `labels_match` reads it.
fn requirements(selector: &Selector) -> Value {
    selector
        .requirements()
        .iter()
        .map(|requirement| match &requirement.condition {
            Condition::In(values) => json!({ "key": requirement.key, "op": "in", "values": values }),
            Condition::NotIn(values) => json!({ "key": requirement.key, "op": "notin", "values": values }),
            Condition::Exists => json!({ "key": requirement.key, "op": "exists" }),
            Condition::Missing => json!({ "key": requirement.key, "op": "missing" }),
        })
        .collect()
}

impl AppStore {
    /// One device by id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn device_get(&self, scope: &OrganizationScope, id: DeviceId) -> Result<Option<Device>, StoreError> {
        Ok(self.device_list_by_ids(scope, &[id]).await?.into_iter().next())
    }

    /// Those of some devices that exist, in no order.
    ///
    /// # Errors
    /// The database failed.
    pub async fn device_list_by_ids(
        &self,
        scope: &OrganizationScope,
        ids: &[DeviceId],
    ) -> Result<Vec<Device>, StoreError> {
        const OPERATION: &str = "device_list_by_ids";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let rows =
            txn.rows(device_query!("AND d.id = ANY($3)"), &[&scope.organization(), &scope.homes(), &ids]).await?;
        txn.commit().await?;
        rows.iter().map(from_row).collect()
    }

    /// One device by name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn device_get_by_name(
        &self,
        scope: &OrganizationScope,
        name: &str,
    ) -> Result<Option<Device>, StoreError> {
        const OPERATION: &str = "device_get_by_name";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let row =
            txn.row_opt(device_query!("AND d.name = $3"), &[&scope.organization(), &scope.homes(), &name]).await?;
        txn.commit().await?;
        row.as_ref().map(from_row).transpose()
    }

    /// A page of devices after a position. Each comes with its own position.
    ///
    /// # Errors
    /// The database failed.
    pub async fn device_list_page(
        &self,
        scope: &OrganizationScope,
        filter: &DeviceFilter,
        order: DeviceOrder,
        after: Option<&DevicePosition>,
        limit: i64,
    ) -> Result<Vec<(Device, DevicePosition)>, StoreError> {
        const OPERATION: &str = "device_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let (organization, homes) = (scope.organization(), scope.homes());
        let requirements = requirements(&filter.selector);
        let (name, online) = (&filter.name_contains, &filter.online);
        let rows = match order {
            DeviceOrder::Name => {
                let after = match after {
                    Some(DevicePosition::Name(name)) => Some(name),
                    Some(_) | None => None,
                };
                txn.rows(BY_NAME, &[&organization, &homes, &requirements, name, online, &after, &limit]).await?
            }
            DeviceOrder::Health => {
                let (rank, after) = match after {
                    Some(DevicePosition::Health(rank, name)) => (Some(*rank), Some(name)),
                    Some(_) | None => (None, None),
                };
                txn.rows(BY_HEALTH, &[&organization, &homes, &requirements, name, online, &rank, &after, &limit])
                    .await?
            }
            DeviceOrder::LinkSince => {
                let (since, id) = match after {
                    Some(DevicePosition::LinkSince(since, id)) => (Some(*since), Some(*id)),
                    Some(_) | None => (None, None),
                };
                txn.rows(BY_LINK_SINCE, &[&organization, &homes, &requirements, name, online, &since, &id, &limit])
                    .await?
            }
            DeviceOrder::Enrolled => {
                let (at, id) = match after {
                    Some(DevicePosition::Enrolled(at, id)) => (Some(*at), Some(*id)),
                    Some(_) | None => (None, None),
                };
                txn.rows(BY_ENROLLED, &[&organization, &homes, &requirements, name, online, &at, &id, &limit]).await?
            }
        };
        txn.commit().await?;
        rows.iter()
            .map(|row| {
                let device = from_row(row)?;
                let position = match order {
                    DeviceOrder::Name => DevicePosition::Name(device.name.clone()),
                    DeviceOrder::Health => {
                        DevicePosition::Health(column(row, "device_status", "health_rank")?, device.name.clone())
                    }
                    DeviceOrder::LinkSince => DevicePosition::LinkSince(device.link.since, device.id),
                    DeviceOrder::Enrolled => DevicePosition::Enrolled(device.enrolled_at, device.id),
                };
                Ok((device, position))
            })
            .collect()
    }

    /// Counts the devices that a filter selects.
    ///
    /// # Errors
    /// The database failed.
    pub async fn device_summary(
        &self,
        scope: &OrganizationScope,
        filter: &DeviceFilter,
    ) -> Result<Summary, StoreError> {
        const OPERATION: &str = "device_summary";
        const TABLE: &str = "device_status";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        // One pass over the organization's devices; the server makes it at most once a second for each watcher.
        let row = txn
            .row_opt(
                concat!(
                    "SELECT count(*) AS total, count(*) FILTER (WHERE online AND rank <> 6) AS online,
                        count(*) FILTER (WHERE rank = 5) AS ok, count(*) FILTER (WHERE rank = 2) AS degraded,
                        count(*) FILTER (WHERE rank = 1) AS critical, count(*) FILTER (WHERE rank = 3) AS stale,
                        count(*) FILTER (WHERE rank = 4) AS unknown,
                        count(*) FILTER (WHERE rank = 6) AS revoked
                 FROM (SELECT s.online, ",
                    health_rank!(),
                    " AS rank
                       FROM device d JOIN device_status s ON s.device_id = d.id
                       WHERE d.organization_id = $1 AND ($2::uuid[] IS NULL OR d.installation_id = ANY($2)) AND d.deleted_at IS NULL
                         AND ($3::jsonb = '[]' OR labels_match(d.labels, $3)) AND ($4 = '' OR strpos(d.name, $4) > 0)
                         AND ($5::boolean IS NULL OR (s.online = $5 AND d.revoked_at IS NULL))) AS ranked"
                ),
                &[&scope.organization(), &scope.homes(), &requirements(&filter.selector), &filter.name_contains, &filter.online],
            )
            .await?;
        txn.commit().await?;
        let Some(row) = row else { return Ok(Summary::default()) };
        Ok(Summary {
            total: column(&row, TABLE, "total")?,
            online: column(&row, TABLE, "online")?,
            ok: column(&row, TABLE, "ok")?,
            degraded: column(&row, TABLE, "degraded")?,
            critical: column(&row, TABLE, "critical")?,
            stale: column(&row, TABLE, "stale")?,
            unknown: column(&row, TABLE, "unknown")?,
            revoked: column(&row, TABLE, "revoked")?,
        })
    }

    /// Changes name and labels, if nobody else did since `version`. `Ok(false)` when there is no such device.
    ///
    /// # Errors
    /// The name is taken, somebody else was faster, or the database failed.
    pub async fn device_update(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        id: DeviceId,
        version: i64,
        change: &DeviceChange,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "device_update";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let Some(row) = txn
            .row_opt(
                "SELECT name, labels, version FROM device
                 WHERE id = $1 AND organization_id = $2 AND ($3::uuid[] IS NULL OR installation_id = ANY($3)) AND deleted_at IS NULL FOR NO KEY UPDATE",
                &[&id, &scope.organization(), &scope.homes()],
            )
            .await?
        else {
            return Ok(false);
        };
        if column::<i64>(&row, "device", "version")? != version {
            return Err(StoreError::Stale { what: "the device" });
        }
        let old_name: String = column(&row, "device", "name")?;
        let old_labels = labels_from_json(column(&row, "device", "labels")?, "device", &id.to_string())?;
        let name = change.name.as_ref().unwrap_or(&old_name);
        let mut labels = old_labels.clone();
        labels.extend(change.set_labels.clone());
        labels.retain(|key, _value| !change.remove_labels.contains(key));
        if labels.len() > LABELS_MAX {
            return Err(StoreError::TooMany { what: "labels of a device", most: LABELS_MAX });
        }
        txn.execute(
            "UPDATE device SET name = $3, labels = $4, version = version + 1 WHERE id = $1 AND organization_id = $2",
            &[&id, &scope.organization(), name, &labels_to_json(&labels)],
        )
        .await
        .map_err(|error| error.unless_duplicate("a device of this name"))?;
        let entry = AuditEntry {
            action: "device.update",
            target: format!("device/{id}"),
            before: Some(json!({ "name": old_name, "labels": labels_to_json(&old_labels) })),
            after: Some(json!({ "name": name, "labels": labels_to_json(&labels) })),
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        event_insert_in_txn(&txn, scope, actor, id, ReasonCode::DeviceChanged, "Name or labels were changed.").await?;
        txn.commit().await?;
        Ok(true)
    }

    /// Lets a device recover until a time. Answers whether there is such a device.
    ///
    /// # Errors
    /// The database failed.
    pub async fn device_extend(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        id: DeviceId,
        until: SystemTime,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "device_extend";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let changed = txn
            .execute(
                "UPDATE device SET recoverable_until = $3, version = version + 1
                 WHERE id = $1 AND organization_id = $2 AND ($4::uuid[] IS NULL OR installation_id = ANY($4)) AND deleted_at IS NULL",
                &[&id, &scope.organization(), &until, &scope.homes()],
            )
            .await?;
        if changed == 0 {
            return Ok(false);
        }
        let until_ms = until.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let entry = AuditEntry {
            action: "device.extend",
            target: format!("device/{id}"),
            before: None,
            after: Some(json!({ "recoverable_until_ms": u64::try_from(until_ms).unwrap_or(u64::MAX) })),
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        let message = "The box may get a new certificate by proving its key, for some time.";
        event_insert_in_txn(&txn, scope, actor, id, ReasonCode::DeviceChanged, message).await?;
        txn.commit().await?;
        Ok(true)
    }

    /// Takes a device's right to connect away. It stays on the list. Answers whether there is such a device; harmless when it is
    /// revoked already.
    ///
    /// # Errors
    /// The database failed.
    pub async fn device_revoke(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        id: DeviceId,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "device_revoke";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT revoked_at IS NOT NULL AS revoked FROM device
                 WHERE id = $1 AND organization_id = $2 AND ($3::uuid[] IS NULL OR installation_id = ANY($3)) AND deleted_at IS NULL FOR NO KEY UPDATE",
                &[&id, &scope.organization(), &scope.homes()],
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        if column(&row, "device", "revoked")? {
            return Ok(true);
        }
        txn.execute(
            "UPDATE device SET revoked_at = now(), version = version + 1 WHERE id = $1 AND organization_id = $2",
            &[&id, &scope.organization()],
        )
        .await?;
        let entry = AuditEntry { action: "device.revoke", target: format!("device/{id}"), before: None, after: None };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        let message = "The device was revoked: nothing that its key proves counts any more.";
        event_insert_in_txn(&txn, scope, actor, id, ReasonCode::DeviceRevoked, message).await?;
        txn.commit().await?;
        Ok(true)
    }

    /// Turns a device into a tombstone. Answers whether there was one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn device_delete(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        id: DeviceId,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "device_delete";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let row = txn
            .row_opt(
                "UPDATE device SET deleted_at = now(), version = version + 1
                 WHERE id = $1 AND organization_id = $2 AND ($3::uuid[] IS NULL OR installation_id = ANY($3)) AND deleted_at IS NULL RETURNING name",
                &[&id, &scope.organization(), &scope.homes()],
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        let name: String = column(&row, "device", "name")?;
        let entry = AuditEntry {
            action: "device.delete",
            target: format!("device/{id}"),
            before: Some(json!({ "name": name })),
            after: None,
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        event_insert_in_txn(&txn, scope, actor, id, ReasonCode::DeviceDeleted, "The device was deleted.").await?;
        txn.commit().await?;
        Ok(true)
    }
}
