//! Who asked for an account, until the address is shown to be theirs.
//!
//! There is no account before that. Several may ask for one address; whoever then reads its mail and knows the password of their own
//! request gets the account, so that nobody can prepare one for somebody else.

use crate::account_sessions::{NewSession, SessionKind, authenticate_in_txn, session_insert_in_txn};
use crate::audit::{Actor, ActorKind, AuditEntry, platform_audit_by_in_txn};
use crate::error::StoreError;
use crate::mailed_secrets::{mailed_secret_look_in_txn, mailed_secret_take_in_txn, mailed_secret_void_in_txn};
use crate::mails::{NewMail, mail_insert_in_txn};
use crate::pool::{SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use crate::signed_in::SignedIn;
use kaliun_domain::mail::Mail;
use kaliun_domain::mailed_secret::SecretPurpose;
use kaliun_types::id::{AccountId, SignUpId};
use std::time::SystemTime;
use tokio_postgres::Row;

/// Most requests for one address: whoever asks again, from wherever, replaces the oldest.
const FOR_ONE_ADDRESS_MAX: i64 = 5;

/// Most requests in all. Whoever asks is limited by source; a flood from everywhere fills this and no more.
const IN_ALL_MAX: usize = 10_000;

/// Somebody who wants an account.
pub struct NewSignUp<'a> {
    /// Their address.
    pub email: &'a str,
    /// What they are called.
    pub name: &'a str,
    /// PHC string.
    pub password_hash: &'a str,
    /// Where they are, as far as it is known.
    pub source_address: &'a str,
    /// Until when they have time.
    pub expires_at: SystemTime,
}

/// How the address is shown to be theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmedBy {
    /// A mail's link.
    Mail,
    /// An admin of the server.
    Admin,
}

/// Somebody who waits, as an admin of the server sees them.
#[derive(Debug, Clone)]
pub struct SignUpRow {
    /// Which request.
    pub id: SignUpId,
    /// The address, which nobody has confirmed.
    pub email: String,
    /// Their own words.
    pub name: String,
    /// Where they asked from.
    pub source_address: String,
    /// When.
    pub created_at: SystemTime,
    /// When it is forgotten.
    pub expires_at: SystemTime,
}

/// What became of a request.
#[derive(Debug, Clone)]
pub enum SignUpConfirmed {
    /// There is an account.
    Account(AccountId),
    /// There is no such request any more.
    NoSuchSignUp,
    /// The address has an account meanwhile.
    AddressTaken,
}

impl SystemStore {
    /// Notes that somebody wants an account, and mails them. An address that has an account gets a mail that says so, instead: whoever
    /// asks learns nothing.
    ///
    /// # Errors
    /// Too many ask (`TooMany`), also for this address; or the database failed.
    pub async fn sign_up_insert(&self, new: &NewSignUp<'_>, by: ConfirmedBy) -> Result<(), StoreError> {
        const OPERATION: &str = "sign_up_insert";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn
            .row_opt(
                "SELECT EXISTS (SELECT FROM account WHERE lower(email) = lower($1)) AS taken,
                     (SELECT count(*) FROM (SELECT FROM sign_up LIMIT $2) AS waiting) AS waiting",
                &[&new.email, &i64::try_from(IN_ALL_MAX).unwrap_or(i64::MAX)],
            )
            .await?;
        let (taken, waiting) = match &row {
            Some(row) => (column(row, "sign_up", "taken")?, column::<i64>(row, "sign_up", "waiting")?),
            None => (false, 0),
        };
        if usize::try_from(waiting).unwrap_or(IN_ALL_MAX) >= IN_ALL_MAX {
            return Err(StoreError::TooMany { what: "people who wait for an account", most: IN_ALL_MAX });
        }
        let id = SignUpId::new();
        if !taken {
            txn.execute(
                "DELETE FROM sign_up WHERE id IN (SELECT id FROM sign_up WHERE lower(email) = lower($1) ORDER BY id DESC OFFSET $2)",
                &[&new.email, &(FOR_ONE_ADDRESS_MAX - 1)],
            )
            .await?;
            txn.execute(
                "INSERT INTO sign_up (id, email, name, password_hash, source_address, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
                &[&id, &new.email, &new.name, &new.password_hash, &new.source_address, &new.expires_at],
            )
            .await?;
        }
        if by == ConfirmedBy::Mail {
            let (mail, subject) = match taken {
                true => (Mail::AlreadyHasAccount {}, None),
                false => (Mail::ConfirmAddress {}, Some(id.as_uuid())),
            };
            mail_insert_in_txn(&txn, NewMail { organization: None, recipient: new.email, mail, subject }).await?;
        }
        txn.commit().await
    }

    /// The request that a mail's secret is about, with the hash of its password (PHC string). The secret stays good.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sign_up_by_secret(
        &self,
        secret_hash: &[u8],
    ) -> Result<Option<(SignUpId, String, String)>, StoreError> {
        const OPERATION: &str = "sign_up_by_secret";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let Some(subject) = mailed_secret_look_in_txn(&txn, SecretPurpose::ConfirmAddress, secret_hash).await? else {
            return Ok(None);
        };
        let row = txn
            .row_opt("SELECT id, email, password_hash FROM sign_up WHERE id = $1 AND expires_at > now()", &[&subject])
            .await?;
        txn.commit().await?;
        row.map(|row| {
            Ok((
                column(&row, "sign_up", "id")?,
                column(&row, "sign_up", "email")?,
                column(&row, "sign_up", "password_hash")?,
            ))
        })
        .transpose()
    }

    /// Makes the account of somebody who read the mail and knew the password, and opens a session. `None` in the second place when there
    /// is nobody to open it for.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sign_up_confirm(
        &self,
        secret_hash: &[u8],
        session: &NewSession<'_>,
        request_id: &str,
    ) -> Result<(SignUpConfirmed, Option<SignedIn>), StoreError> {
        const OPERATION: &str = "sign_up_confirm";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let taken = mailed_secret_take_in_txn(&txn, SecretPurpose::ConfirmAddress, secret_hash).await?;
        let Some(subject) = taken else { return Ok((SignUpConfirmed::NoSuchSignUp, None)) };
        let made = account_make(&txn, SignUpId::from_uuid(subject), None, request_id).await?;
        let SignUpConfirmed::Account(account) = made else { return Ok((made, None)) };
        session_insert_in_txn(&txn, account, session).await?;
        let signed_in = authenticate_in_txn(&txn, SessionKind::Browser, session.secret_hash, None).await?;
        txn.commit().await?;
        Ok((made, signed_in))
    }

    /// A page of the requests that wait, newest first, after the one with this id. The scope is that of an admin of the server.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sign_up_list_page(
        &self,
        _platform: &OrganizationScope,
        after: Option<SignUpId>,
        limit: i64,
    ) -> Result<Vec<SignUpRow>, StoreError> {
        const OPERATION: &str = "sign_up_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let rows = txn
            .rows(
                "SELECT id, email, name, source_address, created_at, expires_at FROM sign_up
                 WHERE expires_at > now() AND ($1::uuid IS NULL OR id < $1) ORDER BY id DESC LIMIT $2",
                &[&after, &limit],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(from_row).collect()
    }

    /// Makes the account of somebody whom an admin of the server says yes to.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sign_up_approve(
        &self,
        _platform: &OrganizationScope,
        actor: &Actor,
        id: SignUpId,
    ) -> Result<SignUpConfirmed, StoreError> {
        const OPERATION: &str = "sign_up_approve";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let made = account_make(&txn, id, Some(actor), &actor.request_id).await?;
        if matches!(made, SignUpConfirmed::Account(_)) {
            txn.commit().await?;
        }
        Ok(made)
    }

    /// Forgets somebody's request. Answers whether there was one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sign_up_deny(
        &self,
        _platform: &OrganizationScope,
        actor: &Actor,
        id: SignUpId,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "sign_up_deny";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn.row_opt("DELETE FROM sign_up WHERE id = $1 RETURNING email", &[&id]).await?;
        let Some(row) = row else { return Ok(false) };
        let email: String = column(&row, "sign_up", "email")?;
        mailed_secret_void_in_txn(&txn, SecretPurpose::ConfirmAddress, id.as_uuid()).await?;
        let entry = AuditEntry {
            before: Some(serde_json::json!({ "email": email })),
            ..AuditEntry::plain("sign_up.deny", format!("sign-up/{id}"))
        };
        platform_audit_by_in_txn(&txn, actor, entry).await?;
        txn.commit().await?;
        Ok(true)
    }

    /// Forgets requests that took too long, at most `limit`; answers how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sign_up_delete_expired(&self, limit: i64) -> Result<u64, StoreError> {
        const OPERATION: &str = "sign_up_delete_expired";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let deleted = txn
            .execute(
                "DELETE FROM sign_up WHERE id IN (
                     SELECT id FROM sign_up WHERE expires_at < now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)",
                &[&limit],
            )
            .await?;
        txn.commit().await?;
        Ok(deleted)
    }
}

/// Makes an account of a request, and forgets all requests for its address. Without an actor the person did it, by the mail.
async fn account_make(
    txn: &Txn<'_>,
    id: SignUpId,
    actor: Option<&Actor>,
    request_id: &str,
) -> Result<SignUpConfirmed, StoreError> {
    let row = txn
        .row_opt(
            "SELECT email, name, password_hash, source_address FROM sign_up WHERE id = $1 AND expires_at > now() FOR UPDATE",
            &[&id],
        )
        .await?;
    let Some(row) = row else { return Ok(SignUpConfirmed::NoSuchSignUp) };
    let email: String = column(&row, "sign_up", "email")?;
    let (name, hash): (String, String) = (column(&row, "sign_up", "name")?, column(&row, "sign_up", "password_hash")?);
    let source: String = column(&row, "sign_up", "source_address")?;
    let account = AccountId::new();
    let made = txn
        .execute(
            "INSERT INTO account (id, email, name, password_hash, confirmed_at) VALUES ($1, $2, $3, $4, now())
             ON CONFLICT (lower(email)) DO NOTHING",
            &[&account, &email, &name, &hash],
        )
        .await?;
    if made == 0 {
        return Ok(SignUpConfirmed::AddressTaken);
    }
    txn.execute("DELETE FROM sign_up WHERE lower(email) = lower($1)", &[&email]).await?;
    let own = Actor {
        kind: ActorKind::Person(account),
        name: email.clone(),
        source: source.parse().ok(),
        request_id: request_id.to_owned(),
        consents: Vec::new(),
    };
    let entry = AuditEntry {
        after: Some(serde_json::json!({ "email": email, "name": name })),
        ..AuditEntry::plain("account.create", format!("account/{account}"))
    };
    platform_audit_by_in_txn(txn, actor.unwrap_or(&own), entry).await?;
    Ok(SignUpConfirmed::Account(account))
}

fn from_row(row: &Row) -> Result<SignUpRow, StoreError> {
    const TABLE: &str = "sign_up";
    Ok(SignUpRow {
        id: column(row, TABLE, "id")?,
        email: column(row, TABLE, "email")?,
        name: column(row, TABLE, "name")?,
        source_address: column(row, TABLE, "source_address")?,
        created_at: column(row, TABLE, "created_at")?,
        expires_at: column(row, TABLE, "expires_at")?,
    })
}
