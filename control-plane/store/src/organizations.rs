//! Organizations: the first one, made when the control plane starts for the first time, and what they are called.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn, audit_of_organization_in_txn};
use crate::error::StoreError;
use crate::holds::organization_hold_in_txn;
use crate::pool::{SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::role::Role;
use kaliun_types::id::{AccountId, ApiTokenId, InstallationId, OrganizationId};
use std::time::SystemTime;

/// What a new control plane begins with.
pub struct FirstStart<'a> {
    /// Name of the organization.
    pub organization_name: &'a str,
    /// Name of its first home.
    pub installation_name: &'a str,
    /// The first admin's address.
    pub admin_email: &'a str,
    /// The first admin's password, hashed (PHC string).
    pub admin_password_hash: &'a str,
    /// SHA-256 of a first API token's secret, with its end.
    pub api_token: Option<(&'a [u8], SystemTime)>,
    /// The first settings: an encoded `kaliun.link.v1.SettingsDocument`.
    pub settings_document: &'a [u8],
}

impl SystemStore {
    /// Whether there is any organization yet.
    ///
    /// # Errors
    /// The database failed.
    pub async fn organization_exists(&self) -> Result<bool, StoreError> {
        let mut connection = self.connection("organization_exists").await?;
        let txn = Txn::begin_system(&mut connection, "organization_exists").await?;
        let row = txn.row_opt("SELECT 1 AS one FROM organization LIMIT 1", &[]).await?;
        txn.commit().await?;
        Ok(row.is_some())
    }

    /// Makes the first organization, home, admin and token, unless another replica was faster. Answers whether it did.
    ///
    /// # Errors
    /// The database failed.
    pub async fn organization_bootstrap(&self, first: FirstStart<'_>) -> Result<bool, StoreError> {
        const OPERATION: &str = "organization_bootstrap";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // Only one replica gets past here at a time.
        txn.row_opt("SELECT 1 AS one FROM cluster FOR UPDATE", &[]).await?;
        if txn.row_opt("SELECT 1 AS one FROM organization LIMIT 1", &[]).await?.is_some() {
            return Ok(false);
        }
        let organization = OrganizationId::new();
        let account = AccountId::new();
        txn.execute(
            "INSERT INTO organization (id, name, runs_platform) VALUES ($1, $2, true)",
            &[&organization, &first.organization_name],
        )
        .await?;
        txn.execute(
            "INSERT INTO installation (id, organization_id, name) VALUES ($1, $2, $3)",
            &[&InstallationId::new(), &organization, &first.installation_name],
        )
        .await?;
        txn.execute(
            "INSERT INTO account (id, email, password_hash, confirmed_at) VALUES ($1, $2, $3, now())",
            &[&account, &first.admin_email, &first.admin_password_hash],
        )
        .await?;
        txn.execute(
            "INSERT INTO membership (organization_id, account_id, role) VALUES ($1, $2, $3)",
            &[&organization, &account, &Role::Admin.number()],
        )
        .await?;
        txn.execute(
            "INSERT INTO report_settings (organization_id, document) VALUES ($1, $2)",
            &[&organization, &first.settings_document],
        )
        .await?;
        if let Some((secret_hash, expires_at)) = first.api_token {
            txn.execute(
                "INSERT INTO api_token (id, organization_id, name, role, secret_hash, created_by, expires_at)
                 VALUES ($1, $2, 'first-start', $3, $4, 'control-plane', $5)",
                &[&ApiTokenId::new(), &organization, &Role::Admin.number(), &secret_hash, &expires_at],
            )
            .await?;
        }
        let entry = AuditEntry {
            after: Some(serde_json::json!({ "name": first.organization_name, "admin": first.admin_email })),
            ..AuditEntry::plain("organization.create", format!("organization/{organization}"))
        };
        let actor = Actor::control_plane("control-plane", "first-start");
        audit_of_organization_in_txn(&txn, organization, &actor, entry).await?;
        txn.commit().await?;
        Ok(true)
    }

    /// Gives an organization another name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn organization_rename(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        name: &str,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "organization_rename";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let organization = scope.organization();
        let before = organization_hold_in_txn(&txn, organization).await?;
        let changed = txn.execute("UPDATE organization SET name = $2 WHERE id = $1", &[&organization, &name]).await?;
        if changed != 1 {
            return Err(StoreError::Stale { what: "the organization" });
        }
        let entry = AuditEntry {
            before: Some(serde_json::json!({ "name": before })),
            after: Some(serde_json::json!({ "name": name })),
            ..AuditEntry::plain("organization.update", format!("organization/{organization}"))
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await
    }

    /// How often this database came back from a backup.
    ///
    /// # Errors
    /// The database failed.
    pub async fn cluster_incarnation(&self) -> Result<i64, StoreError> {
        let mut connection = self.connection("cluster_incarnation").await?;
        let txn = Txn::begin_system(&mut connection, "cluster_incarnation").await?;
        let row = txn.row_opt("SELECT incarnation FROM cluster", &[]).await?;
        txn.commit().await?;
        let row = row.ok_or_else(|| StoreError::Inconsistent {
            table: "cluster",
            column: "singleton",
            id: "the only row".to_owned(),
        })?;
        column(&row, "cluster", "incarnation")
    }
}
