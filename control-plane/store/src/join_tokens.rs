//! Tokens that boxes enrol with.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn};
use crate::error::StoreError;
use crate::pool::{AppStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::name_pattern::NamePattern;
use kaliun_domain::token::JoinToken;
use kaliun_types::id::JoinTokenId;
use kaliun_types::label::Labels;
use serde_json::Value;
use std::time::SystemTime;
use tokio_postgres::Row;

/// A token to be made.
pub struct NewJoinToken<'a> {
    /// For people.
    pub description: &'a str,
    /// SHA-256 of the secret.
    pub secret_hash: &'a [u8],
    /// Labels that its boxes get.
    pub labels: &'a Labels,
    /// What its boxes are called; none for what they call themselves.
    pub name_pattern: Option<&'a NamePattern>,
    /// Whether somebody has to say yes to each box.
    pub needs_approval: bool,
    /// How many boxes may use it.
    pub max_uses: i32,
    /// When it ends.
    pub expires_at: SystemTime,
}

pub(crate) fn from_row(row: &Row) -> Result<JoinToken, StoreError> {
    const TABLE: &str = "join_token";
    let id: JoinTokenId = column(row, TABLE, "id")?;
    Ok(JoinToken {
        id,
        description: column(row, TABLE, "description")?,
        labels: labels_from_json(column(row, TABLE, "labels")?, TABLE, &id.to_string())?,
        name_pattern: pattern_from_text(column(row, TABLE, "name_pattern")?, id)?,
        needs_approval: column(row, TABLE, "needs_approval")?,
        max_uses: column(row, TABLE, "max_uses")?,
        uses: column(row, TABLE, "uses")?,
        created_by: column(row, TABLE, "created_by")?,
        created_at: column(row, TABLE, "created_at")?,
        expires_at: column(row, TABLE, "expires_at")?,
        revoked_at: column(row, TABLE, "revoked_at")?,
    })
}

/// A name pattern as it is stored: empty for none.
pub(crate) fn pattern_from_text(text: &str, id: JoinTokenId) -> Result<Option<NamePattern>, StoreError> {
    let damaged = |_| StoreError::Inconsistent { table: "join_token", column: "name_pattern", id: id.to_string() };
    if text.is_empty() { Ok(None) } else { NamePattern::parse(text).map(Some).map_err(damaged) }
}

/// Labels as they are stored.
pub(crate) fn labels_from_json(value: Value, table: &'static str, id: &str) -> Result<Labels, StoreError> {
    serde_json::from_value(value).map_err(|_| StoreError::Inconsistent { table, column: "labels", id: id.to_owned() })
}

/// Labels as they are stored.
pub(crate) fn labels_to_json(labels: &Labels) -> Value {
    Value::Object(labels.iter().map(|(key, value)| (key.clone(), Value::String(value.clone()))).collect())
}

impl AppStore {
    /// Makes a token.
    ///
    /// # Errors
    /// The database failed.
    pub async fn join_token_insert(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        token: NewJoinToken<'_>,
    ) -> Result<JoinToken, StoreError> {
        const OPERATION: &str = "join_token_insert";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let id = JoinTokenId::new();
        let labels = labels_to_json(token.labels);
        let pattern = token.name_pattern.map(NamePattern::to_string).unwrap_or_default();
        let rows = txn
            .rows(
                "INSERT INTO join_token
                     (id, organization_id, description, secret_hash, labels, max_uses, created_by, expires_at, name_pattern, needs_approval)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                 RETURNING id, description, labels, name_pattern, needs_approval, max_uses, uses, created_by, created_at, expires_at,
                     revoked_at",
                &[
                    &id,
                    &scope.organization(),
                    &token.description,
                    &token.secret_hash,
                    &labels,
                    &token.max_uses,
                    &actor.name,
                    &token.expires_at,
                    &pattern,
                    &token.needs_approval,
                ],
            )
            .await?;
        let entry = AuditEntry {
            action: "join_token.create",
            target: format!("join-token/{id}"),
            before: None,
            after: Some(serde_json::json!({
                "description": token.description, "max_uses": token.max_uses, "labels": labels, "name_pattern": pattern,
                "needs_approval": token.needs_approval,
            })),
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        rows.first().map_or_else(
            || Err(StoreError::Inconsistent { table: "join_token", column: "id", id: id.to_string() }),
            from_row,
        )
    }

    /// A page of tokens, newest first, after the one with this id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn join_token_list_page(
        &self,
        scope: &OrganizationScope,
        after: Option<JoinTokenId>,
        limit: i64,
    ) -> Result<Vec<JoinToken>, StoreError> {
        const OPERATION: &str = "join_token_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let rows = txn
            .rows(
                "SELECT id, description, labels, name_pattern, needs_approval, max_uses, uses, created_by, created_at, expires_at, revoked_at
                 FROM join_token WHERE organization_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
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
    pub async fn join_token_revoke(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        id: JoinTokenId,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "join_token_revoke";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let changed = txn
            .execute(
                "UPDATE join_token SET revoked_at = now() WHERE id = $1 AND organization_id = $2 AND revoked_at IS NULL",
                &[&id, &scope.organization()],
            )
            .await?;
        if changed > 0 {
            let entry = AuditEntry {
                action: "join_token.revoke",
                target: format!("join-token/{id}"),
                before: None,
                after: None,
            };
            audit_insert_in_txn(&txn, scope, actor, entry).await?;
        }
        txn.commit().await?;
        Ok(changed > 0)
    }
}
