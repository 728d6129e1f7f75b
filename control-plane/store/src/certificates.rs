//! The certificates that devices get: each is noted, in the transaction of whatever led to it.

use crate::enrollments::Enrolled;
use crate::error::StoreError;
use crate::lifecycle::standing_from_row;
use crate::pool::{SystemStore, Txn, column};
pub(crate) use kaliun_domain::certificate::CertificateCause;
use kaliun_domain::enrollment::may_recover;
use kaliun_types::id::{DeviceId, OrganizationId, SessionEpoch};
use kaliun_types::reason::ReasonCode;
use std::time::SystemTime;

/// Octets of a certificate's serial number.
pub const SERIAL_BYTES: usize = 16;

/// A certificate that is about to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateGrant {
    /// Number of the authority that signs it.
    pub authority: i32,
    /// Its serial number, which is no other's.
    pub serial: [u8; SERIAL_BYTES],
    /// When it is made.
    pub issued_at: SystemTime,
    /// Until when it is valid.
    pub expires_at: SystemTime,
}

/// Certificates that a device gets by proving its key, in a day.
const CERTIFICATES_A_DAY: i64 = 24;

/// Notes that a device gets a certificate.
pub(crate) async fn certificate_insert_in_txn(
    txn: &Txn<'_>,
    organization: OrganizationId,
    device: DeviceId,
    grant: CertificateGrant,
    cause: CertificateCause,
) -> Result<(), StoreError> {
    txn.execute(
        "INSERT INTO device_certificate (organization_id, device_id, authority, cause, serial, issued_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            &organization,
            &device,
            &grant.authority,
            &cause.number(),
            &grant.serial.as_slice(),
            &grant.issued_at,
            &grant.expires_at,
        ],
    )
    .await?;
    Ok(())
}

/// Whether a device that proved its key may have one more certificate. Its row is locked. Each is a row for two years, and over its link,
/// where there is a limit too, it needs one in three weeks: who wants so many keeps none of them.
pub(crate) async fn may_have_another_in_txn(
    txn: &Txn<'_>,
    device: DeviceId,
    grant: CertificateGrant,
) -> Result<bool, StoreError> {
    let row = txn
        .row_opt(
            "SELECT count(*) AS newest FROM (
                 SELECT issued_at FROM device_certificate WHERE device_id = $1 ORDER BY id DESC LIMIT $3
             ) AS c WHERE c.issued_at > $2::timestamptz - interval '1 day' AND c.issued_at <= $2",
            &[&device, &grant.issued_at, &CERTIFICATES_A_DAY],
        )
        .await?;
    let newest: i64 = row.map_or(Ok(0), |row| column(&row, "device_certificate", "newest"))?;
    Ok(newest < CERTIFICATES_A_DAY)
}

impl SystemStore {
    /// Grants a device its next certificate, in its newest session and for the key that it enrolled with. Answers whose it is; none
    /// when the session is over, the device was deleted, or the key is another one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn certificate_renew(
        &self,
        device: DeviceId,
        epoch: SessionEpoch,
        key_hash: &[u8],
        grant: CertificateGrant,
    ) -> Result<Option<OrganizationId>, StoreError> {
        const OPERATION: &str = "certificate_renew";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "UPDATE device d SET certificate_expires_at = GREATEST(d.certificate_expires_at, $4), certificate_authority = $5
                 FROM device_status s
                 WHERE d.id = $1 AND s.device_id = d.id AND s.session_epoch = $2 AND s.online
                   AND d.key_hash = $3 AND d.deleted_at IS NULL AND d.revoked_at IS NULL
                 RETURNING d.organization_id",
                &[&device, &epoch.0, &key_hash, &grant.expires_at, &grant.authority],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let organization: OrganizationId = column(&row, "device", "organization_id")?;
        certificate_insert_in_txn(&txn, organization, device, grant, CertificateCause::Renewed).await?;
        txn.execute(
            "INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
             VALUES ($1, $2, $3, 'The box got its next certificate.', 'control-plane', now())",
            &[&organization, &device, &ReasonCode::CertificateRenewed.code()],
        )
        .await?;
        txn.commit().await?;
        Ok(Some(organization))
    }

    /// Grants a device a certificate for a key that it has proved, if its allowance is not used up.
    ///
    /// # Errors
    /// The database failed. A refusal is `Ok(Err(reason))`.
    pub async fn certificate_recover(
        &self,
        key_hash: &[u8],
        grant: CertificateGrant,
        now: SystemTime,
    ) -> Result<Result<Enrolled, ReasonCode>, StoreError> {
        const OPERATION: &str = "certificate_recover";
        const TABLE: &str = "device";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // A key may have tombstones before the device that lives.
        // Whoever recovers verified this server by a chain of bundles. Before the device's row, in the order in which sessions take both.
        txn.execute(
            "UPDATE device_status s SET trust_version = 1 FROM device d
             WHERE d.key_hash = $1 AND s.device_id = d.id AND s.trust_version = 0",
            &[&key_hash],
        )
        .await?;
        let row = txn
            .row_opt(
                "SELECT id, name, organization_id, certificate_expires_at, recoverable_until, deleted_at IS NOT NULL AS deleted,
                        revoked_at IS NOT NULL AS revoked, decommissioned_at IS NOT NULL AS decommissioned, wipe_identity
                 FROM device WHERE key_hash = $1 ORDER BY deleted_at DESC NULLS FIRST LIMIT 1 FOR NO KEY UPDATE",
                &[&key_hash],
            )
            .await?;
        let Some(row) = row else { return Ok(Err(ReasonCode::PeerDeviceUnknown)) };
        if let Some(reason) = standing_from_row(&row)?.refusal() {
            let (device, organization) = (column(&row, TABLE, "id")?, column(&row, TABLE, "organization_id")?);
            // In a transaction of its own: this one holds the device's row, which sessions take after what is noted here.
            drop(txn);
            drop(connection);
            self.refusal_note(organization, device, reason).await?;
            return Ok(Err(reason));
        }
        if !may_recover(column(&row, TABLE, "certificate_expires_at")?, column(&row, TABLE, "recoverable_until")?, now)
        {
            return Ok(Err(ReasonCode::PeerRecoveryExpired));
        }
        let device: DeviceId = column(&row, TABLE, "id")?;
        let organization: OrganizationId = column(&row, TABLE, "organization_id")?;
        if !may_have_another_in_txn(&txn, device, grant).await? {
            return Ok(Err(ReasonCode::EnrollmentBusy));
        }
        txn.execute(
            "UPDATE device SET certificate_expires_at = GREATEST(certificate_expires_at, $2), certificate_authority = $3 WHERE id = $1",
            &[&device, &grant.expires_at, &grant.authority],
        )
        .await?;
        certificate_insert_in_txn(&txn, organization, device, grant, CertificateCause::Recovered).await?;
        txn.execute(
            "INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
             VALUES ($1, $2, $3, 'The box proved its key and got a certificate in place of one that was of no use any more.',
                     'control-plane', now())",
            &[&organization, &device, &ReasonCode::DeviceRecovered.code()],
        )
        .await?;
        txn.commit().await?;
        Ok(Ok(Enrolled { device, name: column(&row, TABLE, "name")?, organization, is_new: false }))
    }

    /// Forgets certificates that ended before a time, at most `limit`; answers how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn certificate_delete_ended(&self, horizon: SystemTime, limit: i64) -> Result<u64, StoreError> {
        const OPERATION: &str = "certificate_delete_ended";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let deleted = txn
            .execute(
                "DELETE FROM device_certificate WHERE id IN
                     (SELECT id FROM device_certificate WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
                &[&horizon, &limit],
            )
            .await?;
        txn.commit().await?;
        Ok(deleted)
    }

    /// Notes which trust bundle a device holds, in its newest session.
    ///
    /// # Errors
    /// The database failed.
    pub async fn trust_held(&self, device: DeviceId, epoch: SessionEpoch, version: i64) -> Result<(), StoreError> {
        const OPERATION: &str = "trust_held";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        txn.execute(
            "UPDATE device_status SET trust_version = $3 WHERE device_id = $1 AND session_epoch = $2",
            &[&device, &epoch.0, &version],
        )
        .await?;
        txn.commit().await
    }
}
