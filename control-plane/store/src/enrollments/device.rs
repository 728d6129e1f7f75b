//! The device that an enrolment leads to: whether there is one with a key, how it is made, and how it gets its certificate again.

use super::{Enrolled, NewDevice};
use crate::audit::{Actor, AuditEntry, audit_of_organization_in_txn};
use crate::certificates::{CertificateCause, CertificateGrant, certificate_insert_in_txn};
use crate::error::StoreError;
use crate::join_tokens::labels_to_json;
use crate::lifecycle::standing_from_row;
use crate::pool::{Txn, column};
use kaliun_domain::enrollment::may_recover;
use kaliun_domain::lifecycle::Standing;
use kaliun_types::id::{DeviceId, EnrollmentId, InstallationId, OrganizationId};
use kaliun_types::label::Labels;
use kaliun_types::name::DeviceName;
use kaliun_types::reason::ReasonCode;
use std::time::SystemTime;

/// Most tries to find a free name by counting up. A factory that names all boxes alike has the count in the name.
const NAME_TRIES: u32 = 100_000;

/// A device that lives with a key.
pub(crate) struct Live {
    pub(crate) device: Enrolled,
    certificate_expires_at: SystemTime,
    recoverable_until: Option<SystemTime>,
}

impl Live {
    /// Whether it was away for no longer than it may be.
    pub(crate) fn may_return(&self, now: SystemTime) -> bool {
        may_recover(self.certificate_expires_at, self.recoverable_until, now)
    }
}

/// The device with this key that is not deleted; or why its key counts for nothing. A key that was revoked once is refused for ever, also
/// when its device was deleted since: whoever has a stolen box has its key.
pub(crate) async fn live_device_by_key(
    txn: &Txn<'_>,
    key_hash: &[u8],
) -> Result<Result<Option<Live>, ReasonCode>, StoreError> {
    const TABLE: &str = "device";
    let rows = txn
        .rows(
            "SELECT id, name, organization_id, certificate_expires_at, recoverable_until, deleted_at IS NOT NULL AS deleted,
                    revoked_at IS NOT NULL AS revoked, decommissioned_at IS NOT NULL AS decommissioned, wipe_identity
             FROM device WHERE key_hash = $1 AND (deleted_at IS NULL OR revoked_at IS NOT NULL)
             ORDER BY deleted_at NULLS FIRST LIMIT 2 FOR NO KEY UPDATE",
            &[&key_hash],
        )
        .await?;
    let mut live = None;
    for row in &rows {
        let standing = standing_from_row(row)?;
        if let Some(reason) = (Standing { deleted: false, ..standing }).refusal() {
            return Ok(Err(reason));
        }
        live = Some(Live {
            device: Enrolled {
                device: column(row, TABLE, "id")?,
                name: column(row, TABLE, "name")?,
                organization: column(row, TABLE, "organization_id")?,
                is_new: false,
            },
            certificate_expires_at: column(row, TABLE, "certificate_expires_at")?,
            recoverable_until: column(row, TABLE, "recoverable_until")?,
        });
    }
    Ok(Ok(live))
}

/// Notes that a device gets its certificate once more: the answer of its first try was lost, or its folder was.
pub(crate) async fn reissue(
    txn: &Txn<'_>,
    device: DeviceId,
    organization: OrganizationId,
    certificate: CertificateGrant,
    actor: &Actor,
) -> Result<(), StoreError> {
    txn.execute(
        "UPDATE device SET certificate_expires_at = GREATEST(certificate_expires_at, $2), certificate_authority = $3 WHERE id = $1",
        &[&device, &certificate.expires_at, &certificate.authority],
    )
    .await?;
    certificate_insert_in_txn(txn, organization, device, certificate, CertificateCause::GivenAgain).await?;
    txn.execute(
        "INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
         VALUES ($1, $2, $3, 'The box proved its key and got a certificate again.', $4, now())",
        &[&organization, &device, &ReasonCode::DeviceReissued.code(), &actor.name],
    )
    .await?;
    let entry = AuditEntry::plain("device.reissue", format!("device/{device}"));
    audit_of_organization_in_txn(txn, organization, actor, entry).await
}

/// How a box came in, for the audit.
pub(crate) struct EnrolledBy<'a> {
    /// Who let it in, and by which request.
    pub(crate) actor: &'a Actor,
    /// `code` where somebody claimed it, `approval` where an operator said yes, `token` where the token was enough.
    pub(crate) way: &'static str,
    /// What it waited as. Wrong check characters are audited under the same.
    pub(crate) enrollment: Option<EnrollmentId>,
}

/// Inserts a device under the wished name, or the first like it that is free.
pub(crate) async fn device_insert(
    txn: &Txn<'_>,
    organization: OrganizationId,
    installation: Option<InstallationId>,
    labels: &Labels,
    new: &NewDevice<'_>,
    wished: &DeviceName,
    by: &EnrolledBy<'_>,
) -> Result<Enrolled, StoreError> {
    let device = DeviceId::new();
    let name = free_name(txn, organization, wished).await?;
    txn.execute(
        "INSERT INTO device
             (id, organization_id, installation_id, name, labels, key_hash, certificate_expires_at, certificate_authority)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            &device,
            &organization,
            &installation,
            &name,
            &labels_to_json(labels),
            &new.parts.key_hash,
            &new.certificate.expires_at,
            &new.certificate.authority,
        ],
    )
    .await
    .map_err(|error| error.unless_duplicate("a device with this key or name"))?;
    // It verified this server by a chain of bundles before it told who it is, and keeps that chain.
    txn.execute(
        "INSERT INTO device_status (device_id, organization_id, trust_version) VALUES ($1, $2, 1)",
        &[&device, &organization],
    )
    .await?;
    txn.execute(
        "INSERT INTO device_facts (device_id, organization_id, facts, facts_hash, reported_at) VALUES ($1, $2, $3, $4, now())",
        &[&device, &organization, &new.facts, &new.facts_hash],
    )
    .await?;
    txn.execute(
        "INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
         VALUES ($1, $2, $3, 'The box was enrolled.', $4, now())",
        &[&organization, &device, &ReasonCode::DeviceEnrolled.code(), &by.actor.name],
    )
    .await?;
    let entry = AuditEntry {
        after: Some(serde_json::json!({
            "name": name,
            "labels": labels_to_json(labels),
            "installation": installation.map(|id| id.to_string()),
            "key_fingerprint": fingerprint(new.parts.key_hash),
            "way": by.way,
            "enrollment": by.enrollment.map(|id| format!("enrollment/{id}")),
        })),
        ..AuditEntry::plain("device.enroll", format!("device/{device}"))
    };
    audit_of_organization_in_txn(txn, organization, by.actor, entry).await?;
    Ok(Enrolled { device, name, organization, is_new: true })
}

/// As people see it: the first 16 hexadecimal digits of the key's hash in groups of four.
fn fingerprint(key_hash: &[u8]) -> String {
    let groups =
        key_hash.chunks(2).take(4).map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    groups.collect::<Vec<_>>().join(" ")
}

/// The wished name, or with the lowest number behind it that is free.
///
/// The lock keeps two boxes of the same name from choosing the same number; it is held until the transaction ends.
pub(crate) async fn free_name(
    txn: &Txn<'_>,
    organization: OrganizationId,
    wished: &DeviceName,
) -> Result<String, StoreError> {
    txn.rows(
        "SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2))",
        &[&organization.to_string(), &wished.as_str()],
    )
    .await?;
    let row = txn
        .row_opt(
            "SELECT candidate FROM (
                 SELECT n, CASE n WHEN 1 THEN $2::text ELSE $2::text || '-' || n END AS candidate FROM generate_series(1, $3::integer) AS n
             ) AS candidates
             WHERE NOT EXISTS (SELECT FROM device d WHERE d.organization_id = $1 AND d.name = candidate AND d.deleted_at IS NULL)
             ORDER BY n LIMIT 1",
            &[&organization, &wished.as_str(), &i32::try_from(NAME_TRIES).unwrap_or(i32::MAX)],
        )
        .await?;
    match row {
        Some(row) => column(&row, "device", "candidate"),
        None => Err(StoreError::AlreadyExists { what: "every numbered name like this" }),
    }
}
