//! What a person takes along when they leave, and how they leave.

use super::email_for_update;
use crate::audit::{Actor, AuditEntry, audit_of_organization_in_txn, platform_audit_by_in_txn};
use crate::audit_chain::audit_personal_erase_in_txn;
use crate::error::StoreError;
use crate::mailed_secrets::mailed_secret_void_in_txn;
use crate::mails::{NewMail, mail_insert_in_txn};
use crate::pool::{SystemStore, Txn, column};
use crate::scope::AccountScope;
use kaliun_domain::mail::Mail;
use kaliun_domain::mailed_secret::SecretPurpose;
use kaliun_types::id::OrganizationId;
use serde_json::Value;

/// Most records of what a person did that an export holds, the newest first.
const RECORDS_MAX: i64 = 10_000;

/// All that is kept of a person. The names of the fields are what the person reads.
#[derive(Debug, Clone)]
pub struct AccountExport {
    /// The document.
    pub document: Value,
}

/// What became of an account that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountDeleted {
    /// It is gone, or was already.
    Yes,
    /// It is the only admin of this organization.
    OnlyAdmin(String),
    /// It is the only owner of this home.
    OnlyOwner(String),
}

impl SystemStore {
    /// All that is kept of a person, in one document. `None` when the account is gone.
    ///
    /// # Errors
    /// The database failed.
    pub async fn account_export(&self, scope: &AccountScope) -> Result<Option<AccountExport>, StoreError> {
        const OPERATION: &str = "account_export";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_person(&mut connection, scope, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT jsonb_build_object(
                     'account', (SELECT jsonb_build_object('id', id, 'email', email, 'name', name, 'created_at', created_at,
                                     'confirmed_at', confirmed_at, 'has_password', password_hash IS NOT NULL) FROM account WHERE id = $1),
                     'sessions', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'kind', CASE kind WHEN 1 THEN 'browser' ELSE 'command_line' END,
                                     'client', client, 'source_address', source_address, 'created_at', created_at,
                                     'last_used_at', last_used_at, 'expires_at', expires_at, 'revoked_at', revoked_at) ORDER BY id), '[]')
                                  FROM account_session WHERE account_id = $1),
                     'organizations', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', o.id, 'name', o.name,
                                     'role', (ARRAY['viewer', 'support', 'operator', 'admin'])[m.role], 'since', m.created_at) ORDER BY o.id), '[]')
                                  FROM membership m JOIN organization o ON o.id = m.organization_id WHERE m.account_id = $1),
                     'homes', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'name', i.name, 'organization_id', i.organization_id,
                                     'role', (ARRAY['member', 'installer', 'owner'])[h.role], 'since', h.created_at) ORDER BY i.id), '[]')
                                  FROM home_membership h JOIN installation i ON i.id = h.installation_id WHERE h.account_id = $1),
                     'consents', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'installation_id', installation_id, 'reason', reason,
                                     'asked_at', asked_at, 'granted_at', granted_at, 'denied_at', denied_at, 'ends_at', ends_at) ORDER BY id), '[]')
                                  FROM consent WHERE account_id = $1),
                     'mails', (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', kind, 'created_at', m.created_at, 'sent_at', sent_at) ORDER BY m.id), '[]')
                                  FROM mail m JOIN account a ON lower(a.email) = lower(m.recipient) WHERE a.id = $1),
                     'records', (SELECT coalesce(jsonb_agg(jsonb_build_object('at', at, 'organization_id', organization_id, 'action', action,
                                     'target', target, 'before', before, 'after', after, 'source_address', source_address,
                                     'request_id', request_id) ORDER BY id DESC), '[]')
                                  FROM (SELECT * FROM audit WHERE actor_id = $1 ORDER BY id DESC LIMIT $2) AS newest)
                 ) AS document
                 FROM account WHERE id = $1",
                &[&scope.account(), &RECORDS_MAX],
            )
            .await?;
        txn.commit().await?;
        row.map(|row| Ok(AccountExport { document: column(&row, "account", "document")? })).transpose()
    }

    /// Deletes a person's account with all that is theirs. Not while somebody depends on them.
    ///
    /// # Errors
    /// The database failed.
    pub async fn account_delete(
        &self,
        scope: &AccountScope,
        actor: &Actor,
        can_mail: bool,
    ) -> Result<AccountDeleted, StoreError> {
        const OPERATION: &str = "account_delete";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let account = scope.account();
        // The organizations first, in one order: whoever takes somebody out of one holds its row, too.
        let organizations = txn
            .rows(
                "SELECT id, name FROM organization WHERE id IN (
                     SELECT organization_id FROM membership WHERE account_id = $1
                     UNION SELECT organization_id FROM home_membership WHERE account_id = $1)
                 ORDER BY id FOR UPDATE",
                &[&account],
            )
            .await?;
        let Some(email) = email_for_update(&txn, account).await? else { return Ok(AccountDeleted::Yes) };
        let only = txn
            .row_opt(
                "SELECT o.name FROM membership m JOIN organization o ON o.id = m.organization_id
                 WHERE m.account_id = $1 AND m.role = 4 AND NOT EXISTS (
                     SELECT FROM membership other
                     WHERE other.organization_id = m.organization_id AND other.role = 4 AND other.account_id <> $1)
                 ORDER BY o.name LIMIT 1",
                &[&account],
            )
            .await?;
        if let Some(row) = only {
            return Ok(AccountDeleted::OnlyAdmin(column(&row, "organization", "name")?));
        }
        let only = txn
            .row_opt(
                "SELECT i.name FROM home_membership h JOIN installation i ON i.id = h.installation_id
                 WHERE h.account_id = $1 AND h.role = 3 AND NOT EXISTS (
                     SELECT FROM home_membership other
                     WHERE other.installation_id = h.installation_id AND other.role = 3 AND other.account_id <> $1)
                 ORDER BY i.name LIMIT 1",
                &[&account],
            )
            .await?;
        if let Some(row) = only {
            return Ok(AccountDeleted::OnlyOwner(column(&row, "installation", "name")?));
        }
        for purpose in [SecretPurpose::ResetPassword, SecretPurpose::ChangeAddress] {
            mailed_secret_void_in_txn(&txn, purpose, account.as_uuid()).await?;
        }
        for statement in [
            "DELETE FROM account_session WHERE account_id = $1",
            "DELETE FROM membership WHERE account_id = $1",
            "DELETE FROM home_membership WHERE account_id = $1",
            // An end that is not there stays so: LEAST would make it now.
            "UPDATE consent SET ends_at = CASE WHEN ends_at > now() THEN now() ELSE ends_at END, answer_until = LEAST(answer_until, now()),
                 asked_by = '', asked_by_name = '' WHERE account_id = $1",
        ] {
            txn.execute(statement, &[&account]).await?;
        }
        for organization in &organizations {
            let organization: OrganizationId = column(organization, "organization", "id")?;
            let entry = AuditEntry::plain("member.delete_account", format!("account/{account}"));
            audit_of_organization_in_txn(&txn, organization, actor, entry).await?;
        }
        let entry = AuditEntry::plain("account.delete", format!("account/{account}"));
        platform_audit_by_in_txn(&txn, actor, entry).await?;
        // After the last row that names them, and before nobody knows their address any more.
        audit_personal_erase_in_txn(&txn, account).await?;
        txn.execute("DELETE FROM account WHERE id = $1", &[&account]).await?;
        if can_mail {
            let mail = Mail::AccountDeleted {};
            mail_insert_in_txn(&txn, NewMail { organization: None, recipient: &email, mail, subject: None }).await?;
        }
        txn.commit().await?;
        Ok(AccountDeleted::Yes)
    }
}
