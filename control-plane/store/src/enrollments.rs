//! Boxes on their way in: what is known of them, and how an approved one gets its certificate.
//!
//! These run as `kaliun_system`, for a box that enrols may belong to nobody yet. Where a person decides, the person's scope is an
//! argument and is where the device goes. Those that come by code are in `claims`, those with a join token in `admissions`.

mod device;

use crate::audit::Actor;
use crate::certificates::{CertificateCause, CertificateGrant, certificate_insert_in_txn, may_have_another_in_txn};
use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use crate::scope::OrganizationScope;
pub(crate) use device::{EnrolledBy, device_insert, free_name, live_device_by_key, reissue};
use kaliun_domain::enrollment::EnrollmentState;
use kaliun_domain::name_pattern::NameParts;
use kaliun_types::claim_check::NONCE_BYTES;
use kaliun_types::id::{DeviceId, EnrollmentId, InstallationId, OrganizationId};
use kaliun_types::label::Labels;
use kaliun_types::name::DeviceName;
use kaliun_types::reason::ReasonCode;
use std::fmt;
use std::time::{Duration, SystemTime};
use tokio_postgres::Row;

/// What is known of a box that proved its key.
pub struct NewDevice<'a> {
    /// What its name can be made of, and the SHA-256 of its SubjectPublicKeyInfo.
    pub parts: NameParts<'a>,
    /// What it says of itself: an encoded `kaliun.telemetry.v1.Facts`.
    pub facts: &'a [u8],
    /// SHA-256 of that.
    pub facts_hash: &'a [u8],
    /// The certificate that it gets now.
    pub certificate: CertificateGrant,
}

/// A device that may have its certificate now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Who it is.
    pub device: DeviceId,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub organization: OrganizationId,
    /// False when it was enrolled before and only asks again.
    pub is_new: bool,
}

/// A box that waits for somebody's yes. What opens a claim does not print itself.
#[derive(Clone)]
pub struct EnrollmentRow {
    /// Its number among the waiting.
    pub id: EnrollmentId,
    /// What became of it.
    pub state: EnrollmentState,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key_hash: Vec<u8>,
    /// What it says of itself: an encoded `kaliun.telemetry.v1.Facts`.
    pub facts: Vec<u8>,
    /// Where it came from, as the server saw it.
    pub source_address: String,
    /// When its code ends.
    pub code_expires_at: SystemTime,
    /// How long that was from when this was read, by the database's clock, which alone judges codes.
    pub expires_in: Duration,
    /// The device that it became.
    pub device: Option<DeviceId>,
    /// The code that it waits under; none when an operator decides, or when it does not wait any more.
    pub claim_code: Option<String>,
    /// Made when somebody first entered the code, and made anew for each stream of the box that comes after that.
    pub check_nonce: Option<[u8; NONCE_BYTES]>,
    /// What the box revealed after it was told the nonce.
    pub check_bytes: Option<[u8; NONCE_BYTES]>,
    /// How often it began to wait.
    pub begun_count: i64,
}

impl fmt::Debug for EnrollmentRow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EnrollmentRow")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("code_expires_at", &self.code_expires_at)
            .field("device", &self.device)
            .field("has_code", &self.claim_code.is_some())
            .field("is_looked_up", &self.check_nonce.is_some())
            .field("has_revealed", &self.check_bytes.is_some())
            .field("begun_count", &self.begun_count)
            .finish_non_exhaustive()
    }
}

/// Why a yes came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotApproved {
    /// No box waits under the code.
    NoSuchCode,
    /// No such box waits for the organization.
    NoSuchEnrollment,
    /// The join token that the box came with lets no box in any more.
    TokenRefused(ReasonCode),
    /// The box came again meanwhile and says something else of itself.
    HasChanged,
    /// The organization has no such home.
    NoSuchInstallation,
    /// Whoever says yes may take boxes into their homes only, and named none.
    NoInstallation,
    /// The box's key counts for nothing any more, or is a live device's already.
    KeyRefused(ReasonCode),
}

/// Somebody's yes.
pub struct Approval<'a> {
    /// The home it will serve.
    pub installation: Option<InstallationId>,
    /// Its name; none to make one.
    pub name: Option<&'a DeviceName>,
    /// What a name is made of.
    pub parts: NameParts<'a>,
    /// Its labels.
    pub labels: &'a Labels,
    /// SHA-256 of the facts that somebody said yes to.
    pub facts_hash: &'a [u8],
    /// The certificate that it gets now.
    pub certificate: CertificateGrant,
}

/// Makes a device of a box, with what somebody's yes says.
pub(crate) async fn approve_in_txn(
    txn: &Txn<'_>,
    scope: &OrganizationScope,
    actor: &Actor,
    waiting: &EnrollmentRow,
    approval: &Approval<'_>,
    made_name: &DeviceName,
) -> Result<Result<Enrolled, NotApproved>, StoreError> {
    // A person of single homes takes boxes into those, and into no drawer of the whole organization.
    if approval.installation.is_none() && scope.homes().is_some() {
        return Ok(Err(NotApproved::NoInstallation));
    }
    if let Some(installation) = approval.installation {
        let known = txn
            .row_opt(
                "SELECT 1 AS one FROM installation
                 WHERE id = $1 AND organization_id = $2 AND ($3::uuid[] IS NULL OR id = ANY($3)) FOR KEY SHARE",
                &[&installation, &scope.organization(), &scope.homes()],
            )
            .await?;
        if known.is_none() {
            return Ok(Err(NotApproved::NoSuchInstallation));
        }
    }
    if let Some(name) = approval.name {
        let taken = txn
            .row_opt(
                "SELECT 1 AS one FROM device WHERE organization_id = $1 AND name = $2 AND deleted_at IS NULL",
                &[&scope.organization(), &name.as_str()],
            )
            .await?;
        if taken.is_some() {
            return Err(StoreError::AlreadyExists { what: "a device of this name" });
        }
    }
    // It was looked at when the box began to wait, which may be a while ago. The key may be of another organization's device.
    txn.unbind().await?;
    let live = live_device_by_key(txn, &waiting.key_hash).await?;
    txn.bind(scope).await?;
    match live {
        Ok(None) => {}
        Ok(Some(_)) => return Ok(Err(NotApproved::KeyRefused(ReasonCode::EnrollmentKeyInUse))),
        Err(reason) => return Ok(Err(NotApproved::KeyRefused(reason))),
    }
    let new = NewDevice {
        parts: NameParts { key_hash: &waiting.key_hash, ..approval.parts },
        facts: &waiting.facts,
        facts_hash: approval.facts_hash,
        certificate: approval.certificate,
    };
    let (name, organization) = (approval.name.unwrap_or(made_name), scope.organization());
    let by = EnrolledBy {
        actor,
        way: if waiting.claim_code.is_some() { "code" } else { "approval" },
        enrollment: Some(waiting.id),
    };
    let enrolled = device_insert(txn, organization, approval.installation, approval.labels, &new, name, &by).await?;
    txn.execute(
        "UPDATE enrollment SET state = 2, organization_id = $2, device_id = $3, claim_code = NULL WHERE id = $1",
        &[&waiting.id, &organization, &enrolled.device],
    )
    .await?;
    Ok(Ok(enrolled))
}

pub(crate) fn from_row(row: &Row) -> Result<EnrollmentRow, StoreError> {
    const TABLE: &str = "enrollment";
    let id: EnrollmentId = column(row, TABLE, "id")?;
    let state: i16 = column(row, TABLE, "state")?;
    let left_s: f64 = column(row, TABLE, "left_s")?;
    let bytes = |name: &'static str| {
        let bytes: Option<Vec<u8>> = column(row, TABLE, name)?;
        let wrong = |_| StoreError::Inconsistent { table: TABLE, column: name, id: id.to_string() };
        bytes.map(|bytes| bytes.try_into().map_err(wrong)).transpose()
    };
    Ok(EnrollmentRow {
        id,
        state: EnrollmentState::from_number(state).ok_or_else(|| StoreError::Inconsistent {
            table: TABLE,
            column: "state",
            id: id.to_string(),
        })?,
        key_hash: column(row, TABLE, "key_hash")?,
        facts: column(row, TABLE, "facts")?,
        source_address: column(row, TABLE, "source_address")?,
        code_expires_at: column(row, TABLE, "code_expires_at")?,
        device: column(row, TABLE, "device_id")?,
        claim_code: column(row, TABLE, "claim_code")?,
        expires_in: Duration::try_from_secs_f64(left_s).unwrap_or_default(),
        check_nonce: bytes("check_nonce")?,
        check_bytes: bytes("check_bytes")?,
        begun_count: column(row, TABLE, "begun_count")?,
    })
}

impl SystemStore {
    /// Gives an approved box its device, with the certificate that is made now: as the one it came in by, and after that as given again.
    ///
    /// # Errors
    /// The database failed. A refusal is `Ok(Err(reason))`.
    pub async fn enrollment_collect(
        &self,
        id: EnrollmentId,
        certificate: CertificateGrant,
        now: SystemTime,
    ) -> Result<Result<Enrolled, ReasonCode>, StoreError> {
        const OPERATION: &str = "enrollment_collect";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT key_hash, collected_at IS NOT NULL AS is_collected, device_id FROM enrollment
                 WHERE id = $1 AND state = 2 FOR UPDATE",
                &[&id],
            )
            .await?;
        let Some(row) = row else { return Ok(Err(ReasonCode::EnrollmentBusy)) };
        let key_hash: Vec<u8> = column(&row, "enrollment", "key_hash")?;
        let device: Option<DeviceId> = column(&row, "enrollment", "device_id")?;
        let live = match live_device_by_key(&txn, &key_hash).await? {
            Ok(live) => live.filter(|live| Some(live.device.device) == device),
            Err(reason) => return Ok(Err(reason)),
        };
        // Its device was deleted since: the box begins again.
        let Some(live) = live else { return Ok(Err(ReasonCode::EnrollmentBusy)) };
        if !live.may_return(now) {
            return Ok(Err(ReasonCode::PeerRecoveryExpired));
        }
        let enrolled = live.device;
        if column(&row, "enrollment", "is_collected")? {
            if !may_have_another_in_txn(&txn, enrolled.device, certificate).await? {
                return Ok(Err(ReasonCode::EnrollmentBusy));
            }
            reissue(
                &txn,
                enrolled.device,
                enrolled.organization,
                certificate,
                &Actor::control_plane("enrollment", "enrollment"),
            )
            .await?;
            txn.commit().await?;
            return Ok(Ok(enrolled));
        }
        txn.execute(
            "UPDATE device SET certificate_expires_at = GREATEST(certificate_expires_at, $2), certificate_authority = $3 WHERE id = $1",
            &[&enrolled.device, &certificate.expires_at, &certificate.authority],
        )
        .await?;
        certificate_insert_in_txn(
            &txn,
            enrolled.organization,
            enrolled.device,
            certificate,
            CertificateCause::Enrolled,
        )
        .await?;
        txn.execute("UPDATE enrollment SET collected_at = now() WHERE id = $1", &[&id]).await?;
        txn.commit().await?;
        Ok(Ok(Enrolled { is_new: true, ..enrolled }))
    }

    /// The box with this key that was told yes and has not come for its certificate since.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enrollment_approved(&self, key_hash: &[u8]) -> Result<Option<EnrollmentId>, StoreError> {
        const OPERATION: &str = "enrollment_approved";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT id FROM enrollment WHERE key_hash = $1 AND state = 2 AND collected_at IS NULL",
                &[&key_hash],
            )
            .await?;
        txn.commit().await?;
        row.as_ref().map(|row| column(row, "enrollment", "id")).transpose()
    }

    /// What became of a waiting box.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enrollment_get(&self, id: EnrollmentId) -> Result<Option<EnrollmentRow>, StoreError> {
        const OPERATION: &str = "enrollment_get";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, check_bytes,
                    begun_count, extract(epoch FROM code_expires_at - now())::float8 AS left_s
                 FROM enrollment WHERE id = $1",
                &[&id],
            )
            .await?;
        txn.commit().await?;
        row.as_ref().map(from_row).transpose()
    }

    /// Those of some waiting boxes of which there is something to tell: somebody decided, or entered the code of one that has not been
    /// told so (`is_told`, in the order of `waiting`), or their row is gone.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enrollments_decided(
        &self,
        waiting: &[EnrollmentId],
        is_told: &[bool],
    ) -> Result<Vec<EnrollmentId>, StoreError> {
        const OPERATION: &str = "enrollments_decided";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let rows = txn
            .rows(
                "SELECT w.id FROM unnest($1::uuid[], $2::boolean[]) AS w (id, is_told)
                 WHERE NOT EXISTS (
                     SELECT FROM enrollment e WHERE e.id = w.id AND e.state = 1 AND (w.is_told OR e.check_nonce IS NULL))",
                &[&waiting, &is_told],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(|row| column(row, "enrollment", "id")).collect()
    }

    /// Forgets boxes whose code ran out a while ago, at most `limit`; answers how many. Approved ones stay: by them a box gets its
    /// certificate again.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enrollment_delete_expired(&self, limit: i64) -> Result<u64, StoreError> {
        const OPERATION: &str = "enrollment_delete_expired";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let deleted = txn
            .execute(
                "DELETE FROM enrollment WHERE id IN (
                     SELECT id FROM enrollment WHERE code_expires_at < now() - interval '5 minutes' AND state <> 2 LIMIT $1)",
                &[&limit],
            )
            .await?;
        txn.commit().await?;
        Ok(deleted)
    }
}
