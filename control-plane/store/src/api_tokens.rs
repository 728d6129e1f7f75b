//! Tokens that automation signs in with.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn};
use crate::error::StoreError;
use crate::pool::{AppStore, SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use crate::signed_in::{Place, Principal, SignedIn};
use kaliun_domain::role::{HomeRole, Role};
use kaliun_domain::standing::Standing;
use kaliun_domain::token::ApiToken;
use kaliun_types::id::{ApiTokenId, InstallationId, OrganizationId};
use std::time::SystemTime;
use tokio_postgres::Row;

const TABLE: &str = "api_token";

/// A token to be made.
pub struct NewApiToken<'a> {
    /// For people.
    pub name: &'a str,
    /// What it may do.
    pub role: Role,
    /// Homes that it reaches; empty for the whole organization.
    pub homes: &'a [InstallationId],
    /// SHA-256 of the secret.
    pub secret_hash: &'a [u8],
    /// When it ends.
    pub expires_at: SystemTime,
}

fn from_row(row: &Row) -> Result<ApiToken, StoreError> {
    let id: ApiTokenId = column(row, TABLE, "id")?;
    let homes: Option<Vec<InstallationId>> = column(row, TABLE, "installation_ids")?;
    Ok(ApiToken {
        id,
        name: column(row, TABLE, "name")?,
        role: role_of(row, &id)?,
        homes: homes.unwrap_or_default(),
        created_by: column(row, TABLE, "created_by")?,
        created_at: column(row, TABLE, "created_at")?,
        expires_at: column(row, TABLE, "expires_at")?,
        last_used_at: column(row, TABLE, "last_used_at")?,
        revoked_at: column(row, TABLE, "revoked_at")?,
    })
}

impl SystemStore {
    /// Who holds this token. Notes its use, to the minute.
    ///
    /// # Errors
    /// The database failed.
    pub async fn api_token_authenticate(&self, secret_hash: &[u8]) -> Result<Option<SignedIn>, StoreError> {
        const OPERATION: &str = "api_token_authenticate";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT t.id, t.name, t.organization_id, o.name AS organization_name, o.runs_platform, t.role, t.installation_ids, t.expires_at
                 FROM api_token t JOIN organization o ON o.id = t.organization_id
                 WHERE t.secret_hash = $1 AND t.expires_at > now() AND t.revoked_at IS NULL",
                &[&secret_hash],
            )
            .await?;
        if row.is_some() {
            txn.execute(
                "UPDATE api_token SET last_used_at = now()
                 WHERE secret_hash = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')",
                &[&secret_hash],
            )
            .await?;
        }
        txn.commit().await?;
        row.as_ref().map(signed_in).transpose()
    }
}

fn signed_in(row: &Row) -> Result<SignedIn, StoreError> {
    let organization: OrganizationId = column(row, TABLE, "organization_id")?;
    let homes: Option<Vec<InstallationId>> = column(row, TABLE, "installation_ids")?;
    let role = role_of(row, &organization)?;
    // A token that is bound to homes is in them what a person would be who may as much there, and nothing in the whole organization.
    let in_home = if role >= Role::Operator { HomeRole::Owner } else { HomeRole::Member };
    let standing = match homes {
        None => Standing { role: Some(role), ..Standing::default() },
        Some(homes) => {
            Standing { homes: homes.into_iter().map(|home| (home, in_home)).collect(), ..Standing::default() }
        }
    };
    Ok(SignedIn {
        principal: Principal::ApiToken { id: column(row, TABLE, "id")?, name: column(row, TABLE, "name")? },
        place: Some(Place {
            organization,
            organization_name: column(row, "organization", "organization_name")?,
            runs_platform: column(row, "organization", "runs_platform")?,
            standing,
        }),
        expires_at: column(row, TABLE, "expires_at")?,
    })
}

fn role_of(row: &Row, id: &impl ToString) -> Result<Role, StoreError> {
    let role: i16 = column(row, TABLE, "role")?;
    Role::from_number(role).ok_or_else(|| StoreError::Inconsistent { table: TABLE, column: "role", id: id.to_string() })
}

impl AppStore {
    /// Makes a token. `None` when one of the homes is not the organization's.
    ///
    /// # Errors
    /// The database failed.
    pub async fn api_token_insert(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        token: NewApiToken<'_>,
    ) -> Result<Option<ApiToken>, StoreError> {
        const OPERATION: &str = "api_token_insert";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let id = ApiTokenId::new();
        let homes = (!token.homes.is_empty()).then_some(token.homes);
        if let Some(homes) = homes {
            // None of another organization: whether it exists is not told.
            let known = txn
                .rows(
                    "SELECT id FROM installation WHERE organization_id = $1 AND id = ANY($2)",
                    &[&scope.organization(), &homes],
                )
                .await?;
            if known.len() != homes.len() {
                return Ok(None);
            }
        }
        let rows = txn
            .rows(
                "INSERT INTO api_token (id, organization_id, name, role, secret_hash, created_by, expires_at, installation_ids)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                 RETURNING id, name, role, installation_ids, created_by, created_at, expires_at, last_used_at, revoked_at",
                &[
                    &id,
                    &scope.organization(),
                    &token.name,
                    &token.role.number(),
                    &token.secret_hash,
                    &actor.name,
                    &token.expires_at,
                    &homes,
                ],
            )
            .await?;
        let entry = AuditEntry {
            action: "api_token.create",
            target: format!("api-token/{id}"),
            before: None,
            after: Some(serde_json::json!({
                "name": token.name,
                "role": token.role.word(),
                "installations": token.homes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })),
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        rows.first().map_or_else(
            || Err(StoreError::Inconsistent { table: TABLE, column: "id", id: id.to_string() }),
            |row| from_row(row).map(Some),
        )
    }

    /// A page of tokens, newest first, after the one with this id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn api_token_list_page(
        &self,
        scope: &OrganizationScope,
        after: Option<ApiTokenId>,
        limit: i64,
    ) -> Result<Vec<ApiToken>, StoreError> {
        const OPERATION: &str = "api_token_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let rows = txn
            .rows(
                "SELECT id, name, role, installation_ids, created_by, created_at, expires_at, last_used_at, revoked_at
                 FROM api_token WHERE organization_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
                &[&scope.organization(), &after, &limit],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(from_row).collect()
    }

    /// Ends a token. Answers whether there was one to end.
    ///
    /// # Errors
    /// The database failed.
    pub async fn api_token_revoke(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        id: ApiTokenId,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "api_token_revoke";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let changed = txn
            .execute(
                "UPDATE api_token SET revoked_at = now() WHERE id = $1 AND organization_id = $2 AND revoked_at IS NULL",
                &[&id, &scope.organization()],
            )
            .await?;
        if changed > 0 {
            let entry =
                AuditEntry { action: "api_token.revoke", target: format!("api-token/{id}"), before: None, after: None };
            audit_insert_in_txn(&txn, scope, actor, entry).await?;
        }
        txn.commit().await?;
        Ok(changed > 0)
    }
}
