//! Sessions of people: how they are opened, recognized, listed and ended.

use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use crate::scope::AccountScope;
use crate::signed_in::{Person, Principal, SignedIn, place_of_account};
use kaliun_types::id::{AccountId, OrganizationId, SessionId};
use std::time::SystemTime;
use tokio_postgres::Row;

/// Most sessions of one account: the oldest end when there are more. A person has some devices, each with some browsers.
const SESSIONS_MAX: i64 = 100;

/// How a session is opened.
pub struct NewSession<'a> {
    /// What the client says of itself. At most 200 characters.
    pub client: &'a str,
    /// Where it is, as far as it is known.
    pub source_address: &'a str,
    /// SHA-256 of the cookie's secret.
    pub secret_hash: &'a [u8],
    /// When it ends.
    pub expires_at: SystemTime,
}

/// Which kind a session is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// A browser's, by cookie.
    Browser,
    /// Of fleetctl, by tokens.
    CommandLine,
}

impl SessionKind {
    pub(crate) const fn number(self) -> i16 {
        match self {
            Self::Browser => 1,
            Self::CommandLine => 2,
        }
    }

    pub(crate) const fn from_number(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Browser),
            2 => Some(Self::CommandLine),
            _ => None,
        }
    }
}

/// A live session, as its person sees it.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Which.
    pub id: SessionId,
    /// Of which kind.
    pub kind: SessionKind,
    /// What the client said of itself.
    pub client: String,
    /// Where it was opened.
    pub source_address: String,
    /// When.
    pub created_at: SystemTime,
    /// When it was used last, to the minute.
    pub last_used_at: SystemTime,
    /// When it ends by itself.
    pub expires_at: SystemTime,
}

/// Opens a browser session, inside the transaction that found out that it may be.
pub(crate) async fn session_insert_in_txn(
    txn: &Txn<'_>,
    account: AccountId,
    session: &NewSession<'_>,
) -> Result<SessionId, StoreError> {
    make_room(txn, account).await?;
    let id = SessionId::new();
    txn.execute(
        "INSERT INTO account_session (id, account_id, kind, secret_hash, client, source_address, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            &id,
            &account,
            &SessionKind::Browser.number(),
            &session.secret_hash,
            &session.client,
            &session.source_address,
            &session.expires_at,
        ],
    )
    .await?;
    Ok(id)
}

/// Forgets sessions that are over, and the oldest of too many.
pub(crate) async fn make_room(txn: &Txn<'_>, account: AccountId) -> Result<(), StoreError> {
    txn.execute(
        "DELETE FROM account_session WHERE account_id = $1 AND (expires_at < now() OR revoked_at IS NOT NULL
             OR id IN (SELECT id FROM account_session WHERE account_id = $1 ORDER BY id DESC OFFSET $2))",
        &[&account, &(SESSIONS_MAX - 1)],
    )
    .await?;
    Ok(())
}

/// Ends all sessions of an account but one, if one is named; answers how many.
pub(crate) async fn sessions_end_in_txn(
    txn: &Txn<'_>,
    account: AccountId,
    but: Option<SessionId>,
) -> Result<u64, StoreError> {
    // A machine that was said yes to and has not fetched its tokens would be a session that begins after all of them ended.
    txn.execute("DELETE FROM login WHERE account_id = $1", &[&account]).await?;
    txn.execute(
        "UPDATE account_session SET revoked_at = now()
         WHERE account_id = $1 AND revoked_at IS NULL AND expires_at > now() AND ($2::uuid IS NULL OR id <> $2)",
        &[&account, &but],
    )
    .await
}

impl SystemStore {
    /// Opens a browser session for somebody whose password was just checked against this hash. `None` when the account is gone, or has another
    /// password by now: who set that ended all sessions, and none begins by the old one after it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn browser_session_insert(
        &self,
        account: AccountId,
        checked_hash: Option<&str>,
        session: &NewSession<'_>,
        wanted: Option<OrganizationId>,
    ) -> Result<Option<SignedIn>, StoreError> {
        const OPERATION: &str = "browser_session_insert";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let checked = "SELECT 1 AS one FROM account WHERE id = $1 AND password_hash IS NOT DISTINCT FROM $2 FOR SHARE";
        if txn.row_opt(checked, &[&account, &checked_hash]).await?.is_none() {
            return Ok(None);
        }
        session_insert_in_txn(&txn, account, session).await?;
        let signed_in = authenticate_in_txn(&txn, SessionKind::Browser, session.secret_hash, wanted).await?;
        txn.commit().await?;
        Ok(signed_in)
    }

    /// Who holds a session with this secret now, and what they are in the wanted organization, or where they have been longest. Notes the
    /// session's use, to the minute.
    ///
    /// # Errors
    /// The database failed.
    pub async fn session_authenticate(
        &self,
        kind: SessionKind,
        secret_hash: &[u8],
        wanted: Option<OrganizationId>,
    ) -> Result<Option<SignedIn>, StoreError> {
        const OPERATION: &str = "session_authenticate";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let signed_in = authenticate_in_txn(&txn, kind, secret_hash, wanted).await?;
        txn.commit().await?;
        Ok(signed_in)
    }

    /// Ends the session with this secret. Answers whose it was; `None` when it is over already.
    ///
    /// # Errors
    /// The database failed.
    pub async fn session_end(&self, kind: SessionKind, secret_hash: &[u8]) -> Result<Option<AccountId>, StoreError> {
        const OPERATION: &str = "session_end";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "UPDATE account_session SET revoked_at = now()
                 WHERE kind = $1 AND secret_hash = $2 AND revoked_at IS NULL RETURNING account_id",
                &[&kind.number(), &secret_hash],
            )
            .await?;
        txn.commit().await?;
        row.map(|row| column(&row, "account_session", "account_id")).transpose()
    }

    /// A page of the person's live sessions, newest first, after the one with this id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn session_list_page(
        &self,
        scope: &AccountScope,
        after: Option<SessionId>,
        limit: i64,
    ) -> Result<Vec<SessionRow>, StoreError> {
        const OPERATION: &str = "session_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_person(&mut connection, scope, OPERATION).await?;
        let rows = txn
            .rows(
                "SELECT id, kind, client, source_address, created_at, last_used_at, expires_at FROM account_session
                 WHERE account_id = $1 AND revoked_at IS NULL AND expires_at > now() AND ($2::uuid IS NULL OR id < $2)
                 ORDER BY id DESC LIMIT $3",
                &[&scope.account(), &after, &limit],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(from_row).collect()
    }

    /// Ends one of the person's sessions. Answers whether there was one to end.
    ///
    /// # Errors
    /// The database failed.
    pub async fn session_revoke(&self, scope: &AccountScope, id: SessionId) -> Result<bool, StoreError> {
        const OPERATION: &str = "session_revoke";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_person(&mut connection, scope, OPERATION).await?;
        let ended = txn
            .execute(
                "UPDATE account_session SET revoked_at = now()
                 WHERE id = $1 AND account_id = $2 AND revoked_at IS NULL AND expires_at > now()",
                &[&id, &scope.account()],
            )
            .await?;
        txn.commit().await?;
        Ok(ended > 0)
    }

    /// Ends all of the person's sessions but the one that acts; answers how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn session_revoke_others(&self, scope: &AccountScope) -> Result<u64, StoreError> {
        const OPERATION: &str = "session_revoke_others";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_person(&mut connection, scope, OPERATION).await?;
        let ended = sessions_end_in_txn(&txn, scope.account(), Some(scope.session())).await?;
        txn.commit().await?;
        Ok(ended)
    }

    /// Forgets sessions that are over, at most `limit`; answers how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn session_delete_ended(&self, limit: i64) -> Result<u64, StoreError> {
        const OPERATION: &str = "session_delete_ended";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let deleted = txn
            .execute(
                "DELETE FROM account_session WHERE id IN (
                     SELECT id FROM account_session WHERE expires_at < now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)",
                &[&limit],
            )
            .await?;
        txn.commit().await?;
        Ok(deleted)
    }
}

/// Who holds a session with this secret, inside a transaction.
pub(crate) async fn authenticate_in_txn(
    txn: &Txn<'_>,
    kind: SessionKind,
    secret_hash: &[u8],
    wanted: Option<OrganizationId>,
) -> Result<Option<SignedIn>, StoreError> {
    const TABLE: &str = "account_session";
    let row = txn
        .row_opt(
            "SELECT s.id, s.account_id, s.created_at, s.expires_at, s.last_used_at < now() - interval '1 minute' AS is_used_anew,
                 a.email, a.name, a.password_hash IS NOT NULL AS has_password
             FROM account_session s JOIN account a ON a.id = s.account_id
             WHERE s.kind = $1 AND s.secret_hash = $2 AND s.expires_at > now() AND s.revoked_at IS NULL
                 AND (s.access_expires_at IS NULL OR s.access_expires_at > now())",
            &[&kind.number(), &secret_hash],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let session: SessionId = column(&row, TABLE, "id")?;
    let account: AccountId = column(&row, TABLE, "account_id")?;
    // Who it is, is known now: whatever is read from here on is theirs.
    txn.bind_account(account).await?;
    if column(&row, TABLE, "is_used_anew")? {
        txn.execute("UPDATE account_session SET last_used_at = now() WHERE id = $1", &[&session]).await?;
    }
    Ok(Some(SignedIn {
        principal: Principal::Person(Person {
            account,
            session,
            email: column(&row, "account", "email")?,
            name: column(&row, "account", "name")?,
            has_password: column(&row, "account", "has_password")?,
            signed_in_at: column(&row, TABLE, "created_at")?,
        }),
        place: place_of_account(txn, account, wanted).await?,
        expires_at: column(&row, TABLE, "expires_at")?,
    }))
}

fn from_row(row: &Row) -> Result<SessionRow, StoreError> {
    const TABLE: &str = "account_session";
    let id: SessionId = column(row, TABLE, "id")?;
    let kind: i16 = column(row, TABLE, "kind")?;
    Ok(SessionRow {
        id,
        kind: SessionKind::from_number(kind).ok_or_else(|| StoreError::Inconsistent {
            table: TABLE,
            column: "kind",
            id: id.to_string(),
        })?,
        client: column(row, TABLE, "client")?,
        source_address: column(row, TABLE, "source_address")?,
        created_at: column(row, TABLE, "created_at")?,
        last_used_at: column(row, TABLE, "last_used_at")?,
        expires_at: column(row, TABLE, "expires_at")?,
    })
}
