//! Rules by which what a provider says of somebody gives a role.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn};
use crate::error::StoreError;
use crate::pool::{AppStore, SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::joining::{CLAIM_RULES_MAX, ClaimRule};
use kaliun_domain::role::Role;
use kaliun_types::id::ClaimRuleId;
use serde_json::{Value, json};
use std::time::SystemTime;
use tokio_postgres::Row;

/// A rule of an organization.
#[derive(Debug, Clone)]
pub struct ClaimRuleRow {
    /// Which.
    pub id: ClaimRuleId,
    /// For which provider.
    pub provider: String,
    /// What it says.
    pub rule: ClaimRule,
    /// Since when.
    pub created_at: SystemTime,
}

impl SystemStore {
    /// Makes a rule.
    ///
    /// # Errors
    /// There is one for this claim and value (`AlreadyExists`), there are too many (`TooMany`), or the database failed.
    pub async fn claim_rule_insert(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        provider: &str,
        rule: &ClaimRule,
    ) -> Result<ClaimRuleRow, StoreError> {
        const OPERATION: &str = "claim_rule_insert";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        // One after another, so that none slips past the bound.
        txn.row_opt("SELECT id FROM organization WHERE id = $1 FOR UPDATE", &[&scope.organization()]).await?;
        let row = txn
            .row_opt(
                "SELECT count(*) AS count FROM organization_claim_rule WHERE organization_id = $1",
                &[&scope.organization()],
            )
            .await?;
        let count: i64 = row.map_or(Ok(0), |row| column(&row, "organization_claim_rule", "count"))?;
        if usize::try_from(count).unwrap_or(CLAIM_RULES_MAX) >= CLAIM_RULES_MAX {
            return Err(StoreError::TooMany { what: "claim rules of an organization", most: CLAIM_RULES_MAX });
        }
        let row = txn
            .row_opt(
                "INSERT INTO organization_claim_rule (id, organization_id, provider, claim, value, role)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT ON CONSTRAINT organization_claim_rule_once DO NOTHING
                 RETURNING id, provider, claim, value, role, created_at",
                &[&ClaimRuleId::new(), &scope.organization(), &provider, &rule.claim, &rule.value, &rule.role.number()],
            )
            .await?;
        let row = from_row(&row.ok_or(StoreError::AlreadyExists { what: "a rule for this claim and value" })?)?;
        let entry = AuditEntry {
            after: Some(in_words(&row)),
            ..AuditEntry::plain("claim_rule.create", format!("claim-rule/{}", row.id))
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        Ok(row)
    }

    /// Takes a rule away. Answers whether there was such a one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn claim_rule_delete(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        id: ClaimRuleId,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "claim_rule_delete";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let row = txn
            .row_opt(
                "DELETE FROM organization_claim_rule WHERE organization_id = $1 AND id = $2
                 RETURNING id, provider, claim, value, role, created_at",
                &[&scope.organization(), &id],
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        let entry = AuditEntry {
            before: Some(in_words(&from_row(&row)?)),
            ..AuditEntry::plain("claim_rule.delete", format!("claim-rule/{id}"))
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        Ok(true)
    }
}

impl AppStore {
    /// The organization's rules, by provider, claim and value.
    ///
    /// # Errors
    /// The database failed.
    pub async fn claim_rule_list(&self, scope: &OrganizationScope) -> Result<Vec<ClaimRuleRow>, StoreError> {
        const OPERATION: &str = "claim_rule_list";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let rows = txn
            .rows(
                "SELECT id, provider, claim, value, role, created_at FROM organization_claim_rule
                 WHERE organization_id = $1 ORDER BY provider, claim, value LIMIT $2",
                &[&scope.organization(), &i64::try_from(CLAIM_RULES_MAX).unwrap_or(i64::MAX)],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(from_row).collect()
    }
}

fn in_words(row: &ClaimRuleRow) -> Value {
    let ClaimRule { claim, value, role } = &row.rule;
    json!({ "provider": row.provider, "claim": claim, "value": value, "role": role.word() })
}

fn from_row(row: &Row) -> Result<ClaimRuleRow, StoreError> {
    const TABLE: &str = "organization_claim_rule";
    let id: ClaimRuleId = column(row, TABLE, "id")?;
    let number: i16 = column(row, TABLE, "role")?;
    let wrong = || StoreError::Inconsistent { table: TABLE, column: "role", id: id.to_string() };
    Ok(ClaimRuleRow {
        provider: column(row, TABLE, "provider")?,
        rule: ClaimRule {
            claim: column(row, TABLE, "claim")?,
            value: column(row, TABLE, "value")?,
            role: Role::from_number(number).ok_or_else(wrong)?,
        },
        created_at: column(row, TABLE, "created_at")?,
        id,
    })
}
