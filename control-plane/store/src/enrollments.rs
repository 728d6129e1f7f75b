//! Boxes on their way in.
//!
//! These run as `kaliun_system`, for a box that enrols belongs to nobody yet. Where a person decides, the person's scope is
//! an argument and is where the device goes.

use crate::audit::Actor;
use crate::certificates::{CertificateCause, CertificateGrant, certificate_insert_in_txn};
use crate::error::StoreError;
use crate::join_tokens::{from_row as token_from_row, labels_to_json};
use crate::lifecycle::standing_from_row;
use crate::pool::{SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::enrollment::{EnrollmentState, join_token_admits, may_recover};
use kaliun_domain::lifecycle::Standing;
use kaliun_types::claim_check::NONCE_BYTES;
use kaliun_types::id::{DeviceId, EnrollmentId, InstallationId, OrganizationId};
use kaliun_types::label::Labels;
use kaliun_types::name::DeviceName;
use kaliun_types::reason::ReasonCode;
use std::time::SystemTime;
use tokio_postgres::Row;

/// Most tries to find a free name by counting up. A factory that names all boxes alike has the count in the name.
const NAME_TRIES: u32 = 100_000;

/// What is known of a box that proved its key.
pub struct NewDevice<'a> {
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key_hash: &'a [u8],
    /// The name it would like.
    pub name: &'a DeviceName,
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

/// A box that waits for somebody's yes.
#[derive(Debug, Clone)]
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
    /// The device that it became.
    pub device: Option<DeviceId>,
    /// The code that it waits under; none when an operator decides, or when it does not wait any more.
    pub claim_code: Option<String>,
    /// Made when somebody first entered the code.
    pub check_nonce: Option<[u8; NONCE_BYTES]>,
    /// How often it began to wait.
    pub begun_count: i64,
}

/// Why a yes came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotApproved {
    /// No box waits under the code.
    NoSuchCode,
    /// The organization has no such home.
    NoSuchInstallation,
    /// The box's key counts for nothing any more, or is a live device's already.
    KeyRefused(ReasonCode),
}

/// Somebody's yes.
pub struct Approval<'a> {
    /// The home it will serve.
    pub installation: Option<InstallationId>,
    /// Its name; none to make one from what the box calls itself.
    pub name: Option<&'a DeviceName>,
    /// The name to fall back to.
    pub fallback_name: &'a DeviceName,
    /// Its labels.
    pub labels: &'a Labels,
    /// SHA-256 of the facts.
    pub facts_hash: &'a [u8],
    /// The certificate that it gets now.
    pub certificate: CertificateGrant,
}

pub(crate) fn from_row(row: &Row) -> Result<EnrollmentRow, StoreError> {
    const TABLE: &str = "enrollment";
    let id: EnrollmentId = column(row, TABLE, "id")?;
    let state: i16 = column(row, TABLE, "state")?;
    let nonce: Option<Vec<u8>> = column(row, TABLE, "check_nonce")?;
    let bad_nonce = |_| StoreError::Inconsistent { table: TABLE, column: "check_nonce", id: id.to_string() };
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
        check_nonce: nonce.map(|nonce| nonce.try_into().map_err(bad_nonce)).transpose()?,
        begun_count: column(row, TABLE, "begun_count")?,
    })
}

/// A device that lives with a key.
struct Live {
    device: Enrolled,
    certificate_expires_at: SystemTime,
    recoverable_until: Option<SystemTime>,
}

impl Live {
    /// Whether it was away for no longer than it may be.
    fn may_return(&self, now: SystemTime) -> bool {
        may_recover(self.certificate_expires_at, self.recoverable_until, now)
    }
}

/// The device with this key that is not deleted; or why its key counts for nothing. A key that was revoked once is refused for ever, also
/// when its device was deleted since: whoever has a stolen box has its key.
async fn live_device_by_key(txn: &Txn<'_>, key_hash: &[u8]) -> Result<Result<Option<Live>, ReasonCode>, StoreError> {
    const TABLE: &str = "device";
    let rows = txn
        .rows(
            "SELECT id, name, organization_id, certificate_expires_at, recoverable_until, deleted_at IS NOT NULL AS deleted,
                    revoked_at IS NOT NULL AS revoked, decommissioned_at IS NOT NULL AS decommissioned, wipe_identity
             FROM device WHERE key_hash = $1 AND (deleted_at IS NULL OR revoked_at IS NOT NULL)
             ORDER BY deleted_at NULLS FIRST LIMIT 2 FOR UPDATE",
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
async fn reissue(
    txn: &Txn<'_>,
    device: DeviceId,
    organization: OrganizationId,
    certificate: CertificateGrant,
    actor: &str,
) -> Result<(), StoreError> {
    txn.execute(
        "UPDATE device SET certificate_expires_at = $2, certificate_authority = $3 WHERE id = $1",
        &[&device, &certificate.expires_at, &certificate.authority],
    )
    .await?;
    certificate_insert_in_txn(txn, organization, device, certificate, CertificateCause::GivenAgain).await?;
    txn.execute(
        "INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
         VALUES ($1, $2, $3, 'The box proved its key and got a certificate again.', $4, now())",
        &[&organization, &device, &ReasonCode::DeviceReissued.code(), &actor],
    )
    .await?;
    txn.execute(
        "INSERT INTO audit (organization_id, actor, action, target, request_id)
         VALUES ($1, $2, 'device.reissue', $3, 'enrollment')",
        &[&organization, &actor, &format!("device/{device}")],
    )
    .await?;
    Ok(())
}

/// Inserts a device under the first free name.
async fn device_insert(
    txn: &Txn<'_>,
    organization: OrganizationId,
    installation: Option<InstallationId>,
    labels: &Labels,
    new: &NewDevice<'_>,
    actor: &str,
    request_id: &str,
) -> Result<Enrolled, StoreError> {
    let device = DeviceId::new();
    let name = free_name(txn, organization, new.name).await?;
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
            &new.key_hash,
            &new.certificate.expires_at,
            &new.certificate.authority,
        ],
    )
    .await?;
    txn.execute("INSERT INTO device_status (device_id, organization_id) VALUES ($1, $2)", &[&device, &organization])
        .await?;
    txn.execute(
        "INSERT INTO device_facts (device_id, organization_id, facts, facts_hash, reported_at) VALUES ($1, $2, $3, $4, now())",
        &[&device, &organization, &new.facts, &new.facts_hash],
    )
    .await?;
    txn.execute(
        "INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
         VALUES ($1, $2, $3, 'The box was enrolled.', $4, now())",
        &[&organization, &device, &ReasonCode::DeviceEnrolled.code(), &actor],
    )
    .await?;
    txn.execute(
        "INSERT INTO audit (organization_id, actor, action, target, after, request_id)
         VALUES ($1, $2, 'device.enroll', $3, $4, $5)",
        &[
            &organization,
            &actor,
            &format!("device/{device}"),
            &serde_json::json!({ "name": name, "labels": labels_to_json(labels) }),
            &request_id,
        ],
    )
    .await?;
    Ok(Enrolled { device, name, organization, is_new: true })
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

fn missing(key_hash: &[u8]) -> StoreError {
    StoreError::Inconsistent {
        table: "enrollment",
        column: "key_hash",
        id: format!("of {} bytes, just written", key_hash.len()),
    }
}

impl SystemStore {
    /// Enrols a box by join token. A box whose device exists already in the token's organization gets it again, without using
    /// the token up: the answer of its first try was lost.
    ///
    /// # Errors
    /// The database failed. A refusal is `Ok(Err(reason))`.
    pub async fn enroll_by_token(
        &self,
        secret_hash: &[u8],
        new: &NewDevice<'_>,
        now: SystemTime,
    ) -> Result<Result<Enrolled, ReasonCode>, StoreError> {
        const OPERATION: &str = "enroll_by_token";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let Some(row) = txn
            .row_opt(
                "SELECT id, organization_id, description, labels, max_uses, uses, created_by, created_at, expires_at, revoked_at
                 FROM join_token WHERE secret_hash = $1 FOR UPDATE",
                &[&secret_hash],
            )
            .await?
        else {
            return Ok(Err(ReasonCode::EnrollmentTokenInvalid));
        };
        let organization: OrganizationId = column(&row, "join_token", "organization_id")?;
        let token = token_from_row(&row)?;
        let known = match live_device_by_key(&txn, new.key_hash).await? {
            Ok(known) => known,
            Err(reason) => return Ok(Err(reason)),
        };
        if let Some(existing) = known {
            if existing.device.organization != organization {
                return Ok(Err(ReasonCode::EnrollmentKeyInUse));
            }
            if token.revoked_at.is_some() {
                return Ok(Err(ReasonCode::EnrollmentTokenRevoked));
            }
            // Away for too long, it comes in as a new box would, or not at all: a token that has had its day is no way around the allowance.
            if !existing.may_return(now) {
                if join_token_admits(Some(&token), now).is_err() {
                    return Ok(Err(ReasonCode::PeerRecoveryExpired));
                }
                txn.execute("UPDATE join_token SET uses = uses + 1 WHERE id = $1", &[&token.id]).await?;
            }
            let actor = format!("join-token:{}", token.id);
            reissue(&txn, existing.device.device, organization, new.certificate, &actor).await?;
            txn.commit().await?;
            return Ok(Ok(existing.device));
        }
        if let Err(reason) = join_token_admits(Some(&token), now) {
            return Ok(Err(reason));
        }
        txn.execute("UPDATE join_token SET uses = uses + 1 WHERE id = $1", &[&token.id]).await?;
        let actor = format!("join-token:{}", token.id);
        let enrolled = device_insert(&txn, organization, None, &token.labels, new, &actor, "enrollment").await?;
        certificate_insert_in_txn(&txn, organization, enrolled.device, new.certificate, CertificateCause::Enrolled)
            .await?;
        // Whatever it waited for before is over.
        txn.execute("DELETE FROM enrollment WHERE key_hash = $1", &[&new.key_hash]).await?;
        txn.commit().await?;
        Ok(Ok(enrolled))
    }

    /// Lets a box wait under a claim code; the same key always has the same row. One that somebody is just claiming keeps its code and
    /// what it said of itself, and an approved one its approval.
    ///
    /// # Errors
    /// The code is taken (`AlreadyExists`: make another), or the database failed.
    pub async fn enrollment_wait(
        &self,
        new: &NewDevice<'_>,
        claim_code: &str,
        code_expires_at: SystemTime,
        source_address: &str,
        now: SystemTime,
    ) -> Result<Result<EnrollmentRow, ReasonCode>, StoreError> {
        const OPERATION: &str = "enrollment_wait";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        txn.execute(
            "INSERT INTO enrollment (id, key_hash, code_expires_at, facts, source_address, begun_count)
             VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (key_hash) DO NOTHING",
            &[&EnrollmentId::new(), &new.key_hash, &code_expires_at, &new.facts, &source_address],
        )
        .await?;
        let known = txn
            .row_opt(
                "SELECT state, check_nonce IS NOT NULL AND claim_code IS NOT NULL AND code_expires_at > now() AS is_being_claimed
                 FROM enrollment WHERE key_hash = $1 FOR UPDATE",
                &[&new.key_hash],
            )
            .await?;
        let known = known.ok_or_else(|| missing(new.key_hash))?;
        let live = match live_device_by_key(&txn, new.key_hash).await? {
            Ok(live) => live,
            Err(reason) => return Ok(Err(reason)),
        };
        let is_approved =
            EnrollmentState::from_number(column(&known, "enrollment", "state")?) == Some(EnrollmentState::Approved);
        match &live {
            Some(_) if !is_approved => return Ok(Err(ReasonCode::EnrollmentKeyInUse)),
            Some(live) if !live.may_return(now) => return Ok(Err(ReasonCode::PeerRecoveryExpired)),
            Some(_) | None => {}
        }
        let keeps_its_place = live.is_some() || (!is_approved && column(&known, "enrollment", "is_being_claimed")?);
        let row = if keeps_its_place {
            txn.row_opt(
                "UPDATE enrollment SET source_address = $2, begun_count = begun_count + 1 WHERE key_hash = $1
                 RETURNING id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, begun_count",
                &[&new.key_hash, &source_address],
            )
            .await?
        } else {
            txn.row_opt(
                "UPDATE enrollment SET state = 1, claim_code = $2, code_expires_at = $3, check_nonce = NULL, check_misses = 0,
                     organization_id = NULL, join_token_id = NULL, device_id = NULL, collected_at = NULL, facts = $4,
                     source_address = $5, begun_count = begun_count + 1
                 WHERE key_hash = $1
                 RETURNING id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, begun_count",
                &[&new.key_hash, &claim_code, &code_expires_at, &new.facts, &source_address],
            )
            .await
            .map_err(|error| error.unless_duplicate("this claim code"))?
        };
        let row = from_row(&row.ok_or_else(|| missing(new.key_hash))?)?;
        txn.commit().await?;
        Ok(Ok(row))
    }

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
            reissue(&txn, enrolled.device, enrolled.organization, certificate, "enrollment").await?;
            txn.commit().await?;
            return Ok(Ok(enrolled));
        }
        txn.execute(
            "UPDATE device SET certificate_expires_at = $2, certificate_authority = $3 WHERE id = $1",
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
                "SELECT id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, begun_count
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

    /// Takes the box under a code into the scope's organization, if it is still the claim whose check characters were right. The code
    /// works once.
    ///
    /// # Errors
    /// The name is taken, or the database failed.
    pub async fn enrollment_approve(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        code: &str,
        checked: &EnrollmentRow,
        approval: Approval<'_>,
    ) -> Result<Result<(EnrollmentId, Enrolled), NotApproved>, StoreError> {
        const OPERATION: &str = "enrollment_approve";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let Some(row) = txn
            .row_opt(
                "SELECT id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, begun_count
                 FROM enrollment
                 WHERE claim_code = $1 AND state = 1 AND code_expires_at > now() AND id = $2 AND check_nonce = $3 FOR UPDATE",
                &[&code, &checked.id, &checked.check_nonce.as_ref().map(<[u8; NONCE_BYTES]>::as_slice)],
            )
            .await?
        else {
            return Ok(Err(NotApproved::NoSuchCode));
        };
        let waiting = from_row(&row)?;
        if let Some(installation) = approval.installation {
            let known = txn
                .row_opt(
                    "SELECT 1 AS one FROM installation WHERE id = $1 AND organization_id = $2",
                    &[&installation, &scope.organization()],
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
        // It was looked at when the box began to wait, which may be a while ago.
        match live_device_by_key(&txn, &waiting.key_hash).await? {
            Ok(None) => {}
            Ok(Some(_)) => return Ok(Err(NotApproved::KeyRefused(ReasonCode::EnrollmentKeyInUse))),
            Err(reason) => return Ok(Err(NotApproved::KeyRefused(reason))),
        }
        let new = NewDevice {
            key_hash: &waiting.key_hash,
            name: approval.name.unwrap_or(approval.fallback_name),
            facts: &waiting.facts,
            facts_hash: approval.facts_hash,
            certificate: approval.certificate,
        };
        let enrolled = device_insert(
            &txn,
            scope.organization(),
            approval.installation,
            approval.labels,
            &new,
            &actor.name,
            &actor.request_id,
        )
        .await?;
        txn.execute(
            "UPDATE enrollment SET state = 2, organization_id = $2, device_id = $3, claim_code = NULL WHERE id = $1",
            &[&waiting.id, &scope.organization(), &enrolled.device],
        )
        .await?;
        txn.commit().await?;
        Ok(Ok((waiting.id, enrolled)))
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
