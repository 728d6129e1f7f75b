//! Machines that ask to be signed in (RFC 8628), and the tokens that they then have.

use crate::account_sessions::{SessionKind, make_room};
use crate::audit::{Actor, AuditEntry, platform_audit_by_in_txn};
use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use crate::scope::AccountScope;
use kaliun_types::id::{AccountId, LoginId, SessionId};
use std::time::{Duration, SystemTime};

/// Most logins that wait in all. Whoever begins one is limited by source; a flood from everywhere fills this and no more.
const WAITING_MAX: usize = 10_000;
/// What asking too soon adds to the interval (RFC 8628 section 3.5).
const SLOW_DOWN_SECONDS: i32 = 5;

/// A machine that asks.
pub struct NewLogin<'a> {
    /// SHA-256 of the code that the machine keeps.
    pub device_code_hash: &'a [u8],
    /// The code that the person enters.
    pub user_code: &'a str,
    /// The machine's own words.
    pub client: &'a str,
    /// Where it is, as far as it is known.
    pub source_address: &'a str,
    /// Until when somebody can say yes.
    pub expires_at: SystemTime,
    /// How long it has to wait between two questions, seconds.
    pub interval_seconds: u32,
}

/// What asks with a code.
#[derive(Debug, Clone)]
pub struct LoginRow {
    /// The machine's own words.
    pub client: String,
    /// Where it asks from.
    pub source_address: String,
    /// Until when somebody can say yes.
    pub expires_at: SystemTime,
}

/// Tokens, as they are stored.
pub struct NewTokens<'a> {
    /// SHA-256 of the access token.
    pub access_hash: &'a [u8],
    /// Until when it is good.
    pub access_expires_at: SystemTime,
    /// SHA-256 of the token that brings the next one.
    pub refresh_hash: &'a [u8],
    /// Until when the session lasts if it is not used.
    pub expires_at: SystemTime,
}

/// Where a login is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginPolled {
    /// Nobody has decided.
    Pending {
        /// How long to wait before the next question, seconds.
        interval_seconds: u32,
    },
    /// Asked too soon; nobody has decided.
    TooSoon {
        /// How long to wait from now on, seconds.
        interval_seconds: u32,
    },
    /// The person said no.
    Denied,
    /// There is no such login any more.
    Expired,
    /// The person said yes: the tokens are good.
    Approved,
}

/// What became of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// The new tokens are good.
    Yes,
    /// There is no such session any more.
    Ended,
    /// It was replaced before: somebody else has it, so the session of this account is over.
    Reused(AccountId),
}

impl SystemStore {
    /// Notes that a machine asks to be signed in.
    ///
    /// # Errors
    /// The code is taken (`AlreadyExists`: make another), too many wait (`TooMany`), or the database failed.
    pub async fn login_insert(&self, new: &NewLogin<'_>) -> Result<(), StoreError> {
        const OPERATION: &str = "login_insert";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let most = i64::try_from(WAITING_MAX).unwrap_or(i64::MAX);
        let row =
            txn.row_opt("SELECT count(*) AS waiting FROM (SELECT FROM login LIMIT $1) AS those", &[&most]).await?;
        if row.is_some_and(|row| row.try_get::<_, i64>("waiting").is_ok_and(|waiting| waiting >= most)) {
            return Err(StoreError::TooMany { what: "machines that wait to be signed in", most: WAITING_MAX });
        }
        txn.execute(
            "INSERT INTO login (id, device_code_hash, user_code, client, source_address, expires_at, interval_seconds)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                &LoginId::new(),
                &new.device_code_hash,
                &new.user_code,
                &new.client,
                &new.source_address,
                &new.expires_at,
                &i32::try_from(new.interval_seconds).unwrap_or(i32::MAX),
            ],
        )
        .await
        .map_err(|error| error.unless_duplicate("a login with this code"))?;
        txn.commit().await
    }

    /// Answers a machine that asks whether it may. With the person's yes it gets its tokens, once.
    ///
    /// # Errors
    /// The database failed.
    pub async fn login_poll(&self, device_code_hash: &[u8], tokens: &NewTokens<'_>) -> Result<LoginPolled, StoreError> {
        const OPERATION: &str = "login_poll";
        const TABLE: &str = "login";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT id, state, account_id, client, source_address, interval_seconds,
                     coalesce(polled_at > now() - make_interval(secs => interval_seconds - 0.5), false) AS is_too_soon
                 FROM login WHERE device_code_hash = $1 AND expires_at > now() FOR UPDATE",
                &[&device_code_hash],
            )
            .await?;
        let Some(row) = row else { return Ok(LoginPolled::Expired) };
        let id: LoginId = column(&row, TABLE, "id")?;
        let interval: i32 = column(&row, TABLE, "interval_seconds")?;
        match column::<i16>(&row, TABLE, "state")? {
            1 => {
                let is_too_soon: bool = column(&row, TABLE, "is_too_soon")?;
                let interval = if is_too_soon { interval.saturating_add(SLOW_DOWN_SECONDS).min(300) } else { interval };
                txn.execute(
                    "UPDATE login SET polled_at = now(), interval_seconds = $2 WHERE id = $1",
                    &[&id, &interval],
                )
                .await?;
                txn.commit().await?;
                let interval_seconds = interval.unsigned_abs();
                Ok(match is_too_soon {
                    true => LoginPolled::TooSoon { interval_seconds },
                    false => LoginPolled::Pending { interval_seconds },
                })
            }
            2 => {
                let account: Option<AccountId> = column(&row, TABLE, "account_id")?;
                let Some(account) = account else { return Ok(LoginPolled::Expired) };
                make_room(&txn, account).await?;
                txn.execute(
                    "INSERT INTO account_session
                         (id, account_id, kind, secret_hash, access_expires_at, refresh_hash, client, source_address, expires_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                    &[
                        &SessionId::new(),
                        &account,
                        &SessionKind::CommandLine.number(),
                        &tokens.access_hash,
                        &tokens.access_expires_at,
                        &tokens.refresh_hash,
                        &column::<String>(&row, TABLE, "client")?,
                        &column::<String>(&row, TABLE, "source_address")?,
                        &tokens.expires_at,
                    ],
                )
                .await?;
                txn.execute("DELETE FROM login WHERE id = $1", &[&id]).await?;
                txn.commit().await?;
                Ok(LoginPolled::Approved)
            }
            _ => {
                txn.execute("DELETE FROM login WHERE id = $1", &[&id]).await?;
                txn.commit().await?;
                Ok(LoginPolled::Denied)
            }
        }
    }

    /// Replaces the tokens of a session. A refresh token that was replaced before ends the session that it was of.
    ///
    /// # Errors
    /// The database failed.
    pub async fn login_refresh(&self, refresh_hash: &[u8], tokens: &NewTokens<'_>) -> Result<Refreshed, StoreError> {
        const OPERATION: &str = "login_refresh";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let replaced = txn
            .execute(
                "UPDATE account_session
                 SET secret_hash = $2, access_expires_at = $3, spent_refresh_hash = refresh_hash, refresh_hash = $4, expires_at = $5,
                     last_used_at = now()
                 WHERE refresh_hash = $1 AND revoked_at IS NULL AND expires_at > now()",
                &[
                    &refresh_hash,
                    &tokens.access_hash,
                    &tokens.access_expires_at,
                    &tokens.refresh_hash,
                    &tokens.expires_at,
                ],
            )
            .await?;
        if replaced > 0 {
            txn.commit().await?;
            return Ok(Refreshed::Yes);
        }
        let reused = txn
            .row_opt(
                "UPDATE account_session SET revoked_at = now()
                 WHERE spent_refresh_hash = $1 AND revoked_at IS NULL AND expires_at > now() RETURNING account_id",
                &[&refresh_hash],
            )
            .await?;
        txn.commit().await?;
        reused.map_or(Ok(Refreshed::Ended), |row| Ok(Refreshed::Reused(column(&row, "account_session", "account_id")?)))
    }

    /// What asks with a code that a person entered.
    ///
    /// # Errors
    /// The database failed.
    pub async fn login_look_up(&self, _scope: &AccountScope, user_code: &str) -> Result<Option<LoginRow>, StoreError> {
        const OPERATION: &str = "login_look_up";
        const TABLE: &str = "login";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT client, source_address, expires_at FROM login WHERE user_code = $1 AND state = 1 AND expires_at > now()",
                &[&user_code],
            )
            .await?;
        txn.commit().await?;
        row.map(|row| {
            Ok(LoginRow {
                client: column(&row, TABLE, "client")?,
                source_address: column(&row, TABLE, "source_address")?,
                expires_at: column(&row, TABLE, "expires_at")?,
            })
        })
        .transpose()
    }

    /// Says a person's yes or no to a machine. Answers whether one waits under the code.
    ///
    /// # Errors
    /// The database failed.
    pub async fn login_decide(
        &self,
        scope: &AccountScope,
        actor: &Actor,
        user_code: &str,
        approve: bool,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "login_decide";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let account = scope.account();
        let (state, whose): (i16, Option<AccountId>) = if approve { (2, Some(account)) } else { (3, None) };
        let row = txn
            .row_opt(
                "UPDATE login SET state = $2, account_id = $3
                 WHERE user_code = $1 AND state = 1 AND expires_at > now() RETURNING client, source_address",
                &[&user_code, &state, &whose],
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        if approve {
            let (client, from): (String, String) =
                (column(&row, "login", "client")?, column(&row, "login", "source_address")?);
            let entry = AuditEntry {
                after: Some(serde_json::json!({ "client": client, "source_address": from })),
                ..AuditEntry::plain("account.login", format!("account/{account}"))
            };
            platform_audit_by_in_txn(&txn, actor, entry).await?;
        }
        txn.commit().await?;
        Ok(true)
    }

    /// Forgets logins that took too long, at most `limit`; answers how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn login_delete_expired(&self, limit: i64) -> Result<u64, StoreError> {
        const OPERATION: &str = "login_delete_expired";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let deleted = txn
            .execute(
                "DELETE FROM login WHERE id IN (
                     SELECT id FROM login WHERE expires_at < now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)",
                &[&limit],
            )
            .await?;
        txn.commit().await?;
        Ok(deleted)
    }
}

/// How long a login waits for somebody's yes.
pub const LOGIN_LIFETIME: Duration = Duration::from_secs(15 * 60);
