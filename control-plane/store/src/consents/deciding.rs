//! How a consent is given, refused and ended.

use super::{ConsentRow, ConsentsSeen, TABLE, consent, consent_again, from_row};
use crate::audit::{Actor, AuditEntry, audit_insert_in_txn};
use crate::error::StoreError;
use crate::mails::{NewMail, mail_insert_in_txn};
use crate::pool::{SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::consent::ConsentState;
use kaliun_domain::mail::Mail;
use kaliun_types::id::{AccountId, ConsentId, InstallationId};
use serde_json::json;

/// What became of an owner's yes or no.
#[derive(Debug, Clone)]
pub enum ConsentDecided {
    /// It counts.
    Yes(Box<ConsentRow>),
    /// There is no such consent.
    NoSuchConsent,
    /// It does not wait any more.
    NotWaiting(ConsentState),
}

/// What became of a consent that was to end.
#[derive(Debug, Clone)]
pub enum ConsentEnded {
    /// It is over.
    Yes(Box<ConsentRow>),
    /// There is no such consent.
    NoSuchConsent,
    /// It is neither theirs nor of a home of theirs.
    NotTheirs,
    /// An owner says no to what waits, in place of ending it.
    StillWaits,
    /// It was over.
    NotHolding(ConsentState),
}

impl SystemStore {
    /// Lets somebody of support into a home, or refuses it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn consent_decide(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        id: ConsentId,
        approve: bool,
        by_mail: bool,
    ) -> Result<ConsentDecided, StoreError> {
        const OPERATION: &str = "consent_decide";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let Some(before) = consent_hold(&txn, scope, id).await? else { return Ok(ConsentDecided::NoSuchConsent) };
        let state = before.times.state(before.read_at);
        if state != ConsentState::Waiting {
            return Ok(ConsentDecided::NotWaiting(state));
        }
        // Of an account that is gone nothing waits.
        let Some(account) = before.account else { return Ok(ConsentDecided::NotWaiting(ConsentState::Expired)) };
        let statement = if approve {
            "UPDATE consent SET decided_by = $2, granted_at = now(), ends_at = now() + duration WHERE id = $1"
        } else {
            "UPDATE consent SET decided_by = $2, denied_at = now() WHERE id = $1"
        };
        changed_one(txn.execute(statement, &[&id, &actor.name]).await?)?;
        if by_mail {
            tell(&txn, scope, account, &before, approve, actor).await?;
        }
        let action = if approve { "consent.grant" } else { "consent.deny" };
        audit(&txn, scope, actor, action, &before).await?;
        let row = consent_again(&txn, id).await?;
        txn.commit().await?;
        Ok(ConsentDecided::Yes(Box::new(row)))
    }

    /// Ends a consent before its time: `seen` says what the person sees, and `owned` which homes are theirs. Whoever asked may take back
    /// what still waits.
    ///
    /// # Errors
    /// The database failed.
    pub async fn consent_end(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        id: ConsentId,
        seen: &ConsentsSeen,
        owned: &[InstallationId],
    ) -> Result<ConsentEnded, StoreError> {
        const OPERATION: &str = "consent_end";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let Some(before) = consent_hold(&txn, scope, id).await? else { return Ok(ConsentEnded::NoSuchConsent) };
        let is_theirs = before.account.is_some() && before.account == seen.account;
        let is_owned = owned.contains(&before.home);
        if !is_theirs && !is_owned {
            let is_seen = seen.all || seen.homes.contains(&before.home);
            return Ok(if is_seen { ConsentEnded::NotTheirs } else { ConsentEnded::NoSuchConsent });
        }
        let statement = match before.times.state(before.read_at) {
            ConsentState::Granted => "UPDATE consent SET ends_at = now() WHERE id = $1",
            ConsentState::Waiting if is_theirs => "UPDATE consent SET answer_until = now() WHERE id = $1",
            ConsentState::Waiting => return Ok(ConsentEnded::StillWaits),
            over @ (ConsentState::Denied | ConsentState::Ended | ConsentState::Expired) => {
                return Ok(ConsentEnded::NotHolding(over));
            }
        };
        changed_one(txn.execute(statement, &[&id]).await?)?;
        audit(&txn, scope, actor, "consent.end", &before).await?;
        let row = consent_again(&txn, id).await?;
        txn.commit().await?;
        Ok(ConsentEnded::Yes(Box::new(row)))
    }
}

/// Holds a consent, as far as the scope reaches, until the transaction ends.
async fn consent_hold(
    txn: &Txn<'_>,
    scope: &OrganizationScope,
    id: ConsentId,
) -> Result<Option<ConsentRow>, StoreError> {
    let row = txn
        .row_opt(
            consent!(
                "c.id = $1 AND c.organization_id = $2 AND ($3::uuid[] IS NULL OR c.installation_id = ANY($3)) FOR UPDATE OF c"
            ),
            &[&id, &scope.organization(), &scope.homes()],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

fn changed_one(changed: u64) -> Result<(), StoreError> {
    if changed == 1 { Ok(()) } else { Err(StoreError::Stale { what: "the consent" }) }
}

/// Tells whoever asked what an owner said.
async fn tell(
    txn: &Txn<'_>,
    scope: &OrganizationScope,
    account: AccountId,
    consent: &ConsentRow,
    approved: bool,
    actor: &Actor,
) -> Result<(), StoreError> {
    let row = txn.row_opt("SELECT email FROM account WHERE id = $1", &[&account]).await?;
    let Some(row) = row else { return Ok(()) };
    let recipient: String = column(&row, "account", "email")?;
    let mail = Mail::SupportDecided { home: consent.home_name.clone(), approved, by: actor.name.clone() };
    let organization = Some(scope.organization());
    mail_insert_in_txn(txn, NewMail { organization, recipient: &recipient, mail, subject: None }).await?;
    Ok(())
}

async fn audit(
    txn: &Txn<'_>,
    scope: &OrganizationScope,
    actor: &Actor,
    action: &'static str,
    consent: &ConsentRow,
) -> Result<(), StoreError> {
    let before = json!({
        TABLE: consent.times.state(consent.read_at).word(), "installation": consent.home.to_string(),
        "account": consent.account.map(|account| account.to_string()),
    });
    let entry = AuditEntry { before: Some(before), ..AuditEntry::plain(action, format!("consent/{}", consent.id)) };
    audit_insert_in_txn(txn, scope, actor, entry).await
}
