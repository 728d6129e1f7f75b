//! Secrets in the links of mails. Only their hashes are here; the secrets are made when a mail is sent, and known to its reader alone.

use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use kaliun_domain::mail::MailKind;
use kaliun_domain::mailed_secret::SecretPurpose;
use kaliun_types::id::MailedSecretId;
use std::time::SystemTime;
use uuid::Uuid;

/// Adds a secret. Others for the same subject stay good.
pub(crate) async fn mailed_secret_issue_in_txn(
    txn: &Txn<'_>,
    purpose: SecretPurpose,
    subject: Uuid,
    secret_hash: &[u8],
    expires_at: SystemTime,
) -> Result<(), StoreError> {
    txn.execute(
        "INSERT INTO mailed_secret (id, purpose, subject, secret_hash, expires_at) VALUES ($1, $2, $3, $4, $5)",
        &[&MailedSecretId::new(), &purpose.number(), &subject, &secret_hash, &expires_at],
    )
    .await?;
    Ok(())
}

/// Uses a secret up, and answers what it is about. None when there is none such, or it was used, became void or expired.
pub(crate) async fn mailed_secret_take_in_txn(
    txn: &Txn<'_>,
    purpose: SecretPurpose,
    secret_hash: &[u8],
) -> Result<Option<Uuid>, StoreError> {
    let row = txn
        .row_opt(
            "UPDATE mailed_secret SET used_at = now()
             WHERE purpose = $1 AND secret_hash = $2 AND used_at IS NULL AND expires_at > now() RETURNING subject",
            &[&purpose.number(), &secret_hash],
        )
        .await?;
    row.map(|row| column(&row, "mailed_secret", "subject")).transpose()
}

/// What a secret is about, without using it.
pub(crate) async fn mailed_secret_look_in_txn(
    txn: &Txn<'_>,
    purpose: SecretPurpose,
    secret_hash: &[u8],
) -> Result<Option<Uuid>, StoreError> {
    let row = txn
        .row_opt(
            "SELECT subject FROM mailed_secret
             WHERE purpose = $1 AND secret_hash = $2 AND used_at IS NULL AND expires_at > now()",
            &[&purpose.number(), &secret_hash],
        )
        .await?;
    row.map(|row| column(&row, "mailed_secret", "subject")).transpose()
}

/// Makes all secrets for a subject void: those that are out, and those that mails still waiting would have made.
pub(crate) async fn mailed_secret_void_in_txn(
    txn: &Txn<'_>,
    purpose: SecretPurpose,
    subject: Uuid,
) -> Result<(), StoreError> {
    let kinds: Vec<&str> =
        MailKind::ALL.into_iter().filter(|kind| kind.secret() == Some(purpose)).map(MailKind::word).collect();
    // The mails first: whoever is about to make a secret for one holds its row, and what was made until then is found below.
    txn.execute(
        "UPDATE mail SET given_up_at = now(), last_error = 'its link is not wanted any more'
         WHERE subject = $1 AND kind = ANY($2) AND sent_at IS NULL AND given_up_at IS NULL",
        &[&subject, &kinds],
    )
    .await?;
    txn.execute(
        "UPDATE mailed_secret SET used_at = now() WHERE subject = $1 AND purpose = $2 AND used_at IS NULL",
        &[&subject, &purpose.number()],
    )
    .await?;
    Ok(())
}

impl SystemStore {
    /// Uses a secret up, and answers what it is about. None when there is none such, or it was used, became void or expired.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mailed_secret_take(
        &self,
        purpose: SecretPurpose,
        secret_hash: &[u8],
    ) -> Result<Option<Uuid>, StoreError> {
        const OPERATION: &str = "mailed_secret_take";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let subject = mailed_secret_take_in_txn(&txn, purpose, secret_hash).await?;
        txn.commit().await?;
        Ok(subject)
    }

    /// What a secret is about, without using it: for a page that shows what its button will do.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mailed_secret_look(
        &self,
        purpose: SecretPurpose,
        secret_hash: &[u8],
    ) -> Result<Option<Uuid>, StoreError> {
        const OPERATION: &str = "mailed_secret_look";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let subject = mailed_secret_look_in_txn(&txn, purpose, secret_hash).await?;
        txn.commit().await?;
        Ok(subject)
    }

    /// Makes all secrets for a subject void: those that are out, and those that mails still waiting would have made.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mailed_secret_void(&self, purpose: SecretPurpose, subject: Uuid) -> Result<(), StoreError> {
        const OPERATION: &str = "mailed_secret_void";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        mailed_secret_void_in_txn(&txn, purpose, subject).await?;
        txn.commit().await
    }

    /// Deletes secrets that have expired, at most `limit`. Answers how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mailed_secret_delete_expired(&self, limit: i64) -> Result<u64, StoreError> {
        const OPERATION: &str = "mailed_secret_delete_expired";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let deleted = txn
            .execute(
                "DELETE FROM mailed_secret WHERE id IN (
                     SELECT id FROM mailed_secret WHERE expires_at <= now() ORDER BY expires_at LIMIT $1)",
                &[&limit],
            )
            .await?;
        txn.commit().await?;
        Ok(deleted)
    }
}
