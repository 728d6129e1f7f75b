//! The outbox of mails: what is to be sent is a row, written in the transaction of what it tells of.
//!
//! A replica claims mails for a while, sends them, and writes down what came of it. One that dies in between leaves them to the others
//! when the claim ends. So a mail is sent at least once: twice, if a replica dies after the mail server took the mail and before that
//! was written down. No secret is in here, see `mailed_secrets`.

mod sending;

pub use sending::{ClaimedMail, MailBacklog};

use crate::error::StoreError;
use crate::pool::{AppStore, SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::mail::{MAILS_AN_HOUR, MAILS_WAITING, Mail, MailState};
use kaliun_types::id::{MailId, OrganizationId};
use serde_json::Value;
use std::time::SystemTime;
use tokio_postgres::Row;
use uuid::Uuid;

/// A mail to be sent.
#[derive(Debug, Clone)]
pub struct NewMail<'a> {
    /// For whom it is sent; none for what concerns an account alone.
    pub organization: Option<OrganizationId>,
    /// The address it goes to, 320 bytes at most.
    pub recipient: &'a str,
    /// What it says.
    pub mail: Mail,
    /// What the secret of its link is about; needed by those kinds that have one.
    pub subject: Option<Uuid>,
}

/// A mail as whoever runs the control plane sees it.
#[derive(Debug, Clone)]
pub struct MailRow {
    /// Its id; later ones are greater.
    pub id: MailId,
    /// For whom it is sent, with the name.
    pub organization: Option<(OrganizationId, String)>,
    /// The address it goes to.
    pub recipient: String,
    /// The word of its kind, maybe of a newer version.
    pub kind: String,
    /// How far it is.
    pub state: MailState,
    /// When it was written.
    pub created_at: SystemTime,
    /// Attempts begun.
    pub attempts: u32,
    /// When the next attempt is due, or the present one is over; none when there will be none.
    pub next_attempt_at: Option<SystemTime>,
    /// When it was sent or given up.
    pub ended_at: Option<SystemTime>,
    /// Of the last attempt that failed.
    pub last_error: Option<String>,
}

/// Puts a mail into the outbox, inside the transaction of what it tells of.
///
/// # Errors
/// The address has had its mails of this hour, or too many wait ([`StoreError::TooMany`]); the subject of a secret is missing; or the
/// database failed.
pub(crate) async fn mail_insert_in_txn(txn: &Txn<'_>, new: NewMail<'_>) -> Result<MailId, StoreError> {
    const TABLE: &str = "mail";
    let (id, kind) = (MailId::new(), new.mail.kind());
    let inconsistent = |name| StoreError::Inconsistent { table: TABLE, column: name, id: id.to_string() };
    if kind.secret().is_some() && new.subject.is_none() {
        return Err(inconsistent("subject"));
    }
    if !kind.is_notice() {
        let (an_hour, waiting) = (i32::from(MAILS_AN_HOUR), i32::from(MAILS_WAITING));
        let row = txn.row_opt("SELECT mail_room($1, $2, $3) AS room", &[&new.recipient, &an_hour, &waiting]).await?;
        let room: i32 = row.map_or_else(|| Err(inconsistent("recipient")), |row| column(&row, TABLE, "room"))?;
        match room {
            0 => {}
            1 => {
                let most = usize::from(MAILS_AN_HOUR);
                return Err(StoreError::TooMany { what: "mails to one address within an hour", most });
            }
            _ => return Err(StoreError::TooMany { what: "mails that wait to be sent", most: MAILS_WAITING.into() }),
        }
    }
    let stored = serde_json::to_value(&new.mail).map_err(|_| inconsistent("parameters"))?;
    let parameters = stored.get("parameters").ok_or_else(|| inconsistent("parameters"))?;
    // Nothing is returned by the statement, for the application may not read what it puts in.
    txn.execute(
        "INSERT INTO mail (id, organization_id, recipient, kind, parameters, subject) VALUES ($1, $2, $3, $4, $5, $6)",
        &[&id, &new.organization, &new.recipient, &kind.word(), parameters, &new.subject],
    )
    .await?;
    Ok(id)
}

/// A mail as it is stored; none when this version cannot read it.
fn mail_from_row(row: &Row) -> Result<Option<Mail>, StoreError> {
    let kind: String = column(row, "mail", "kind")?;
    let parameters: Value = column(row, "mail", "parameters")?;
    Ok(serde_json::from_value(serde_json::json!({"kind": kind, "parameters": parameters})).ok())
}

fn row_from_row(row: &Row) -> Result<MailRow, StoreError> {
    const TABLE: &str = "mail";
    let id: MailId = column(row, TABLE, "id")?;
    let organization_id: Option<OrganizationId> = column(row, TABLE, "organization_id")?;
    let organization_name: Option<String> = column(row, TABLE, "organization_name")?;
    let sent_at: Option<SystemTime> = column(row, TABLE, "sent_at")?;
    let given_up_at: Option<SystemTime> = column(row, TABLE, "given_up_at")?;
    let next_attempt_at: SystemTime = column(row, TABLE, "next_attempt_at")?;
    let state = match (sent_at, given_up_at) {
        (None, None) => MailState::Waiting,
        (Some(_), None) => MailState::Sent,
        (None, Some(_)) => MailState::GivenUp,
        (Some(_), Some(_)) => {
            return Err(StoreError::Inconsistent { table: TABLE, column: "given_up_at", id: id.to_string() });
        }
    };
    Ok(MailRow {
        id,
        organization: organization_id.zip(organization_name),
        recipient: column(row, TABLE, "recipient")?,
        kind: column(row, TABLE, "kind")?,
        state,
        created_at: column(row, TABLE, "created_at")?,
        attempts: column::<i32>(row, TABLE, "attempts")?.unsigned_abs(),
        next_attempt_at: (state == MailState::Waiting).then_some(next_attempt_at),
        ended_at: sent_at.or(given_up_at),
        last_error: column(row, TABLE, "last_error")?,
    })
}

/// The columns of a list of mails; what follows says which.
macro_rules! mail_page {
    ($which:literal) => {
        concat!(
            "SELECT m.id, m.organization_id, o.name AS organization_name, m.recipient, m.kind, m.created_at, m.attempts,
                    m.next_attempt_at, m.sent_at, m.given_up_at, m.last_error
             FROM mail m LEFT JOIN organization o ON o.id = m.organization_id
             WHERE ($1::uuid IS NULL OR m.id < $1) ",
            $which,
            " ORDER BY m.id DESC LIMIT $2"
        )
    };
}

impl SystemStore {
    /// Puts a mail into the outbox, in a transaction of its own.
    ///
    /// # Errors
    /// The address has had its mails of this hour, or too many wait ([`StoreError::TooMany`]); the subject of a secret is missing; or
    /// the database failed.
    pub async fn mail_insert(&self, new: NewMail<'_>) -> Result<MailId, StoreError> {
        const OPERATION: &str = "mail_insert";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let id = mail_insert_in_txn(&txn, new).await?;
        txn.commit().await?;
        Ok(id)
    }

    /// A page of mails of all organizations, newest first, before the one with this id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mail_list_page(
        &self,
        state: Option<MailState>,
        before: Option<MailId>,
        limit: i64,
    ) -> Result<Vec<MailRow>, StoreError> {
        const OPERATION: &str = "mail_list_page";
        // Most mails are sent, so that those are found along the primary key; the others have indexes of their own.
        let statement = match state {
            None => mail_page!(""),
            Some(MailState::Waiting) => mail_page!("AND m.sent_at IS NULL AND m.given_up_at IS NULL"),
            Some(MailState::Sent) => mail_page!("AND m.sent_at IS NOT NULL"),
            Some(MailState::GivenUp) => mail_page!("AND m.given_up_at IS NOT NULL"),
        };
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let rows = txn.rows(statement, &[&before, &limit]).await?;
        txn.commit().await?;
        rows.iter().map(row_from_row).collect()
    }
}

impl AppStore {
    /// Puts a mail of an organization into the outbox, in a transaction of its own.
    ///
    /// # Errors
    /// See [`SystemStore::mail_insert`]; also when the mail is not of this organization.
    pub async fn mail_insert(&self, scope: &OrganizationScope, new: NewMail<'_>) -> Result<MailId, StoreError> {
        const OPERATION: &str = "mail_insert";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let id = mail_insert_in_txn(&txn, new).await?;
        txn.commit().await?;
        Ok(id)
    }
}
