//! People who were sent to an identity provider and have not come back yet.

use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use crate::scope::AccountScope;
use kaliun_types::id::SessionId;
use std::time::SystemTime;

/// Most of them at once. Whoever begins is limited by source; a flood from everywhere fills this and no more.
const ATTEMPTS_MAX: usize = 10_000;

/// What has to be known when somebody comes back.
pub struct NewAttempt<'a> {
    /// SHA-256 of what names it.
    pub state_hash: &'a [u8],
    /// SHA-256 of what the browser keeps.
    pub browser_hash: &'a [u8],
    /// Which provider.
    pub provider: &'a str,
    /// Where the provider sends them back to.
    pub redirect_uri: &'a str,
    /// Stands in the token.
    pub nonce: &'a str,
    /// Proves who began.
    pub pkce_verifier: &'a str,
    /// Where they go on afterwards: a path on this server.
    pub return_path: &'a str,
    /// The session of somebody who links an identity; none for who signs in.
    pub session: Option<SessionId>,
    /// Until when they have time.
    pub expires_at: SystemTime,
}

/// The same, of somebody who came back.
pub struct AttemptRow {
    /// Where the provider sends them back to.
    pub redirect_uri: String,
    /// Stands in the token.
    pub nonce: String,
    /// Proves who began.
    pub pkce_verifier: String,
    /// Where they go on afterwards.
    pub return_path: String,
    /// The session of somebody who links an identity, if it still lives; none for who signs in.
    pub purpose: AttemptPurpose,
}

/// What somebody went to the provider for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptPurpose {
    /// To sign in.
    SignIn,
    /// To link an identity with the account of this session.
    Link(AccountScope),
}

impl SystemStore {
    /// Keeps what has to be known.
    ///
    /// # Errors
    /// Too many are under way (`TooMany`), or the database failed.
    pub async fn sign_in_attempt_insert(&self, new: &NewAttempt<'_>) -> Result<(), StoreError> {
        const OPERATION: &str = "sign_in_attempt_insert";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let most = i64::try_from(ATTEMPTS_MAX).unwrap_or(i64::MAX);
        let inserted = txn
            .execute(
                "INSERT INTO sign_in_attempt (state_hash, browser_hash, provider, redirect_uri, nonce, pkce_verifier, return_path,
                     session_id, expires_at)
                 SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
                 WHERE (SELECT count(*) FROM (SELECT FROM sign_in_attempt LIMIT $10) AS under_way) < $10",
                &[
                    &new.state_hash,
                    &new.browser_hash,
                    &new.provider,
                    &new.redirect_uri,
                    &new.nonce,
                    &new.pkce_verifier,
                    &new.return_path,
                    &new.session,
                    &new.expires_at,
                    &most,
                ],
            )
            .await?;
        if inserted == 0 {
            return Err(StoreError::TooMany { what: "people who are signing in", most: ATTEMPTS_MAX });
        }
        txn.commit().await
    }

    /// Takes what was kept, once, for the browser that began. `None` when there is nothing (any more), or when the session is over of
    /// somebody who links.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sign_in_attempt_take(
        &self,
        state_hash: &[u8],
        browser_hash: &[u8],
        provider: &str,
    ) -> Result<Option<AttemptRow>, StoreError> {
        const OPERATION: &str = "sign_in_attempt_take";
        const TABLE: &str = "sign_in_attempt";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let taken = txn
            .row_opt(
                "DELETE FROM sign_in_attempt
                 WHERE state_hash = $1 AND browser_hash = $2 AND provider = $3 AND expires_at > now()
                 RETURNING redirect_uri, nonce, pkce_verifier, return_path, session_id",
                &[&state_hash, &browser_hash, &provider],
            )
            .await?;
        let Some(row) = taken else { return Ok(None) };
        let session: Option<SessionId> = column(&row, TABLE, "session_id")?;
        let purpose = match session {
            None => Some(AttemptPurpose::SignIn),
            Some(session) => {
                let live = "SELECT account_id FROM account_session WHERE id = $1 AND revoked_at IS NULL AND expires_at > now()";
                let live = txn.row_opt(live, &[&session]).await?;
                let account = live.map(|row| column(&row, "account_session", "account_id")).transpose()?;
                account.map(|account| AttemptPurpose::Link(AccountScope::authenticated(account, session)))
            }
        };
        txn.commit().await?;
        let Some(purpose) = purpose else { return Ok(None) };
        Ok(Some(AttemptRow {
            redirect_uri: column(&row, TABLE, "redirect_uri")?,
            nonce: column(&row, TABLE, "nonce")?,
            pkce_verifier: column(&row, TABLE, "pkce_verifier")?,
            return_path: column(&row, TABLE, "return_path")?,
            purpose,
        }))
    }

    /// Forgets those who took too long, at most `limit`; answers how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sign_in_attempt_delete_expired(&self, limit: i64) -> Result<u64, StoreError> {
        const OPERATION: &str = "sign_in_attempt_delete_expired";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let deleted = txn
            .execute(
                "DELETE FROM sign_in_attempt WHERE state_hash IN (
                     SELECT state_hash FROM sign_in_attempt WHERE expires_at < now() ORDER BY expires_at LIMIT $1
                     FOR UPDATE SKIP LOCKED)",
                &[&limit],
            )
            .await?;
        txn.commit().await?;
        Ok(deleted)
    }
}
