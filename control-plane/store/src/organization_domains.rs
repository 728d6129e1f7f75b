//! Domains of organizations.

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn, audit_of_organization_in_txn};
use crate::error::StoreError;
use crate::pool::{AppStore, SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::domain_name::DomainName;
use kaliun_domain::joining::DOMAINS_MAX;
use kaliun_domain::role::Role;
use kaliun_types::id::OrganizationId;
use serde_json::json;
use std::time::SystemTime;
use tokio_postgres::Row;

/// A domain that an organization says is its own.
#[derive(Debug, Clone)]
pub struct DomainRow {
    /// Which.
    pub domain: String,
    /// What its record has to say.
    pub word: String,
    /// What newcomers become.
    pub role: Role,
    /// Since when it is said.
    pub created_at: SystemTime,
    /// When it was verified, and by what: "dns" or a person's address.
    pub verified: Option<(SystemTime, String)>,
}

/// What became of a domain that was to be verified.
#[derive(Debug, Clone)]
pub enum DomainVerified {
    /// It is.
    Yes(DomainRow),
    /// The organization never said that it is its own.
    NoSuchDomain,
    /// It is verified for another organization.
    OfAnother,
}

impl SystemStore {
    /// Notes that an organization says that a domain is its own.
    ///
    /// # Errors
    /// It said so before (`AlreadyExists`), there are too many (`TooMany`), or the database failed.
    pub async fn organization_domain_insert(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        domain: &DomainName,
        word: &str,
        role: Role,
    ) -> Result<DomainRow, StoreError> {
        const OPERATION: &str = "organization_domain_insert";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        // One after another, so that none slips past the bound.
        txn.row_opt("SELECT id FROM organization WHERE id = $1 FOR UPDATE", &[&scope.organization()]).await?;
        let row = txn
            .row_opt(
                "SELECT count(*) AS count FROM organization_domain WHERE organization_id = $1",
                &[&scope.organization()],
            )
            .await?;
        let count: i64 = row.map_or(Ok(0), |row| column(&row, "organization_domain", "count"))?;
        if usize::try_from(count).unwrap_or(DOMAINS_MAX) >= DOMAINS_MAX {
            return Err(StoreError::TooMany { what: "domains of an organization", most: DOMAINS_MAX });
        }
        let row = txn
            .row_opt(
                "INSERT INTO organization_domain (organization_id, domain, word, role) VALUES ($1, $2, $3, $4)
                     ON CONFLICT DO NOTHING RETURNING domain, word, role, created_at, verified_at, verified_by",
                &[&scope.organization(), &domain.as_str(), &word, &role.number()],
            )
            .await?;
        let row = from_row(&row.ok_or(StoreError::AlreadyExists { what: "this domain" })?)?;
        let entry = AuditEntry {
            after: Some(json!({ "role": role.word() })),
            ..AuditEntry::plain("domain.create", format!("domain/{domain}"))
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        Ok(row)
    }

    /// Notes that a domain has shown that it is the organization's.
    ///
    /// # Errors
    /// The database failed.
    pub async fn organization_domain_verify(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        domain: &DomainName,
    ) -> Result<DomainVerified, StoreError> {
        const OPERATION: &str = "organization_domain_verify";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let verified = verify_in_txn(&txn, scope.organization(), actor, domain, "dns").await?;
        if matches!(verified, DomainVerified::Yes(_)) {
            txn.commit().await?;
        }
        Ok(verified)
    }

    /// Notes that an admin of the server believes that a domain is an organization's. The scope is that admin's.
    ///
    /// # Errors
    /// The database failed.
    pub async fn organization_domain_confirm(
        &self,
        _platform: &OrganizationScope,
        actor: &Actor,
        organization: OrganizationId,
        domain: &DomainName,
    ) -> Result<DomainVerified, StoreError> {
        const OPERATION: &str = "organization_domain_confirm";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let verified = verify_in_txn(&txn, organization, actor, domain, &actor.name).await?;
        if matches!(verified, DomainVerified::Yes(_)) {
            txn.commit().await?;
        }
        Ok(verified)
    }

    /// Forgets that a domain is the organization's. Answers whether it was said.
    ///
    /// # Errors
    /// The database failed.
    pub async fn organization_domain_delete(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        domain: &DomainName,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "organization_domain_delete";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let deleted = txn
            .execute(
                "DELETE FROM organization_domain WHERE organization_id = $1 AND domain = $2",
                &[&scope.organization(), &domain.as_str()],
            )
            .await?;
        if deleted == 0 {
            return Ok(false);
        }
        let entry = AuditEntry::plain("domain.delete", format!("domain/{domain}"));
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        Ok(true)
    }
}

impl AppStore {
    /// The organization's domains, by name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn organization_domain_list(&self, scope: &OrganizationScope) -> Result<Vec<DomainRow>, StoreError> {
        const OPERATION: &str = "organization_domain_list";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let rows = txn
            .rows(
                "SELECT domain, word, role, created_at, verified_at, verified_by FROM organization_domain WHERE organization_id = $1 ORDER BY domain LIMIT $2",
                &[&scope.organization(), &i64::try_from(DOMAINS_MAX).unwrap_or(i64::MAX)],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(from_row).collect()
    }
}

async fn verify_in_txn(
    txn: &Txn<'_>,
    organization: OrganizationId,
    actor: &Actor,
    domain: &DomainName,
    by: &str,
) -> Result<DomainVerified, StoreError> {
    let held = "SELECT verified_at IS NOT NULL AS is_verified FROM organization_domain
                WHERE organization_id = $1 AND domain = $2 FOR UPDATE";
    let Some(row) = txn.row_opt(held, &[&organization, &domain.as_str()]).await? else {
        return Ok(DomainVerified::NoSuchDomain);
    };
    let was_verified: bool = column(&row, "organization_domain", "is_verified")?;
    let set = txn
        .row_opt(
            "UPDATE organization_domain SET verified_at = now(), verified_by = $3
                 WHERE organization_id = $1 AND domain = $2 RETURNING domain, word, role, created_at, verified_at, verified_by",
            &[&organization, &domain.as_str(), &by],
        )
        .await;
    let row = match set.map_err(|error| error.unless_duplicate("a verified domain")) {
        Ok(Some(row)) => from_row(&row)?,
        Ok(None) => return Ok(DomainVerified::NoSuchDomain),
        Err(StoreError::AlreadyExists { .. }) => return Ok(DomainVerified::OfAnother),
        Err(error) => return Err(error),
    };
    if !was_verified {
        let entry = AuditEntry {
            after: Some(json!({ "by": by })),
            ..AuditEntry::plain("domain.verify", format!("domain/{domain}"))
        };
        audit_of_organization_in_txn(txn, organization, actor, entry).await?;
    }
    Ok(DomainVerified::Yes(row))
}

fn from_row(row: &Row) -> Result<DomainRow, StoreError> {
    const TABLE: &str = "organization_domain";
    let domain: String = column(row, TABLE, "domain")?;
    let number: i16 = column(row, TABLE, "role")?;
    let wrong = || StoreError::Inconsistent { table: TABLE, column: "role", id: domain.clone() };
    let role = Role::from_number(number).ok_or_else(wrong)?;
    let verified_at: Option<SystemTime> = column(row, TABLE, "verified_at")?;
    let verified_by: String = column(row, TABLE, "verified_by")?;
    Ok(DomainRow {
        word: column(row, TABLE, "word")?,
        role,
        created_at: column(row, TABLE, "created_at")?,
        verified: verified_at.map(|at| (at, verified_by)),
        domain,
    })
}
