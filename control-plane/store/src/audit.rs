//! The record of who changed what.

use crate::error::StoreError;
use crate::pool::{Txn, column};
use crate::scope::OrganizationScope;
use kaliun_types::id::{AccountId, ApiTokenId, ConsentId, DeviceId, OrganizationId};
use kaliun_types::reason::ReasonCode;
use serde_json::Value;
use std::net::IpAddr;
use uuid::Uuid;

/// Who acts, and in which request.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Who, whatever they are called later.
    pub kind: ActorKind,
    /// As people read it: an address, `token:<name>`, or what the control plane did it for.
    pub name: String,
    /// Where they are, as far as it is known.
    pub source: Option<IpAddr>,
    /// The request's id.
    pub request_id: String,
    /// Owners' consents without which they could not.
    pub consents: Vec<ConsentId>,
}

/// Who acts, in a form that outlives names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorKind {
    /// Somebody who is signed in.
    Person(AccountId),
    /// Automation.
    ApiToken(ApiTokenId),
    /// The control plane: by itself, for a box, or for somebody at its machine.
    ControlPlane,
}

impl Actor {
    /// The control plane itself, under a name that says what for.
    #[must_use]
    pub fn control_plane(name: impl Into<String>, request_id: impl Into<String>) -> Self {
        let (name, request_id) = (name.into(), request_id.into());
        Self { kind: ActorKind::ControlPlane, name, source: None, request_id, consents: Vec::new() }
    }
}

impl ActorKind {
    const fn number(self) -> i16 {
        match self {
            Self::Person(_) => 1,
            Self::ApiToken(_) => 2,
            Self::ControlPlane => 3,
        }
    }

    const fn id(self) -> Option<Uuid> {
        match self {
            Self::Person(account) => Some(account.as_uuid()),
            Self::ApiToken(token) => Some(token.as_uuid()),
            Self::ControlPlane => None,
        }
    }
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

impl<'a> AuditEntry<'a> {
    /// A change that has no before and after worth keeping.
    pub(crate) const fn plain(action: &'a str, target: String) -> Self {
        Self { action, target, before: None, after: None }
    }
}

/// Writes the row of a change, inside the transaction of the change.
pub(crate) async fn audit_insert_in_txn(
    txn: &Txn<'_>,
    scope: &OrganizationScope,
    actor: &Actor,
    entry: AuditEntry<'_>,
) -> Result<(), StoreError> {
    audit_of_organization_in_txn(txn, scope.organization(), actor, entry).await
}

/// The same where it is not somebody's scope that says whose row it is, but a row of the database.
pub(crate) async fn audit_of_organization_in_txn(
    txn: &Txn<'_>,
    organization: OrganizationId,
    actor: &Actor,
    entry: AuditEntry<'_>,
) -> Result<(), StoreError> {
    let source = actor.source.map(|source| source.to_string()).unwrap_or_default();
    // Acts by consent are on devices; the consent is that of the device's home.
    let consent = match actor.consents.as_slice() {
        [] => None,
        consents => txn
            .row_opt(
                "SELECT c.id FROM consent c JOIN device d ON d.installation_id = c.installation_id
                 WHERE c.id = ANY($1) AND 'device/' || d.id = $2",
                &[&consents, &entry.target],
            )
            .await?
            .map(|row| column::<ConsentId>(&row, "consent", "id"))
            .transpose()?,
    };
    txn.execute(
        "INSERT INTO audit (organization_id, actor_kind, actor_id, actor, source_address, action, target, before, after, request_id, consent_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        &[
            &organization,
            &actor.kind.number(),
            &actor.kind.id(),
            &actor.name,
            &source,
            &entry.action,
            &entry.target,
            &entry.before,
            &entry.after,
            &actor.request_id,
            &consent,
        ],
    )
    .await?;
    Ok(())
}

/// Writes the row of what somebody did that belongs to no organization: it is in the one that runs the control plane. For a transaction of
/// `kaliun_system` that is bound to none.
pub(crate) async fn platform_audit_by_in_txn(
    txn: &Txn<'_>,
    actor: &Actor,
    entry: AuditEntry<'_>,
) -> Result<(), StoreError> {
    let Some(row) = txn.row_opt("SELECT id FROM organization WHERE runs_platform", &[]).await? else {
        return Ok(());
    };
    audit_of_organization_in_txn(txn, column(&row, "organization", "id")?, actor, entry).await
}

/// Writes the row of what the control plane itself did, or somebody at its machine, to the rotation and its keys. It is in the organization
/// that runs the control plane; before the first start is over there is none.
pub(crate) async fn platform_audit_in_txn(txn: &Txn<'_>, action: &str, after: Option<Value>) -> Result<(), StoreError> {
    let entry = AuditEntry { action, target: "rotation".to_owned(), before: None, after };
    platform_audit_by_in_txn(txn, &Actor::control_plane("control-plane", ""), entry).await
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
