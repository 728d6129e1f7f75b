//! Boxes that come with a join token, and those of them that wait for an operator of the token's organization.
//!
//! The token says whose a box is before anybody has decided, so its organization alone lists it, as `kaliun_app` behind row-level
//! security. What a box itself does, and what makes a device of it, runs as `kaliun_system`.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn};
use crate::certificates::{CertificateCause, certificate_insert_in_txn, may_have_another_in_txn};
use crate::enrollments::{
    Approval, Enrolled, EnrolledBy, EnrollmentRow, NewDevice, NotApproved, approve_in_txn, device_insert, from_row,
    live_device_by_key, reissue,
};
use crate::error::StoreError;
use crate::join_tokens::{from_row as token_from_row, pattern_from_text};
use crate::pool::{AppStore, SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::enrollment::{APPROVAL_LIFETIME, EnrollmentState, join_token_admits};
use kaliun_domain::name_pattern::{NameParts, NamePattern, own_name};
use kaliun_domain::token::JoinToken;
use kaliun_types::id::{EnrollmentId, JoinTokenId, OrganizationId};
use kaliun_types::label::Labels;
use kaliun_types::limits::LABELS_MAX;
use kaliun_types::name::DeviceName;
use kaliun_types::reason::ReasonCode;
use std::time::SystemTime;
use tokio_postgres::Row;

/// Most boxes that wait with one token: what somebody looks through. A token that got into wrong hands fills no more.
const WAITING_FOR_TOKEN_MAX: i64 = 1_000;
/// Most that are counted for an organization: beyond that nobody wants to know.
const COUNT_MAX: i64 = 1_000;

/// What became of a box that came with a token.
#[derive(Debug, Clone)]
pub enum ByToken {
    /// It may have its certificate.
    Enrolled(Enrolled),
    /// An operator has to say yes, or has.
    Waits(EnrollmentRow),
}

/// A box that waits for an operator.
#[derive(Debug, Clone)]
pub struct WaitingRow {
    /// Its number among the waiting.
    pub id: EnrollmentId,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key_hash: Vec<u8>,
    /// What it says of itself: an encoded `kaliun.telemetry.v1.Facts`.
    pub facts: Vec<u8>,
    /// Where it came from, as the server saw it.
    pub source_address: String,
    /// When it first came.
    pub created_at: SystemTime,
    /// Until when it waits, if it does not come again.
    pub expires_at: SystemTime,
    /// The token that it came with.
    pub join_token: JoinTokenId,
    /// What that is called.
    pub join_token_description: String,
    /// What its boxes are called.
    pub name_pattern: Option<NamePattern>,
    /// How many boxes enrolled with it.
    pub join_token_uses: i32,
}

impl WaitingRow {
    /// What the box is called unless somebody says otherwise.
    #[must_use]
    pub fn name(&self, parts: &NameParts<'_>) -> DeviceName {
        made_name(self.name_pattern.as_ref(), parts, self.join_token_uses)
    }
}

fn made_name(pattern: Option<&NamePattern>, parts: &NameParts<'_>, uses: i32) -> DeviceName {
    let number = uses.unsigned_abs().saturating_add(1);
    pattern.map_or_else(|| own_name(parts), |pattern| pattern.name(parts, number))
}

fn waiting_from_row(row: &Row) -> Result<WaitingRow, StoreError> {
    const TABLE: &str = "enrollment";
    let join_token: JoinTokenId = column(row, TABLE, "join_token_id")?;
    Ok(WaitingRow {
        id: column(row, TABLE, "id")?,
        key_hash: column(row, TABLE, "key_hash")?,
        facts: column(row, TABLE, "facts")?,
        source_address: column(row, TABLE, "source_address")?,
        created_at: column(row, TABLE, "created_at")?,
        expires_at: column(row, TABLE, "code_expires_at")?,
        join_token,
        join_token_description: column(row, "join_token", "description")?,
        name_pattern: pattern_from_text(column(row, "join_token", "name_pattern")?, join_token)?,
        join_token_uses: column(row, "join_token", "uses")?,
    })
}

impl SystemStore {
    /// Enrols a box by join token, or lets it wait for an operator where the token says so. A box whose device exists already in the
    /// token's organization gets it again, without using the token up: the answer of its first try was lost.
    ///
    /// # Errors
    /// The database failed. A refusal is `Ok(Err(reason))`.
    pub async fn enroll_by_token(
        &self,
        secret_hash: &[u8],
        new: &NewDevice<'_>,
        source_address: &str,
        now: SystemTime,
    ) -> Result<Result<ByToken, ReasonCode>, StoreError> {
        const OPERATION: &str = "enroll_by_token";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let Some(row) = txn
            .row_opt(
                "SELECT id, organization_id, description, labels, name_pattern, needs_approval, max_uses, uses, created_by, created_at,
                     expires_at, revoked_at
                 FROM join_token WHERE secret_hash = $1 FOR UPDATE",
                &[&secret_hash],
            )
            .await?
        else {
            return Ok(Err(ReasonCode::EnrollmentTokenInvalid));
        };
        let organization: OrganizationId = column(&row, "join_token", "organization_id")?;
        let token = token_from_row(&row)?;
        let known = txn
            .row_opt(
                "SELECT id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, check_bytes,
                    begun_count, extract(epoch FROM code_expires_at - now())::float8 AS left_s,
                     collected_at IS NOT NULL AS is_collected, join_token_id, code_expires_at > now() AS is_current
                 FROM enrollment WHERE key_hash = $1 FOR UPDATE",
                &[&new.parts.key_hash],
            )
            .await?;
        let live = match live_device_by_key(&txn, new.parts.key_hash).await? {
            Ok(live) => live,
            Err(reason) => return Ok(Err(reason)),
        };
        if let Some(existing) = live {
            if existing.device.organization != organization {
                return Ok(Err(ReasonCode::EnrollmentKeyInUse));
            }
            // First, for it was a person's yes: a token that was revoked since takes nothing of it back.
            if let Some(known) = &known
                && !column::<bool>(known, "enrollment", "is_collected")?
            {
                let waiting = from_row(known)?;
                if waiting.state == EnrollmentState::Approved {
                    return Ok(Ok(ByToken::Waits(waiting)));
                }
            }
            if token.revoked_at.is_some() {
                return Ok(Err(ReasonCode::EnrollmentTokenRevoked));
            }
            // Away for too long, it comes in as a new box would, or not at all: a token that has had its day is no way around the
            // allowance, and neither is one whose boxes somebody has to look at.
            if !existing.may_return(now) {
                if token.needs_approval || join_token_admits(Some(&token), now).is_err() {
                    return Ok(Err(ReasonCode::PeerRecoveryExpired));
                }
                use_token(&txn, &token).await?;
            }
            if !may_have_another_in_txn(&txn, existing.device.device, new.certificate).await? {
                return Ok(Err(ReasonCode::EnrollmentBusy));
            }
            reissue(&txn, existing.device.device, organization, new.certificate, &actor_of(&token)).await?;
            txn.commit().await?;
            return Ok(Ok(ByToken::Enrolled(existing.device)));
        }
        if let Err(reason) = join_token_admits(Some(&token), now) {
            return Ok(Err(reason));
        }
        if token.needs_approval {
            let was_denied = match &known {
                Some(known) => {
                    from_row(known)?.state == EnrollmentState::Denied
                        && column::<Option<JoinTokenId>>(known, "enrollment", "join_token_id")? == Some(token.id)
                        && column(known, "enrollment", "is_current")?
                }
                None => false,
            };
            if was_denied {
                return Ok(Err(ReasonCode::EnrollmentDenied));
            }
            let waiting = wait_for_operator(&txn, organization, &token, new, source_address, now).await?;
            if waiting.is_ok() {
                txn.commit().await?;
            }
            return Ok(waiting.map(ByToken::Waits));
        }
        use_token(&txn, &token).await?;
        let name = made_name(token.name_pattern.as_ref(), &new.parts, token.uses);
        let actor = actor_of(&token);
        let by = EnrolledBy { actor: &actor, way: "token", enrollment: None };
        let enrolled = device_insert(&txn, organization, None, &token.labels, new, &name, &by).await?;
        certificate_insert_in_txn(&txn, organization, enrolled.device, new.certificate, CertificateCause::Enrolled)
            .await?;
        // Whatever it waited for before is over.
        txn.execute("DELETE FROM enrollment WHERE key_hash = $1", &[&new.parts.key_hash]).await?;
        txn.commit().await?;
        Ok(Ok(ByToken::Enrolled(enrolled)))
    }

    /// Takes a box that waits for the scope's organization in. Takes one use of its token.
    ///
    /// # Errors
    /// The name is taken, there are too many labels with those of the token, or the database failed.
    pub async fn enrollment_admit(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        id: EnrollmentId,
        approval: Approval<'_>,
        now: SystemTime,
    ) -> Result<Result<Enrolled, NotApproved>, StoreError> {
        const OPERATION: &str = "enrollment_admit";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        // The token first, as a box that comes with it does: two that wait for each other's rows would wait for ever.
        let Some(row) = txn
            .row_opt(
                "SELECT id, description, labels, name_pattern, needs_approval, max_uses, uses, created_by, created_at, expires_at,
                     revoked_at
                 FROM join_token
                 WHERE organization_id = $2 AND id = (SELECT join_token_id FROM enrollment WHERE id = $1 AND organization_id = $2)
                 FOR UPDATE",
                &[&id, &scope.organization()],
            )
            .await?
        else {
            return Ok(Err(NotApproved::NoSuchEnrollment));
        };
        let token = token_from_row(&row)?;
        let waiting = txn
            .row_opt(
                "SELECT id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, check_bytes,
                    begun_count, extract(epoch FROM code_expires_at - now())::float8 AS left_s,
                     sha256(facts) = $4 AS is_as_seen
                 FROM enrollment
                 WHERE id = $1 AND organization_id = $2 AND join_token_id = $3 AND state = 1 AND code_expires_at > now() FOR UPDATE",
                &[&id, &scope.organization(), &token.id, &approval.facts_hash],
            )
            .await?;
        let Some(waiting) = waiting else { return Ok(Err(NotApproved::NoSuchEnrollment)) };
        if !column::<bool>(&waiting, "enrollment", "is_as_seen")? {
            return Ok(Err(NotApproved::HasChanged));
        }
        let waiting = from_row(&waiting)?;
        if let Err(reason) = join_token_admits(Some(&token), now) {
            return Ok(Err(NotApproved::TokenRefused(reason)));
        }
        let mut labels: Labels = token.labels.clone();
        labels.extend(approval.labels.iter().map(|(key, value)| (key.clone(), value.clone())));
        if labels.len() > LABELS_MAX {
            return Err(StoreError::TooMany { what: "labels, with those of the join token", most: LABELS_MAX });
        }
        let parts = NameParts { key_hash: &waiting.key_hash, ..approval.parts };
        let name = made_name(token.name_pattern.as_ref(), &parts, token.uses);
        let approval = Approval { labels: &labels, ..approval };
        let enrolled = match approve_in_txn(&txn, scope, actor, &waiting, &approval, &name).await? {
            Ok(enrolled) => enrolled,
            Err(refused) => return Ok(Err(refused)),
        };
        use_token(&txn, &token).await?;
        txn.commit().await?;
        Ok(Ok(enrolled))
    }

    /// Turns a box that waits for the scope's organization away. It is told so when it comes within an hour. Answers whether there
    /// was one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enrollment_turn_away(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        id: EnrollmentId,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "enrollment_turn_away";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let changed = txn
            .execute(
                "UPDATE enrollment SET state = 3, code_expires_at = now() + interval '1 hour'
                 WHERE id = $1 AND organization_id = $2 AND join_token_id IS NOT NULL AND state = 1 AND code_expires_at > now()",
                &[&id, &scope.organization()],
            )
            .await?;
        if changed == 0 {
            return Ok(false);
        }
        let entry = AuditEntry::plain("enrollment.deny", format!("enrollment/{id}"));
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        Ok(true)
    }
}

impl AppStore {
    /// A page of the boxes that wait for the scope's organization, the oldest first, after the one with this id; and how many wait in
    /// all, counted up to a thousand.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enrollment_list_page(
        &self,
        scope: &OrganizationScope,
        after: Option<EnrollmentId>,
        limit: i64,
    ) -> Result<(Vec<WaitingRow>, i64), StoreError> {
        const OPERATION: &str = "enrollment_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let rows = txn
            .rows(
                "SELECT e.id, e.key_hash, e.facts, e.source_address, e.created_at, e.code_expires_at, e.join_token_id, t.description,
                     t.name_pattern, t.uses
                 FROM enrollment e JOIN join_token t ON t.organization_id = e.organization_id AND t.id = e.join_token_id
                 WHERE e.organization_id = $1 AND e.state = 1 AND e.code_expires_at > now() AND t.revoked_at IS NULL
                     AND ($2::uuid IS NULL OR e.id > $2)
                 ORDER BY e.id LIMIT $3",
                &[&scope.organization(), &after, &limit],
            )
            .await?;
        let count = txn
            .row_opt(
                "SELECT count(*) AS count FROM (
                     SELECT FROM enrollment e JOIN join_token t ON t.organization_id = e.organization_id AND t.id = e.join_token_id
                     WHERE e.organization_id = $1 AND e.state = 1 AND e.code_expires_at > now() AND t.revoked_at IS NULL
                     LIMIT $2) AS waiting",
                &[&scope.organization(), &COUNT_MAX],
            )
            .await?;
        txn.commit().await?;
        let count = count.map(|row| column(&row, "enrollment", "count")).transpose()?.unwrap_or(0);
        Ok((rows.iter().map(waiting_from_row).collect::<Result<_, _>>()?, count))
    }

    /// One box that waits for the scope's organization.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enrollment_waiting(
        &self,
        scope: &OrganizationScope,
        id: EnrollmentId,
    ) -> Result<Option<WaitingRow>, StoreError> {
        const OPERATION: &str = "enrollment_waiting";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT e.id, e.key_hash, e.facts, e.source_address, e.created_at, e.code_expires_at, e.join_token_id, t.description,
                     t.name_pattern, t.uses
                 FROM enrollment e JOIN join_token t ON t.organization_id = e.organization_id AND t.id = e.join_token_id
                 WHERE e.organization_id = $1 AND e.id = $2 AND e.state = 1 AND e.code_expires_at > now()",
                &[&scope.organization(), &id],
            )
            .await?;
        txn.commit().await?;
        row.as_ref().map(waiting_from_row).transpose()
    }

    /// The device that was made of a box of the scope's organization that waited: whoever asks again, because an answer was lost, gets
    /// the same one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enrollment_admitted(
        &self,
        scope: &OrganizationScope,
        id: EnrollmentId,
    ) -> Result<Option<Enrolled>, StoreError> {
        const OPERATION: &str = "enrollment_admitted";
        const TABLE: &str = "device";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT d.id, d.name, d.organization_id FROM enrollment e
                 JOIN device d ON d.organization_id = e.organization_id AND d.id = e.device_id
                 WHERE e.organization_id = $1 AND e.id = $2 AND e.state = 2 AND e.join_token_id IS NOT NULL AND d.deleted_at IS NULL",
                &[&scope.organization(), &id],
            )
            .await?;
        txn.commit().await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Enrolled {
            device: column(&row, TABLE, "id")?,
            name: column(&row, TABLE, "name")?,
            organization: column(&row, TABLE, "organization_id")?,
            is_new: false,
        }))
    }
}

fn actor_of(token: &JoinToken) -> Actor {
    Actor::control_plane(format!("join-token:{}", token.id), "enrollment")
}

async fn use_token(txn: &Txn<'_>, token: &JoinToken) -> Result<(), StoreError> {
    txn.execute("UPDATE join_token SET uses = uses + 1 WHERE id = $1", &[&token.id]).await?;
    Ok(())
}

/// Lets a box wait for an operator; the same key always has the same row. What it waited for before is over.
async fn wait_for_operator(
    txn: &Txn<'_>,
    organization: OrganizationId,
    token: &JoinToken,
    new: &NewDevice<'_>,
    source_address: &str,
    now: SystemTime,
) -> Result<Result<EnrollmentRow, ReasonCode>, StoreError> {
    let others = txn
        .row_opt(
            "SELECT count(*) AS count FROM enrollment
             WHERE organization_id = $1 AND join_token_id = $2 AND state = 1 AND key_hash <> $3 AND code_expires_at > now()",
            &[&organization, &token.id, &new.parts.key_hash],
        )
        .await?;
    let others: i64 = others.map(|row| column(&row, "enrollment", "count")).transpose()?.unwrap_or(0);
    if others >= WAITING_FOR_TOKEN_MAX {
        return Ok(Err(ReasonCode::EnrollmentBusy));
    }
    let expires_at = token.expires_at.min(now + APPROVAL_LIFETIME);
    let row = txn
        .row_opt(
            "INSERT INTO enrollment AS e (id, key_hash, organization_id, join_token_id, code_expires_at, facts, source_address)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (key_hash) DO UPDATE SET
                 organization_id = EXCLUDED.organization_id, join_token_id = EXCLUDED.join_token_id,
                 code_expires_at = EXCLUDED.code_expires_at, facts = EXCLUDED.facts, source_address = EXCLUDED.source_address,
                 state = 1, claim_code = NULL, check_nonce = NULL, check_commitment = NULL, check_bytes = NULL, check_misses = 0,
                 device_id = NULL, collected_at = NULL,
                 begun_count = e.begun_count + 1
             RETURNING id, state, key_hash, facts, source_address, code_expires_at, device_id, claim_code, check_nonce, check_bytes,
                 begun_count, extract(epoch FROM code_expires_at - now())::float8 AS left_s",
            &[
                &EnrollmentId::new(),
                &new.parts.key_hash,
                &organization,
                &token.id,
                &expires_at,
                &new.facts,
                &source_address,
            ],
        )
        .await?;
    let missing = || StoreError::Inconsistent { table: "enrollment", column: "id", id: "new row".to_owned() };
    Ok(Ok(from_row(&row.ok_or_else(missing)?)?))
}
