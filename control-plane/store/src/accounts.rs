//! People's accounts and browser sessions.

use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::role::Role;
use kaliun_types::id::{AccountId, BrowserSessionId, OrganizationId};
use std::time::SystemTime;
use tokio_postgres::Row;

/// What is needed to check a password. Not yet a right to anything.
pub struct AccountLogin {
    /// The account.
    pub account: AccountId,
    /// PHC string.
    pub password_hash: String,
}

/// Who is signed in, where, and until when.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The right that follows from it.
    pub scope: OrganizationScope,
    /// Name of the organization.
    pub organization_name: String,
    /// Whether it is the organization that runs the control plane.
    pub runs_platform: bool,
    /// What they may do there.
    pub role: Role,
    /// A person's address; none for a token.
    pub email: Option<String>,
    /// The token's name; none for a person.
    pub api_token_name: Option<String>,
    /// When it ends.
    pub expires_at: SystemTime,
}

impl SignedIn {
    pub(crate) fn from_row(row: &Row) -> Result<Self, StoreError> {
        let organization: OrganizationId = column(row, "organization", "organization_id")?;
        let role: i16 = column(row, "membership", "role")?;
        Ok(Self {
            scope: OrganizationScope::authenticated(organization),
            organization_name: column(row, "organization", "organization_name")?,
            runs_platform: column(row, "organization", "runs_platform")?,
            role: Role::from_number(role).ok_or_else(|| StoreError::Inconsistent {
                table: "membership",
                column: "role",
                id: organization.to_string(),
            })?,
            email: column(row, "account", "email")?,
            api_token_name: column(row, "api_token", "api_token_name")?,
            expires_at: column(row, "browser_session", "expires_at")?,
        })
    }
}

impl SystemStore {
    /// Finds an account by its address, in any case.
    ///
    /// # Errors
    /// The database failed.
    pub async fn account_login(&self, email: &str) -> Result<Option<AccountLogin>, StoreError> {
        let mut connection = self.connection("account_login").await?;
        let txn = Txn::begin_system(&mut connection, "account_login").await?;
        let row =
            txn.row_opt("SELECT id, password_hash FROM account WHERE lower(email) = lower($1)", &[&email]).await?;
        txn.commit().await?;
        row.map(|row| {
            Ok(AccountLogin {
                account: column(&row, "account", "id")?,
                password_hash: column(&row, "account", "password_hash")?,
            })
        })
        .transpose()
    }

    /// Opens a browser session for somebody whose password was just checked. `None` when they belong to no organization.
    ///
    /// # Errors
    /// The database failed.
    pub async fn browser_session_insert(
        &self,
        account: AccountId,
        secret_hash: &[u8],
        expires_at: SystemTime,
    ) -> Result<Option<SignedIn>, StoreError> {
        const OPERATION: &str = "browser_session_insert";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        txn.execute("DELETE FROM browser_session WHERE account_id = $1 AND expires_at < now()", &[&account]).await?;
        let row = txn
            .row_opt(
                "WITH home AS (
                     SELECT organization_id FROM membership WHERE account_id = $2 ORDER BY created_at LIMIT 1
                 ), opened AS (
                     INSERT INTO browser_session (id, organization_id, account_id, secret_hash, expires_at)
                     SELECT $1, organization_id, $2, $3, $4 FROM home
                     RETURNING organization_id, account_id, expires_at
                 )
                 SELECT s.organization_id, o.name AS organization_name, o.runs_platform, m.role, a.email, NULL::text AS api_token_name, s.expires_at
                 FROM opened s
                 JOIN organization o ON o.id = s.organization_id
                 JOIN account a ON a.id = s.account_id
                 JOIN membership m ON m.organization_id = s.organization_id AND m.account_id = s.account_id",
                &[&BrowserSessionId::new(), &account, &secret_hash, &expires_at],
            )
            .await?;
        txn.commit().await?;
        row.as_ref().map(SignedIn::from_row).transpose()
    }

    /// Who holds a browser session with this secret now.
    ///
    /// # Errors
    /// The database failed.
    pub async fn browser_session_authenticate(&self, secret_hash: &[u8]) -> Result<Option<SignedIn>, StoreError> {
        const OPERATION: &str = "browser_session_authenticate";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT s.organization_id, o.name AS organization_name, o.runs_platform, m.role, a.email, NULL::text AS api_token_name, s.expires_at
                 FROM browser_session s
                 JOIN organization o ON o.id = s.organization_id
                 JOIN account a ON a.id = s.account_id
                 JOIN membership m ON m.organization_id = s.organization_id AND m.account_id = s.account_id
                 WHERE s.secret_hash = $1 AND s.expires_at > now() AND s.revoked_at IS NULL",
                &[&secret_hash],
            )
            .await?;
        txn.commit().await?;
        row.as_ref().map(SignedIn::from_row).transpose()
    }

    /// Ends a browser session. Harmless when it is over already.
    ///
    /// # Errors
    /// The database failed.
    pub async fn browser_session_revoke(&self, secret_hash: &[u8]) -> Result<(), StoreError> {
        const OPERATION: &str = "browser_session_revoke";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        txn.execute(
            "UPDATE browser_session SET revoked_at = now() WHERE secret_hash = $1 AND revoked_at IS NULL",
            &[&secret_hash],
        )
        .await?;
        txn.commit().await
    }
}
