//! Boxes that wait by a code: how they begin to, how they are looked up, checked, taken in and turned away.
//!
//! They belong to nobody, so these run as `kaliun_system`; the scope says that somebody signed in asks, and callers limit the rate.

use crate::audit::Actor;
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
use std::time::SystemTime;

/// A box that somebody looked up by its code.
#[derive(Debug, Clone)]
pub struct ClaimRow {
    /// The box.
    pub enrollment: EnrollmentRow,
    /// How many more wrong check characters the claim bears.
    pub check_tries_left: u32,
}

/// What came of check characters.
#[derive(Debug, Clone)]
pub enum ClaimChecked {
    /// They are right.
    Right(EnrollmentRow),
    /// No box waits under the code.
    NoSuchCode,
    /// Nobody has looked the code up, so the box shows no check characters.
    NotLookedUp,
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
            &[&EnrollmentId::new(), &new.parts.key_hash, &code_expires_at, &new.facts, &source_address],
        )
        .await?;
        let known = txn
            .row_opt(
                "SELECT state, check_nonce IS NOT NULL AND claim_code IS NOT NULL AND code_expires_at > now() AS is_being_claimed
                 FROM enrollment WHERE key_hash = $1 FOR UPDATE",
                &[&new.parts.key_hash],
            )
            .await?;
        let known = known.ok_or_else(|| missing(new.parts.key_hash))?;
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
        let keeps_its_place = live.is_some() || (!is_approved && column(&known, "enrollment", "is_being_claimed")?);
        let row = if keeps_its_place {
            txn.row_opt(
                "UPDATE enrollment SET source_address = $2, begun_count = begun_count + 1 WHERE key_hash = $1
                 RETURNING id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, begun_count",
                &[&new.parts.key_hash, &source_address],
            )
            .await?
        } else {
            txn.row_opt(
                "UPDATE enrollment SET state = 1, claim_code = $2, code_expires_at = $3, check_nonce = NULL, check_misses = 0,
                     organization_id = NULL, join_token_id = NULL, device_id = NULL, collected_at = NULL, facts = $4,
                     source_address = $5, begun_count = begun_count + 1
                 WHERE key_hash = $1
                 RETURNING id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, begun_count",
                &[&new.parts.key_hash, &claim_code, &code_expires_at, &new.facts, &source_address],
            )
            .await
            .map_err(|error| error.unless_duplicate("this claim code"))?
        };
        let row = from_row(&row.ok_or_else(|| missing(new.parts.key_hash))?)?;
        txn.commit().await?;
        Ok(Ok(row))
    }

    /// The box that waits under a code. The first look-up gives the claim its nonce, and the box shows its check characters.
    ///
    /// # Errors
    /// The database failed.
    pub async fn claim_look_up(
        &self,
        _scope: &OrganizationScope,
        code: &str,
        nonce: &[u8; NONCE_BYTES],
    ) -> Result<Option<ClaimRow>, StoreError> {
        const OPERATION: &str = "claim_look_up";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "UPDATE enrollment SET check_nonce = coalesce(check_nonce, $2)
                 WHERE claim_code = $1 AND state = 1 AND code_expires_at > now()
                 RETURNING id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce,
                     begun_count, check_misses",
                &[&code, &nonce.as_slice()],
            )
            .await?;
        txn.commit().await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(ClaimRow {
            enrollment: from_row(&row)?,
            check_tries_left: tries_left(column(&row, "enrollment", "check_misses")?),
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
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let Some(row) = txn
            .row_opt(
                "SELECT id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce,
                     begun_count, check_misses
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
        if is_right(&waiting) {
            return Ok(ClaimChecked::Right(waiting));
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
        txn.execute(
            "INSERT INTO audit (organization_id, actor, action, target, after, request_id)
             VALUES ($1, $2, 'claim.check_failed', $3, $4, $5)",
            &[
                &scope.organization(),
                &actor.name,
                &format!("enrollment/{}", waiting.id),
                &serde_json::json!({ "tries_left": tries_left }),
                &actor.request_id,
            ],
        )
        .await?;
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
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "UPDATE enrollment SET state = 3, claim_code = NULL
                 WHERE claim_code = $1 AND state = 1 AND code_expires_at > now() RETURNING id",
                &[&code],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let id: EnrollmentId = column(&row, "enrollment", "id")?;
        txn.execute(
            "INSERT INTO audit (organization_id, actor, action, target, request_id) VALUES ($1, $2, 'claim.deny', $3, $4)",
            &[&scope.organization(), &actor.name, &format!("enrollment/{id}"), &actor.request_id],
        )
        .await?;
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
