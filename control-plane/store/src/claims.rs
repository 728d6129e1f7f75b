//! Boxes that wait by a code: how they begin to, how they are looked up, checked, taken in and turned away.
//!
//! They belong to nobody, so these run as `kaliun_system`, bound to the scope of whoever asks; callers limit the rate.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn};
use crate::enrollments::{
    Approval, Enrolled, EnrollmentRow, NewDevice, NotApproved, approve_in_txn, from_row, live_device_by_key,
};
use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::enrollment::EnrollmentState;
use kaliun_domain::name_pattern::own_name;
use kaliun_types::claim_check::{CHECK_TRIES, NONCE_BYTES};
use kaliun_types::id::EnrollmentId;
use kaliun_types::reason::ReasonCode;
use std::time::{Duration, SystemTime};

/// How a box waits by code.
pub struct NewClaim<'a> {
    /// The code that it gets, unless somebody has entered the one that it has.
    pub code: &'a str,
    /// How long that works.
    pub lifetime: Duration,
    /// Where it came from, as the server saw it.
    pub source_address: &'a str,
    /// SHA-256 of the bytes that its stream keeps to itself.
    pub commitment: &'a [u8; NONCE_BYTES],
    /// Random bytes for check characters, made after the commitment came; used where somebody has entered the code already.
    pub nonce: &'a [u8; NONCE_BYTES],
}

/// A box that somebody looked up by its code.
#[derive(Debug, Clone)]
pub struct ClaimRow {
    /// The box.
    pub enrollment: EnrollmentRow,
    /// How many more wrong check characters the claim bears.
    pub check_tries_left: u32,
    /// Whether this was the first look-up: the box is to be told.
    pub is_first: bool,
}

/// What came of check characters.
#[derive(Debug, Clone)]
pub enum ClaimChecked {
    /// They are right.
    Right(Box<EnrollmentRow>),
    /// No box waits under the code.
    NoSuchCode,
    /// Nobody has looked the code up, so the box shows no check characters.
    NotLookedUp,
    /// The box has not revealed its bytes yet, so it shows no check characters.
    NotRevealed,
    /// They are wrong.
    Wrong {
        /// How many more wrong ones the claim bears.
        tries_left: u32,
    },
    /// They are wrong once too often: the claim is over.
    Ended(EnrollmentId),
}

impl SystemStore {
    /// Lets a box wait under a claim code; the same key always has the same row. One that somebody is just claiming keeps its code and
    /// what it said of itself, and an approved one its approval.
    ///
    /// A stream has its own commitment, so check characters that were made with an older one are dead, and so is the nonce that an
    /// older stream was told: whoever knows it could choose a commitment by it. Coming again costs the claim one of its tries, for it
    /// gives whoever stands between box and server another throw; with the last one the box has a new code.
    ///
    /// # Errors
    /// The code is taken (`AlreadyExists`: make another), or the database failed.
    pub async fn enrollment_wait(
        &self,
        new: &NewDevice<'_>,
        claim: &NewClaim<'_>,
        now: SystemTime,
    ) -> Result<Result<EnrollmentRow, ReasonCode>, StoreError> {
        const OPERATION: &str = "enrollment_wait";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        txn.execute(
            "INSERT INTO enrollment (id, key_hash, code_expires_at, facts, source_address, begun_count)
             VALUES ($1, $2, now(), $3, $4, 0) ON CONFLICT (key_hash) DO NOTHING",
            &[&EnrollmentId::new(), &new.parts.key_hash, &new.facts, &claim.source_address],
        )
        .await?;
        let known = txn
            .row_opt(
                "SELECT state, check_misses,
                     check_nonce IS NOT NULL AND claim_code IS NOT NULL AND code_expires_at > now() AS is_being_claimed
                 FROM enrollment WHERE key_hash = $1 FOR UPDATE",
                &[&new.parts.key_hash],
            )
            .await?;
        let known = known.ok_or(StoreError::Stale { what: "the box that waits" })?;
        let live = match live_device_by_key(&txn, new.parts.key_hash).await? {
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
        let misses: i16 = column(&known, "enrollment", "check_misses")?;
        let goes_on = !is_approved
            && column(&known, "enrollment", "is_being_claimed")?
            && tries_left(misses.saturating_add(1)) > 0;
        let row = if live.is_some() {
            txn.row_opt(
                "UPDATE enrollment SET source_address = $2, begun_count = begun_count + 1 WHERE key_hash = $1
                 RETURNING id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, check_bytes,
                     begun_count, extract(epoch FROM code_expires_at - now())::float8 AS left_s",
                &[&new.parts.key_hash, &claim.source_address],
            )
            .await?
        } else if goes_on {
            txn.row_opt(
                "UPDATE enrollment SET source_address = $2, begun_count = begun_count + 1, check_commitment = $3, check_nonce = $4,
                     check_bytes = NULL, check_misses = check_misses + 1
                 WHERE key_hash = $1
                 RETURNING id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, check_bytes,
                     begun_count, extract(epoch FROM code_expires_at - now())::float8 AS left_s",
                &[&new.parts.key_hash, &claim.source_address, &claim.commitment.as_slice(), &claim.nonce.as_slice()],
            )
            .await?
        } else {
            txn.row_opt(
                "UPDATE enrollment SET state = 1, claim_code = $2, code_expires_at = now() + make_interval(secs => $3),
                     check_commitment = $6, check_nonce = NULL, check_bytes = NULL, check_misses = 0,
                     organization_id = NULL, join_token_id = NULL, device_id = NULL, collected_at = NULL, facts = $4,
                     source_address = $5, begun_count = begun_count + 1
                 WHERE key_hash = $1
                 RETURNING id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, check_bytes,
                     begun_count, extract(epoch FROM code_expires_at - now())::float8 AS left_s",
                &[
                    &new.parts.key_hash,
                    &claim.code,
                    &claim.lifetime.as_secs_f64(),
                    &new.facts,
                    &claim.source_address,
                    &claim.commitment.as_slice(),
                ],
            )
            .await
            .map_err(|error| error.unless_duplicate("this claim code"))?
        };
        let row = from_row(&row.ok_or_else(|| missing(new.parts.key_hash))?)?;
        txn.commit().await?;
        Ok(Ok(row))
    }

    /// Keeps what a box revealed after it was told its nonce, for the stream that began to wait last. The caller has compared it with
    /// that stream's commitment, and the database does again. Answers whether it counts: not when another stream took the place, or
    /// somebody has decided.
    ///
    /// # Errors
    /// The database failed, or the bytes are not those of the commitment.
    pub async fn enrollment_reveal(
        &self,
        id: EnrollmentId,
        begun_count: i64,
        bytes: &[u8; NONCE_BYTES],
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "enrollment_reveal";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let changed = txn
            .execute(
                "UPDATE enrollment SET check_bytes = $3
                 WHERE id = $1 AND begun_count = $2 AND state = 1 AND check_nonce IS NOT NULL AND check_bytes IS NULL",
                &[&id, &begun_count, &bytes.as_slice()],
            )
            .await?;
        txn.commit().await?;
        Ok(changed > 0)
    }

    /// The box that waits under a code. The first look-up gives the claim its nonce; the box reveals its bytes when it
    /// is told, and shows its check characters.
    ///
    /// # Errors
    /// The database failed.
    pub async fn claim_look_up(
        &self,
        scope: &OrganizationScope,
        code: &str,
        nonce: &[u8; NONCE_BYTES],
    ) -> Result<Option<ClaimRow>, StoreError> {
        const OPERATION: &str = "claim_look_up";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let row = txn
            .row_opt(
                "UPDATE enrollment SET check_nonce = coalesce(check_nonce, $2)
                 WHERE claim_code = $1 AND state = 1 AND code_expires_at > now()
                 RETURNING id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, check_bytes,
                     begun_count, extract(epoch FROM code_expires_at - now())::float8 AS left_s, check_misses,
                     check_nonce = $2 AS is_first",
                &[&code, &nonce.as_slice()],
            )
            .await?;
        txn.commit().await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(ClaimRow {
            enrollment: from_row(&row)?,
            check_tries_left: tries_left(column(&row, "enrollment", "check_misses")?),
            is_first: column(&row, "enrollment", "is_first")?,
        }))
    }

    /// Judges check characters, one after the other for each claim. Each wrong one counts, and the last ends the claim.
    ///
    /// # Errors
    /// The database failed; nothing was told and nothing counts.
    pub async fn claim_check(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        code: &str,
        is_right: &(dyn Fn(&EnrollmentRow) -> bool + Sync),
    ) -> Result<ClaimChecked, StoreError> {
        const OPERATION: &str = "claim_check";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let Some(row) = txn
            .row_opt(
                "SELECT id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, check_bytes,
                    begun_count, extract(epoch FROM code_expires_at - now())::float8 AS left_s, check_misses
                 FROM enrollment WHERE claim_code = $1 AND state = 1 AND code_expires_at > now() FOR UPDATE",
                &[&code],
            )
            .await?
        else {
            return Ok(ClaimChecked::NoSuchCode);
        };
        let waiting = from_row(&row)?;
        if waiting.check_nonce.is_none() {
            return Ok(ClaimChecked::NotLookedUp);
        }
        if waiting.check_bytes.is_none() {
            return Ok(ClaimChecked::NotRevealed);
        }
        if is_right(&waiting) {
            return Ok(ClaimChecked::Right(Box::new(waiting)));
        }
        let misses: i16 = column(&row, "enrollment", "check_misses")?;
        let tries_left = tries_left(misses.saturating_add(1));
        let has_ended = tries_left == 0;
        txn.execute(
            "UPDATE enrollment SET check_misses = check_misses + 1, state = CASE WHEN $2 THEN 4 ELSE state END,
                 claim_code = CASE WHEN $2 THEN NULL ELSE claim_code END
             WHERE id = $1",
            &[&waiting.id, &has_ended],
        )
        .await?;
        let entry = AuditEntry {
            after: Some(serde_json::json!({ "tries_left": tries_left })),
            ..AuditEntry::plain("claim.check_failed", format!("enrollment/{}", waiting.id))
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        Ok(if has_ended { ClaimChecked::Ended(waiting.id) } else { ClaimChecked::Wrong { tries_left } })
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
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let Some(row) = txn
            .row_opt(
                "SELECT id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, check_bytes,
                    begun_count, extract(epoch FROM code_expires_at - now())::float8 AS left_s
                 FROM enrollment
                 WHERE claim_code = $1 AND state = 1 AND code_expires_at > now() AND id = $2 AND check_nonce = $3 AND check_bytes = $4
                 FOR UPDATE",
                &[
                    &code,
                    &checked.id,
                    &checked.check_nonce.as_ref().map(<[u8; NONCE_BYTES]>::as_slice),
                    &checked.check_bytes.as_ref().map(<[u8; NONCE_BYTES]>::as_slice),
                ],
            )
            .await?
        else {
            return Ok(Err(NotApproved::NoSuchCode));
        };
        let waiting = from_row(&row)?;
        let made_name = own_name(&approval.parts);
        let enrolled = match approve_in_txn(&txn, scope, actor, &waiting, &approval, &made_name).await? {
            Ok(enrolled) => enrolled,
            Err(refused) => return Ok(Err(refused)),
        };
        txn.commit().await?;
        Ok(Ok((waiting.id, enrolled)))
    }

    /// Turns the box under a code away. `None` when there is no such code.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enrollment_deny(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        code: &str,
    ) -> Result<Option<EnrollmentId>, StoreError> {
        const OPERATION: &str = "enrollment_deny";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let row = txn
            .row_opt(
                "UPDATE enrollment SET state = 3, claim_code = NULL
                 WHERE claim_code = $1 AND state = 1 AND code_expires_at > now() RETURNING id",
                &[&code],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let id: EnrollmentId = column(&row, "enrollment", "id")?;
        let entry = AuditEntry::plain("claim.deny", format!("enrollment/{id}"));
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        Ok(Some(id))
    }

    /// Lets the code of a box that went away run out within five minutes: who is just confirming it still may, and a flood of boxes
    /// that never wait leaves little behind. One that began to wait once more, or was decided, is left alone.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enrollment_let_run_out(&self, waited: &EnrollmentRow) -> Result<(), StoreError> {
        const OPERATION: &str = "enrollment_let_run_out";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        txn.execute(
            "UPDATE enrollment SET code_expires_at = LEAST(code_expires_at, now() + interval '5 minutes')
             WHERE id = $1 AND state = 1 AND claim_code IS NOT NULL AND begun_count = $2",
            &[&waited.id, &waited.begun_count],
        )
        .await?;
        txn.commit().await
    }
}

fn missing(key_hash: &[u8]) -> StoreError {
    StoreError::Inconsistent {
        table: "enrollment",
        column: "key_hash",
        id: format!("of {} bytes, just written", key_hash.len()),
    }
}

fn tries_left(misses: i16) -> u32 {
    CHECK_TRIES.saturating_sub(u32::try_from(misses).unwrap_or(0))
}
