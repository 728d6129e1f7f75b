//! Owners' leave for somebody of support. What one is at a time is a rule over its times (`kaliun_domain::consent`); nothing runs when one
//! is over.

mod deciding;

pub use deciding::{ConsentDecided, ConsentEnded};

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn};
use crate::error::StoreError;
use crate::holds::home_hold_in_txn;
use crate::mails::{NewMail, mail_insert_in_txn};
use crate::pool::{SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::consent::{ANSWER_WITHIN, ASKS_A_DAY, ConsentTimes};
use kaliun_domain::mail::Mail;
use kaliun_domain::role::HomeRole;
use kaliun_domain::standing::HOMES_MAX;
use kaliun_types::id::{AccountId, ConsentId, InstallationId};
use serde_json::json;
use std::time::{Duration, SystemTime};
use tokio_postgres::Row;

const TABLE: &str = "consent";

/// Somebody of support who wants to come into a home.
pub struct NewConsent<'a> {
    /// Who.
    pub account: AccountId,
    /// Their address.
    pub email: &'a str,
    /// What they are called.
    pub name: &'a str,
    /// Where.
    pub home: InstallationId,
    /// Why, in their words.
    pub reason: &'a str,
    /// For how long, from the yes on.
    pub duration: Duration,
    /// Whether the owners are told by mail.
    pub by_mail: bool,
}

/// A consent, or what is asked to become one.
#[derive(Debug, Clone)]
pub struct ConsentRow {
    /// Which.
    pub id: ConsentId,
    /// Of which home.
    pub home: InstallationId,
    /// What that is called.
    pub home_name: String,
    /// Who asks; none when the account is gone.
    pub account: Option<AccountId>,
    /// Their address.
    pub asked_by: String,
    /// What they are called.
    pub asked_by_name: String,
    /// Why.
    pub reason: String,
    /// For how long.
    pub duration: Duration,
    /// When they asked.
    pub asked_at: SystemTime,
    /// Who decided; empty while nobody has.
    pub decided_by: String,
    /// What happened to it.
    pub times: ConsentTimes,
    /// When this was read, by the database's clock, which made the times.
    pub read_at: SystemTime,
}

/// Whose consents somebody sees.
#[derive(Debug, Clone)]
pub struct ConsentsSeen {
    /// All of the organization, or those that follow only.
    pub all: bool,
    /// Those that this person asked for.
    pub account: Option<AccountId>,
    /// Those of these homes.
    pub homes: Vec<InstallationId>,
}

/// What became of somebody who asked.
#[derive(Debug, Clone)]
pub enum ConsentRequested {
    /// The owners are asked.
    Yes(Box<ConsentRow>),
    /// There is no such home.
    NoSuchHome,
    /// Nobody could say yes.
    NoOwner,
    /// They have one there that waits or holds.
    HasOne,
    /// They asked there as often today as anybody may.
    EnoughForToday,
}

/// The columns of a consent; what follows says which.
macro_rules! consent {
    ($which:literal) => {
        concat!(
            "SELECT c.id, c.organization_id, c.installation_id, i.name AS home_name, c.account_id, c.asked_by, c.asked_by_name, c.reason,
                 extract(epoch FROM c.duration)::bigint AS duration_s, c.asked_at, c.answer_until, c.decided_by, c.granted_at,
                 c.denied_at, c.ends_at, now() AS read_at
             FROM consent c JOIN installation i ON i.id = c.installation_id
             WHERE ",
            $which
        )
    };
}
use consent;

impl SystemStore {
    /// Asks the owners of a home to let somebody of support in.
    ///
    /// # Errors
    /// The person has as many that wait or hold as may be (`TooMany`), or the database failed.
    pub async fn consent_request(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        new: &NewConsent<'_>,
    ) -> Result<ConsentRequested, StoreError> {
        const OPERATION: &str = "consent_request";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let Some((organization_name, home_name)) = home_hold_in_txn(&txn, scope, new.home).await? else {
            return Ok(ConsentRequested::NoSuchHome);
        };
        let owners = txn
            .rows(
                "SELECT a.email FROM home_membership h JOIN account a ON a.id = h.account_id
                 WHERE h.installation_id = $1 AND h.role = $2 ORDER BY a.email",
                &[&new.home, &HomeRole::Owner.number()],
            )
            .await?;
        if owners.is_empty() {
            return Ok(ConsentRequested::NoOwner);
        }
        if let Some(refused) = asked_before(&txn, scope, new).await? {
            return Ok(refused);
        }
        let id = ConsentId::new();
        txn.execute(
            "INSERT INTO consent (id, organization_id, installation_id, account_id, asked_by, asked_by_name, reason, duration, answer_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7, make_interval(secs => $8), now() + make_interval(secs => $9))",
            &[
                &id,
                &scope.organization(),
                &new.home,
                &new.account,
                &new.email,
                &new.name,
                &new.reason,
                &new.duration.as_secs_f64(),
                &ANSWER_WITHIN.as_secs_f64(),
            ],
        )
        .await?;
        if new.by_mail {
            for owner in &owners {
                let recipient: String = column(owner, "account", "email")?;
                let mail = Mail::SupportAsks {
                    organization: organization_name.clone(),
                    home: home_name.clone(),
                    who: new.email.to_owned(),
                    reason: new.reason.to_owned(),
                    duration_minutes: u32::try_from(new.duration.as_secs() / 60).unwrap_or(u32::MAX),
                };
                let organization = Some(scope.organization());
                let told =
                    mail_insert_in_txn(&txn, NewMail { organization, recipient: &recipient, mail, subject: None });
                match told.await {
                    // An owner whose mailbox has had enough for now sees it on the home's page.
                    Ok(_) | Err(StoreError::TooMany { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let after = json!({
            "installation": new.home.to_string(), "reason": new.reason, "duration_seconds": new.duration.as_secs(),
        });
        let entry = AuditEntry { after: Some(after), ..AuditEntry::plain("consent.request", format!("consent/{id}")) };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        let row = consent_again(&txn, id).await?;
        txn.commit().await?;
        Ok(ConsentRequested::Yes(Box::new(row)))
    }

    /// A page of the consents that somebody sees, newest first, after the one with this id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn consent_list_page(
        &self,
        scope: &OrganizationScope,
        seen: &ConsentsSeen,
        only_open: bool,
        after: Option<ConsentId>,
        limit: i64,
    ) -> Result<Vec<ConsentRow>, StoreError> {
        const OPERATION: &str = "consent_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let rows = txn
            .rows(
                consent!(
                    "c.organization_id = $1 AND ($2::uuid[] IS NULL OR c.installation_id = ANY($2))
                     AND ($3 OR c.account_id = $4 OR c.installation_id = ANY($5))
                     AND (NOT $6 OR c.ends_at > now() OR (c.granted_at IS NULL AND c.denied_at IS NULL AND c.answer_until > now()))
                     AND ($7::uuid IS NULL OR c.id < $7)
                     ORDER BY c.id DESC LIMIT $8"
                ),
                &[
                    &scope.organization(),
                    &scope.homes(),
                    &seen.all,
                    &seen.account,
                    &seen.homes,
                    &only_open,
                    &after,
                    &limit,
                ],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(from_row).collect()
    }
}

/// Why somebody may not ask about a home once more; none when they may. The home is held.
async fn asked_before(
    txn: &Txn<'_>,
    scope: &OrganizationScope,
    new: &NewConsent<'_>,
) -> Result<Option<ConsentRequested>, StoreError> {
    let row = txn
        .row_opt(
            "SELECT count(*) FILTER (WHERE is_here AND is_open) AS here, count(*) FILTER (WHERE is_open) AS open,
                 count(*) FILTER (WHERE is_here AND asked_at > now() - interval '1 day') AS today
             FROM (
                 SELECT installation_id = $3 AS is_here, asked_at,
                     coalesce(ends_at > now(), false)
                         OR (granted_at IS NULL AND denied_at IS NULL AND answer_until > now()) AS is_open
                 FROM consent WHERE account_id = $1 AND organization_id = $2
             ) AS asked",
            &[&new.account, &scope.organization(), &new.home],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let count = |name| -> Result<usize, StoreError> {
        Ok(usize::try_from(column::<i64>(&row, TABLE, name)?).unwrap_or_default())
    };
    if count("here")? > 0 {
        return Ok(Some(ConsentRequested::HasOne));
    }
    if count("today")? >= ASKS_A_DAY {
        return Ok(Some(ConsentRequested::EnoughForToday));
    }
    if count("open")? >= HOMES_MAX {
        return Err(StoreError::TooMany { what: "consents of one person that wait or hold", most: HOMES_MAX });
    }
    Ok(None)
}

/// Ends what a person was allowed or asked for in an organization, inside the transaction of what ends it.
pub(crate) async fn consents_of_account_end_in_txn(
    txn: &Txn<'_>,
    scope: &OrganizationScope,
    account: AccountId,
) -> Result<(), StoreError> {
    txn.execute(
        // Only what waits or holds; an end that is not there stays so, for LEAST would make it now.
        "UPDATE consent SET ends_at = CASE WHEN granted_at IS NOT NULL THEN now() END,
             answer_until = CASE WHEN granted_at IS NULL THEN now() ELSE answer_until END
         WHERE (ends_at > now() OR (granted_at IS NULL AND denied_at IS NULL AND answer_until > now())) AND account_id = $1 AND organization_id = $2",
        &[&account, &scope.organization()],
    )
    .await?;
    Ok(())
}

/// A consent as it is now, inside the transaction that changed it.
async fn consent_again(txn: &Txn<'_>, id: ConsentId) -> Result<ConsentRow, StoreError> {
    let row = txn.row_opt(consent!("c.id = $1"), &[&id]).await?;
    from_row(&row.ok_or(StoreError::Stale { what: "the consent" })?)
}

fn from_row(row: &Row) -> Result<ConsentRow, StoreError> {
    let duration_s: i64 = column(row, TABLE, "duration_s")?;
    Ok(ConsentRow {
        id: column(row, TABLE, "id")?,
        home: column(row, TABLE, "installation_id")?,
        home_name: column(row, "installation", "home_name")?,
        account: column(row, TABLE, "account_id")?,
        asked_by: column(row, TABLE, "asked_by")?,
        asked_by_name: column(row, TABLE, "asked_by_name")?,
        reason: column(row, TABLE, "reason")?,
        duration: Duration::from_secs(duration_s.unsigned_abs()),
        asked_at: column(row, TABLE, "asked_at")?,
        decided_by: column(row, TABLE, "decided_by")?,
        times: ConsentTimes {
            answer_until: column(row, TABLE, "answer_until")?,
            granted_at: column(row, TABLE, "granted_at")?,
            denied_at: column(row, TABLE, "denied_at")?,
            ends_at: column(row, TABLE, "ends_at")?,
        },
        read_at: column(row, TABLE, "read_at")?,
    })
}
