//! What a replica that sends mails does with them.

use super::mail_from_row;
use crate::error::StoreError;
use crate::mailed_secrets::mailed_secret_issue_in_txn;
use crate::pool::{SystemStore, Txn, column};
use kaliun_domain::mail::{Mail, MailKind};
use kaliun_domain::mailed_secret::SecretPurpose;
use kaliun_types::id::MailId;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

/// Characters that are kept of why an attempt failed: a few lines of a mail server's answer.
const ERROR_CHARS_MAX: usize = 500;

/// A mail that this replica is to send.
#[derive(Debug, Clone)]
pub struct ClaimedMail {
    /// Its id.
    pub id: MailId,
    /// The address it goes to.
    pub recipient: String,
    /// What it says; none when it is stored in a way that this version cannot read.
    pub mail: Option<Mail>,
    /// When it was written.
    pub created_at: SystemTime,
    /// Attempts begun, this one included. Names the claim: who claimed it earlier can write nothing of a failure any more.
    pub attempts: u32,
}

/// How much waits to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailBacklog {
    /// Mails that are neither sent nor given up.
    pub waiting: u64,
    /// When the oldest of them was written.
    pub oldest_at: Option<SystemTime>,
}

impl SystemStore {
    /// Claims up to `limit` mails that are due, for as long as `lease`. Nobody else gets them until then.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mail_claim_batch(&self, lease: Duration, limit: i64) -> Result<Vec<ClaimedMail>, StoreError> {
        const OPERATION: &str = "mail_claim_batch";
        const TABLE: &str = "mail";
        // Kinds of a newer version are left to replicas that know them.
        let known: Vec<&str> = MailKind::ALL.into_iter().map(MailKind::word).collect();
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let rows = txn
            .rows(
                "WITH due AS (
                     SELECT id FROM mail
                     WHERE sent_at IS NULL AND given_up_at IS NULL AND next_attempt_at <= now() AND kind = ANY($3)
                     ORDER BY next_attempt_at LIMIT $2 FOR UPDATE SKIP LOCKED
                 )
                 UPDATE mail m SET attempts = m.attempts + 1, next_attempt_at = now() + make_interval(secs => $1)
                 FROM due WHERE m.id = due.id
                 RETURNING m.id, m.recipient, m.kind, m.parameters, m.created_at, m.attempts",
                &[&lease.as_secs_f64(), &limit, &known],
            )
            .await?;
        txn.commit().await?;
        rows.iter()
            .map(|row| {
                Ok(ClaimedMail {
                    id: column(row, TABLE, "id")?,
                    recipient: column(row, TABLE, "recipient")?,
                    mail: mail_from_row(row)?,
                    created_at: column(row, TABLE, "created_at")?,
                    attempts: column::<i32>(row, TABLE, "attempts")?.unsigned_abs(),
                })
            })
            .collect()
    }

    /// Adds the secret of a claimed mail's link, right before it is sent. Answers false, and adds none, when the mail is not to be sent
    /// any more or somebody else has claimed it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mail_secret_issue(
        &self,
        claimed: &ClaimedMail,
        purpose: SecretPurpose,
        secret_hash: &[u8],
        expires_at: SystemTime,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "mail_secret_issue";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT subject FROM mail
                 WHERE id = $1 AND attempts = $2 AND sent_at IS NULL AND given_up_at IS NULL FOR UPDATE",
                &[&claimed.id, &attempts(claimed)],
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        let subject: Option<Uuid> = column(&row, "mail", "subject")?;
        let missing = || StoreError::Inconsistent { table: "mail", column: "subject", id: claimed.id.to_string() };
        mailed_secret_issue_in_txn(&txn, purpose, subject.ok_or_else(missing)?, secret_hash, expires_at).await?;
        txn.commit().await?;
        Ok(true)
    }

    /// Writes down that the mail server took a mail. Answers false when that was known, or the mail is gone.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mail_sent(&self, claimed: &ClaimedMail) -> Result<bool, StoreError> {
        const OPERATION: &str = "mail_sent";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // Whoever has claimed it since: it is out, and need not go out again.
        let changed = txn
            .execute(
                "UPDATE mail SET sent_at = now(), given_up_at = NULL WHERE id = $1 AND sent_at IS NULL",
                &[&claimed.id],
            )
            .await?;
        txn.commit().await?;
        Ok(changed > 0)
    }

    /// Writes down that an attempt failed, and when the next one is due; without one the mail is given up. Answers false, and writes
    /// nothing, when somebody else has claimed it since or it is over.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mail_failed(
        &self,
        claimed: &ClaimedMail,
        error: &str,
        next_attempt_at: Option<SystemTime>,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "mail_failed";
        let error: String = error.chars().filter(|char| *char != '\0').take(ERROR_CHARS_MAX).collect();
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let changed = txn
            .execute(
                "UPDATE mail SET last_error = $3, next_attempt_at = coalesce($4, next_attempt_at),
                     given_up_at = CASE WHEN $4::timestamptz IS NULL THEN now() END
                 WHERE id = $1 AND attempts = $2 AND sent_at IS NULL AND given_up_at IS NULL",
                &[&claimed.id, &attempts(claimed), &error, &next_attempt_at],
            )
            .await?;
        txn.commit().await?;
        Ok(changed > 0)
    }

    /// Gives up mails that were written before `horizon` and still wait, at most `limit`: nobody could send them. Answers how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mail_give_up_before(&self, horizon: SystemTime, limit: i64) -> Result<u64, StoreError> {
        const OPERATION: &str = "mail_give_up_before";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let given_up = txn
            .execute(
                "UPDATE mail SET given_up_at = now(),
                     last_error = coalesce(last_error, 'no mail server was configured while it waited')
                 WHERE id IN (
                     SELECT id FROM mail WHERE sent_at IS NULL AND given_up_at IS NULL AND created_at < $1
                       AND next_attempt_at <= now()
                     ORDER BY next_attempt_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
                &[&horizon, &limit],
            )
            .await?;
        txn.commit().await?;
        Ok(given_up)
    }

    /// Deletes mails that were written before `horizon`, the oldest first, at most `limit`. Answers how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mail_delete_before(&self, horizon: SystemTime, limit: i64) -> Result<u64, StoreError> {
        const OPERATION: &str = "mail_delete_before";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // Ids grow with time, so the oldest are found by the primary key.
        let deleted = txn
            .execute(
                "DELETE FROM mail WHERE id IN (SELECT id FROM mail ORDER BY id LIMIT $2) AND created_at < $1",
                &[&horizon, &limit],
            )
            .await?;
        txn.commit().await?;
        Ok(deleted)
    }

    /// How much waits.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mail_backlog(&self) -> Result<MailBacklog, StoreError> {
        const OPERATION: &str = "mail_backlog";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // Those that wait are few, and have an index.
        let row = txn
            .row_opt(
                "SELECT count(*) AS waiting, min(created_at) AS oldest_at FROM mail WHERE sent_at IS NULL AND given_up_at IS NULL",
                &[],
            )
            .await?;
        txn.commit().await?;
        let Some(row) = row else { return Ok(MailBacklog { waiting: 0, oldest_at: None }) };
        let waiting: i64 = column(&row, "mail", "waiting")?;
        Ok(MailBacklog { waiting: waiting.unsigned_abs(), oldest_at: column(&row, "mail", "oldest_at")? })
    }
}

fn attempts(claimed: &ClaimedMail) -> i32 {
    i32::try_from(claimed.attempts).unwrap_or(i32::MAX)
}
