//! People's accounts: what is needed to sign in, and what a person changes of their own.

mod leaving;

use crate::account_sessions::sessions_end_in_txn;
use crate::audit::{Actor, ActorKind, AuditEntry, platform_audit_by_in_txn};
use crate::error::StoreError;
use crate::mailed_secrets::{mailed_secret_take_in_txn, mailed_secret_void_in_txn};
use crate::mails::{NewMail, mail_insert_in_txn};
use crate::pool::{SystemStore, Txn, column};
use crate::scope::AccountScope;
use kaliun_domain::mail::Mail;
use kaliun_domain::mailed_secret::SecretPurpose;
use kaliun_types::id::AccountId;
pub use leaving::{AccountDeleted, AccountExport};
use serde_json::json;
use std::time::SystemTime;
use uuid::Uuid;

/// What is needed to check a password. Not yet a right to anything.
pub struct AccountLogin {
    /// The account.
    pub account: AccountId,
    /// PHC string; none for an account without a password.
    pub password_hash: Option<String>,
}

/// What became of an address that was to be another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressChanged {
    /// It is this one now.
    Yes {
        /// Whose.
        account: AccountId,
        /// The address.
        email: String,
    },
    /// The secret is worth nothing any more.
    NoSuchSecret,
    /// Somebody has an account with that address meanwhile.
    Taken,
}

fn login_from_row(row: &tokio_postgres::Row) -> Result<AccountLogin, StoreError> {
    Ok(AccountLogin { account: column(row, "account", "id")?, password_hash: column(row, "account", "password_hash")? })
}

/// The account's address, with its row held against changes.
async fn email_for_update(txn: &Txn<'_>, account: AccountId) -> Result<Option<String>, StoreError> {
    let row = txn.row_opt("SELECT email FROM account WHERE id = $1 FOR UPDATE", &[&account]).await?;
    row.map(|row| column(&row, "account", "email")).transpose()
}

/// Sets a password, ends the sessions that may be somebody else's, and tells the person.
async fn password_set(
    txn: &Txn<'_>,
    account: AccountId,
    email: &str,
    password_hash: &str,
    tell: bool,
) -> Result<(), StoreError> {
    txn.execute("UPDATE account SET password_hash = $2 WHERE id = $1", &[&account, &password_hash]).await?;
    // Whoever could have asked for these did so before the password was another one.
    mailed_secret_void_in_txn(txn, SecretPurpose::ResetPassword, account.as_uuid()).await?;
    mailed_secret_void_in_txn(txn, SecretPurpose::ChangeAddress, account.as_uuid()).await?;
    txn.execute("DELETE FROM address_change WHERE account_id = $1", &[&account]).await?;
    if tell {
        let mail = Mail::PasswordChanged {};
        mail_insert_in_txn(txn, NewMail { organization: None, recipient: email, mail, subject: None }).await?;
    }
    Ok(())
}

fn own_actor(account: AccountId, email: &str, request_id: &str) -> Actor {
    Actor { kind: ActorKind::Person(account), ..Actor::control_plane(email, request_id) }
}

impl SystemStore {
    /// Finds an account by its address, in any case.
    ///
    /// # Errors
    /// The database failed.
    pub async fn account_login(&self, email: &str) -> Result<Option<AccountLogin>, StoreError> {
        const OPERATION: &str = "account_login";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row =
            txn.row_opt("SELECT id, password_hash FROM account WHERE lower(email) = lower($1)", &[&email]).await?;
        txn.commit().await?;
        row.as_ref().map(login_from_row).transpose()
    }

    /// What is needed to check the password of somebody who is signed in. `None` when the account is gone.
    ///
    /// # Errors
    /// The database failed.
    pub async fn account_own_login(&self, scope: &AccountScope) -> Result<Option<AccountLogin>, StoreError> {
        const OPERATION: &str = "account_own_login";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_person(&mut connection, scope, OPERATION).await?;
        let row = txn.row_opt("SELECT id, password_hash FROM account WHERE id = $1", &[&scope.account()]).await?;
        txn.commit().await?;
        row.as_ref().map(login_from_row).transpose()
    }

    /// Mails a link with which the password can be set anew. An address without an account gets a mail that says so, instead: whoever asks
    /// learns nothing.
    ///
    /// # Errors
    /// Too many mails went there (`TooMany`), or the database failed.
    pub async fn password_reset_request(&self, email: &str) -> Result<(), StoreError> {
        const OPERATION: &str = "password_reset_request";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn.row_opt("SELECT id, email FROM account WHERE lower(email) = lower($1)", &[&email]).await?;
        let (recipient, mail, subject) = match &row {
            Some(row) => {
                let account: Uuid = column(row, "account", "id")?;
                (column(row, "account", "email")?, Mail::ResetPassword {}, Some(account))
            }
            None => (email, Mail::NoAccount {}, None),
        };
        mail_insert_in_txn(&txn, NewMail { organization: None, recipient, mail, subject }).await?;
        txn.commit().await
    }

    /// Sets a password by the secret of a mail, and ends all sessions of the account. Answers whose it is; `None` when the secret is worth
    /// nothing (any more).
    ///
    /// # Errors
    /// The database failed.
    pub async fn password_reset(
        &self,
        secret_hash: &[u8],
        password_hash: &str,
        request_id: &str,
    ) -> Result<Option<AccountId>, StoreError> {
        const OPERATION: &str = "password_reset";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let taken = mailed_secret_take_in_txn(&txn, SecretPurpose::ResetPassword, secret_hash).await?;
        let Some(account) = taken.map(AccountId::from_uuid) else { return Ok(None) };
        let Some(email) = email_for_update(&txn, account).await? else { return Ok(None) };
        password_set(&txn, account, &email, password_hash, true).await?;
        sessions_end_in_txn(&txn, account, None).await?;
        let entry = AuditEntry::plain("account.reset_password", format!("account/{account}"));
        platform_audit_by_in_txn(&txn, &own_actor(account, &email, request_id), entry).await?;
        txn.commit().await?;
        Ok(Some(account))
    }

    /// Sets another password, and ends all other sessions. Whether there is still such an account. `can_mail` says whether the person can be
    /// told.
    ///
    /// # Errors
    /// The database failed.
    pub async fn password_change(
        &self,
        scope: &AccountScope,
        actor: &Actor,
        password_hash: &str,
        can_mail: bool,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "password_change";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_person(&mut connection, scope, OPERATION).await?;
        let account = scope.account();
        let Some(email) = email_for_update(&txn, account).await? else { return Ok(false) };
        password_set(&txn, account, &email, password_hash, can_mail).await?;
        sessions_end_in_txn(&txn, account, Some(scope.session())).await?;
        let entry = AuditEntry::plain("account.change_password", format!("account/{account}"));
        platform_audit_by_in_txn(&txn, actor, entry).await?;
        txn.commit().await?;
        Ok(true)
    }

    /// Mails a link to another address, with which the account will have that one. An address that has an account gets a mail that says so,
    /// instead.
    ///
    /// # Errors
    /// Too many mails went there (`TooMany`), or the database failed.
    pub async fn address_change_request(
        &self,
        scope: &AccountScope,
        new_email: &str,
        expires_at: SystemTime,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "address_change_request";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let account = scope.account();
        let Some(old_address) = email_for_update(&txn, account).await? else { return Ok(()) };
        let others = "SELECT id FROM account WHERE lower(email) = lower($1) AND id <> $2";
        let (mail, subject) = match txn.row_opt(others, &[&new_email, &account]).await? {
            Some(_) => (Mail::AlreadyHasAccount {}, None),
            None => (Mail::ConfirmNewAddress { old_address }, Some(account.as_uuid())),
        };
        // A link that went to another address before is not for this one.
        mailed_secret_void_in_txn(&txn, SecretPurpose::ChangeAddress, account.as_uuid()).await?;
        txn.execute(
            "INSERT INTO address_change (account_id, new_email, expires_at) VALUES ($1, $2, $3)
             ON CONFLICT (account_id) DO UPDATE SET new_email = $2, asked_at = now(), expires_at = $3",
            &[&account, &new_email, &expires_at],
        )
        .await?;
        mail_insert_in_txn(&txn, NewMail { organization: None, recipient: new_email, mail, subject }).await?;
        txn.commit().await
    }

    /// Gives an account the address that the mail with this secret went to, and tells the old one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn address_change_confirm(
        &self,
        secret_hash: &[u8],
        request_id: &str,
    ) -> Result<AddressChanged, StoreError> {
        const OPERATION: &str = "address_change_confirm";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let taken = mailed_secret_take_in_txn(&txn, SecretPurpose::ChangeAddress, secret_hash).await?;
        let Some(account) = taken.map(AccountId::from_uuid) else { return Ok(AddressChanged::NoSuchSecret) };
        let Some(old) = email_for_update(&txn, account).await? else { return Ok(AddressChanged::NoSuchSecret) };
        let wanted = txn
            .row_opt(
                "DELETE FROM address_change WHERE account_id = $1 AND expires_at > now() RETURNING new_email",
                &[&account],
            )
            .await?;
        let Some(wanted) = wanted else { return Ok(AddressChanged::NoSuchSecret) };
        let email: String = column(&wanted, "address_change", "new_email")?;
        let others = "SELECT id FROM account WHERE lower(email) = lower($1) AND id <> $2";
        if txn.row_opt(others, &[&email, &account]).await?.is_some() {
            return Ok(AddressChanged::Taken);
        }
        let set =
            txn.execute("UPDATE account SET email = $2, confirmed_at = now() WHERE id = $1", &[&account, &email]).await;
        match set.map_err(|error| error.unless_duplicate("an account with this address")) {
            Ok(_) => {}
            Err(StoreError::AlreadyExists { .. }) => return Ok(AddressChanged::Taken),
            Err(error) => return Err(error),
        }
        // What was mailed to the old address is worth nothing any more.
        mailed_secret_void_in_txn(&txn, SecretPurpose::ResetPassword, account.as_uuid()).await?;
        let mail = Mail::AddressChanged { new_address: email.clone() };
        mail_insert_in_txn(&txn, NewMail { organization: None, recipient: &old, mail, subject: None }).await?;
        let entry = AuditEntry {
            action: "account.change_address",
            target: format!("account/{account}"),
            before: Some(json!({ "email": old })),
            after: Some(json!({ "email": email })),
        };
        platform_audit_by_in_txn(&txn, &own_actor(account, &email, request_id), entry).await?;
        txn.commit().await?;
        Ok(AddressChanged::Yes { account, email })
    }

    /// Changes what a person is called. Whether there is still such an account.
    ///
    /// # Errors
    /// The database failed.
    pub async fn account_rename(&self, scope: &AccountScope, actor: &Actor, name: &str) -> Result<bool, StoreError> {
        const OPERATION: &str = "account_rename";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_person(&mut connection, scope, OPERATION).await?;
        let account = scope.account();
        let old = txn.row_opt("SELECT name FROM account WHERE id = $1 FOR UPDATE", &[&account]).await?;
        let Some(old) = old else { return Ok(false) };
        let old: String = column(&old, "account", "name")?;
        txn.execute("UPDATE account SET name = $2 WHERE id = $1", &[&account, &name]).await?;
        let entry = AuditEntry {
            action: "account.rename",
            target: format!("account/{account}"),
            before: Some(json!({ "name": old })),
            after: Some(json!({ "name": name })),
        };
        platform_audit_by_in_txn(&txn, actor, entry).await?;
        txn.commit().await?;
        Ok(true)
    }
}
