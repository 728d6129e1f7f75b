//! The record of who changed what.

use crate::error::StoreError;
use crate::pool::{Txn, column};
use crate::scope::OrganizationScope;
use kaliun_types::id::{DeviceId, OrganizationId};
use kaliun_types::reason::ReasonCode;
use serde_json::Value;

/// Who acts, and in which request.
#[derive(Debug, Clone)]
pub struct Actor {
    /// As people read it: an address, or `token:<name>`.
    pub name: String,
    /// The request's id.
    pub request_id: String,
}

/// One change.
pub(crate) struct AuditEntry<'a> {
    /// What was done, for example `device.update`.
    pub(crate) action: &'a str,
    /// To what, for example `device/<id>`.
    pub(crate) target: String,
    /// Before, without secrets.
    pub(crate) before: Option<Value>,
    /// After, without secrets.
    pub(crate) after: Option<Value>,
}

/// Writes the row of a change, inside the transaction of the change.
pub(crate) async fn audit_insert_in_txn(
    txn: &Txn<'_>,
    scope: &OrganizationScope,
    actor: &Actor,
    entry: AuditEntry<'_>,
) -> Result<(), StoreError> {
    txn.execute(
        "INSERT INTO audit (organization_id, actor, action, target, before, after, request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            &scope.organization(),
            &actor.name,
            &entry.action,
            &entry.target,
            &entry.before,
            &entry.after,
            &actor.request_id,
        ],
    )
    .await?;
    Ok(())
}

/// Writes the row of what the control plane itself did, or somebody at its machine, to the rotation and its keys. It is in the organization
/// that runs the control plane; before the first start is over there is none.
pub(crate) async fn platform_audit_in_txn(txn: &Txn<'_>, action: &str, after: Option<Value>) -> Result<(), StoreError> {
    let Some(row) = txn.row_opt("SELECT id FROM organization WHERE runs_platform", &[]).await? else {
        return Ok(());
    };
    let organization: OrganizationId = column(&row, "organization", "id")?;
    let actor = Actor { name: "control-plane".to_owned(), request_id: String::new() };
    let entry = AuditEntry { action, target: "rotation".to_owned(), before: None, after };
    audit_insert_in_txn(txn, &OrganizationScope::authenticated(organization), &actor, entry).await
}

/// Writes an event that a person caused, inside the transaction of the change.
pub(crate) async fn event_insert_in_txn(
    txn: &Txn<'_>,
    scope: &OrganizationScope,
    actor: &Actor,
    device: DeviceId,
    code: ReasonCode,
    message: &str,
) -> Result<(), StoreError> {
    txn.execute(
        "INSERT INTO event (organization_id, device_id, code, message, actor, happened_at)
         VALUES ($1, $2, $3, $4, $5, now())",
        &[&scope.organization(), &device, &code.code(), &message, &actor.name],
    )
    .await?;
    Ok(())
}
