//! Who people are at other people's identity providers: signing in by that, linking and unlinking.

mod joining;

use crate::account_sessions::{NewSession, session_insert_in_txn};
use crate::audit::{Actor, ActorKind, AuditEntry, platform_audit_by_in_txn};
use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use crate::scope::AccountScope;
use joining::join_in_txn;
use kaliun_domain::domain_name::DomainName;
use kaliun_domain::external_sign_in::{Address, Admission, Arrival, Linking, Welcome, can_unlink, link};
use kaliun_domain::joining::Claims;
use kaliun_types::id::{AccountId, IdentityId};
use kaliun_types::reason::ReasonCode;
use serde_json::json;
use std::net::IpAddr;
use std::time::SystemTime;
use tokio_postgres::Row;

/// Somebody who came back from a provider, by its word.
pub struct Arriving<'a> {
    /// Which provider.
    pub provider: &'a str,
    /// Who they are there.
    pub subject: &'a str,
    /// Their address, if it was said and can be one here.
    pub email: Option<&'a str>,
    /// Whether we take the provider's word for it.
    pub email_confirmed: bool,
    /// What they are called, 1 to 80 characters.
    pub name: &'a str,
    /// All that was said of them.
    pub claims: &'a Claims,
    /// Where they are, as far as it is known.
    pub source: Option<IpAddr>,
    /// The request's id.
    pub request_id: &'a str,
}

/// What became of somebody who wants to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// They are signed in.
    SignedIn {
        /// Who.
        account: AccountId,
        /// Whether they became something else in some organization.
        rights_changed: bool,
    },
    /// They are not.
    Refused(ReasonCode),
}

/// What became of an identity that was to be linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    /// It is.
    Yes,
    /// It is not.
    Refused(ReasonCode),
}

/// What became of an identity that was to be unlinked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlinked {
    /// It is.
    Yes,
    /// There is none such with this account.
    NoSuchIdentity,
    /// It is the last way in.
    LastWayIn,
}

/// An identity, as its person sees it.
#[derive(Debug, Clone)]
pub struct IdentityRow {
    /// Which.
    pub id: IdentityId,
    /// At which provider.
    pub provider: String,
    /// The address that was said when it was linked; may be empty.
    pub email: String,
    /// When.
    pub linked_at: SystemTime,
    /// When somebody signed in by it last.
    pub last_used_at: SystemTime,
}

impl SystemStore {
    /// Signs somebody in, or not: finds or makes the account, makes them a member where that follows, and opens a session, all at once.
    ///
    /// # Errors
    /// The database failed.
    pub async fn external_sign_in(
        &self,
        arriving: &Arriving<'_>,
        everybody_may: bool,
        session: &NewSession<'_>,
    ) -> Result<Arrived, StoreError> {
        const OPERATION: &str = "external_sign_in";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let account = match arrival(&txn, arriving, everybody_may).await?.decide() {
            Admission::SignIn(account) => account,
            Admission::NewAccount => match account_make(&txn, arriving).await? {
                Some(account) => account,
                // Somebody took the address, or this identity, at the same moment.
                None => return Ok(Arrived::Refused(ReasonCode::SignInBusy)),
            },
            Admission::Refuse(reason) => return Ok(Arrived::Refused(reason)),
        };
        txn.execute(
            "UPDATE account_identity SET last_used_at = now() WHERE provider = $1 AND subject = $2",
            &[&arriving.provider, &arriving.subject],
        )
        .await?;
        let rights_changed = join_in_txn(&txn, account, arriving).await?;
        session_insert_in_txn(&txn, account, session).await?;
        txn.commit().await?;
        Ok(Arrived::SignedIn { account, rights_changed })
    }

    /// Links an identity with the account of somebody who went to the provider for that. To do so twice does no harm.
    ///
    /// # Errors
    /// The database failed.
    pub async fn identity_link(&self, scope: &AccountScope, arriving: &Arriving<'_>) -> Result<Linked, StoreError> {
        const OPERATION: &str = "identity_link";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let account = scope.account();
        let Some(own) = own_in_txn(&txn, account).await? else {
            return Ok(Linked::Refused(ReasonCode::SignInAttemptOver));
        };
        let linked = linked_account(&txn, arriving).await?;
        let has_provider = own.identities.iter().any(|identity| identity.provider == arriving.provider);
        match link(account, linked, has_provider, own.identities.len()) {
            Linking::Linked => return Ok(Linked::Yes),
            Linking::Refuse(reason) => return Ok(Linked::Refused(reason)),
            Linking::Link => {}
        }
        if !identity_insert(&txn, account, arriving).await? {
            return Ok(Linked::Refused(ReasonCode::SignInIdentityTaken));
        }
        let actor = own_actor(account, &own.email, arriving);
        let entry = AuditEntry {
            after: Some(json!({ "provider": arriving.provider })),
            ..AuditEntry::plain("account.link_identity", format!("account/{account}"))
        };
        platform_audit_by_in_txn(&txn, &actor, entry).await?;
        txn.commit().await?;
        Ok(Linked::Yes)
    }

    /// What a person's account is linked with, by provider.
    ///
    /// # Errors
    /// The database failed.
    pub async fn identity_list(&self, scope: &AccountScope) -> Result<Vec<IdentityRow>, StoreError> {
        const OPERATION: &str = "identity_list";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_person(&mut connection, scope, OPERATION).await?;
        let identities = identities_of(&txn, scope.account()).await?;
        txn.commit().await?;
        Ok(identities)
    }

    /// Unlinks one of a person's identities, if there is another way in: a password, or an identity of one of these providers.
    ///
    /// # Errors
    /// The database failed.
    pub async fn identity_unlink(
        &self,
        scope: &AccountScope,
        actor: &Actor,
        id: IdentityId,
        providers: &[String],
    ) -> Result<Unlinked, StoreError> {
        const OPERATION: &str = "identity_unlink";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_person(&mut connection, scope, OPERATION).await?;
        let account = scope.account();
        let Some(own) = own_in_txn(&txn, account).await? else { return Ok(Unlinked::NoSuchIdentity) };
        let Some(identity) = own.identities.iter().find(|identity| identity.id == id) else {
            return Ok(Unlinked::NoSuchIdentity);
        };
        let is_other_way_in = |other: &&IdentityRow| other.id != id && providers.contains(&other.provider);
        if !can_unlink(own.has_password, own.identities.iter().filter(is_other_way_in).count()) {
            return Ok(Unlinked::LastWayIn);
        }
        txn.execute("DELETE FROM account_identity WHERE id = $1 AND account_id = $2", &[&id, &account]).await?;
        let entry = AuditEntry {
            before: Some(json!({ "provider": identity.provider })),
            ..AuditEntry::plain("account.unlink_identity", format!("account/{account}"))
        };
        platform_audit_by_in_txn(&txn, actor, entry).await?;
        txn.commit().await?;
        Ok(Unlinked::Yes)
    }
}

/// An account, held against changes, and how its person gets in.
struct Own {
    email: String,
    has_password: bool,
    identities: Vec<IdentityRow>,
}

async fn own_in_txn(txn: &Txn<'_>, account: AccountId) -> Result<Option<Own>, StoreError> {
    let held = "SELECT email, password_hash IS NOT NULL AS has_password FROM account WHERE id = $1 FOR UPDATE";
    let Some(row) = txn.row_opt(held, &[&account]).await? else { return Ok(None) };
    Ok(Some(Own {
        email: column(&row, "account", "email")?,
        has_password: column(&row, "account", "has_password")?,
        identities: identities_of(txn, account).await?,
    }))
}

/// What is known here of somebody who came back. The account that is found is held against being deleted meanwhile.
async fn arrival(txn: &Txn<'_>, arriving: &Arriving<'_>, everybody_may: bool) -> Result<Arrival, StoreError> {
    let linked = linked_account(txn, arriving).await?;
    let (address, email) = match arriving.email {
        None => (Address::Missing, ""),
        Some(email) if arriving.email_confirmed => (Address::Confirmed, email),
        Some(_unconfirmed) => (Address::Unconfirmed, ""),
    };
    let mut arrival = Arrival {
        linked,
        address,
        address_owner: None,
        welcome: Welcome { everybody: everybody_may, ..Welcome::default() },
    };
    if linked.is_some() || address != Address::Confirmed {
        return Ok(arrival);
    }
    let domain = DomainName::of_address(email);
    let row = txn
        .row_opt(
            "SELECT (SELECT id FROM account WHERE lower(email) = lower($1)) AS owner,
                 EXISTS (SELECT FROM invitation WHERE lower(email) = lower($1) AND expires_at > now()) AS invited,
                 EXISTS (SELECT FROM organization_domain WHERE domain = $2 AND verified_at IS NOT NULL) AS of_domain",
            &[&email, &domain.as_ref().map(DomainName::as_str)],
        )
        .await?;
    if let Some(row) = row {
        arrival.address_owner = column(&row, "account", "owner")?;
        arrival.welcome.invited = column(&row, "invitation", "invited")?;
        arrival.welcome.of_domain = column(&row, "organization_domain", "of_domain")?;
    }
    Ok(arrival)
}

/// The account that an identity is linked with, held against being deleted meanwhile.
async fn linked_account(txn: &Txn<'_>, arriving: &Arriving<'_>) -> Result<Option<AccountId>, StoreError> {
    let row = txn
        .row_opt(
            "SELECT a.id FROM account_identity i JOIN account a ON a.id = i.account_id
             WHERE i.provider = $1 AND i.subject = $2 FOR SHARE OF a",
            &[&arriving.provider, &arriving.subject],
        )
        .await?;
    row.map(|row| column(&row, "account", "id")).transpose()
}

/// Makes an account with the confirmed address, linked with the identity. `None` when somebody else was quicker.
async fn account_make(txn: &Txn<'_>, arriving: &Arriving<'_>) -> Result<Option<AccountId>, StoreError> {
    let Some(email) = arriving.email.filter(|_| arriving.email_confirmed) else { return Ok(None) };
    let account = AccountId::new();
    let made = txn
        .execute(
            "INSERT INTO account (id, email, name, confirmed_at) VALUES ($1, $2, $3, now()) ON CONFLICT (lower(email)) DO NOTHING",
            &[&account, &email, &arriving.name],
        )
        .await?;
    if made == 0 || !identity_insert(txn, account, arriving).await? {
        return Ok(None);
    }
    // Whoever asked for an account with this address is not the one who has it.
    txn.execute("DELETE FROM sign_up WHERE lower(email) = lower($1)", &[&email]).await?;
    let entry = AuditEntry {
        after: Some(json!({ "email": email, "name": arriving.name, "provider": arriving.provider })),
        ..AuditEntry::plain("account.create", format!("account/{account}"))
    };
    platform_audit_by_in_txn(txn, &own_actor(account, email, arriving), entry).await?;
    Ok(Some(account))
}

/// Whether the identity is linked now with this account, and was with none before.
async fn identity_insert(txn: &Txn<'_>, account: AccountId, arriving: &Arriving<'_>) -> Result<bool, StoreError> {
    let inserted = txn
        .execute(
            "INSERT INTO account_identity (id, account_id, provider, subject, email) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
            &[&IdentityId::new(), &account, &arriving.provider, &arriving.subject, &arriving.email.unwrap_or_default()],
        )
        .await?;
    Ok(inserted == 1)
}

async fn identities_of(txn: &Txn<'_>, account: AccountId) -> Result<Vec<IdentityRow>, StoreError> {
    // There is one of each provider at most.
    let rows = txn
        .rows(
            "SELECT id, provider, email, linked_at, last_used_at FROM account_identity WHERE account_id = $1
             ORDER BY provider LIMIT 100",
            &[&account],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

fn own_actor(account: AccountId, email: &str, arriving: &Arriving<'_>) -> Actor {
    Actor {
        kind: ActorKind::Person(account),
        name: email.to_owned(),
        source: arriving.source,
        request_id: arriving.request_id.to_owned(),
        consents: Vec::new(),
    }
}

fn from_row(row: &Row) -> Result<IdentityRow, StoreError> {
    const TABLE: &str = "account_identity";
    Ok(IdentityRow {
        id: column(row, TABLE, "id")?,
        provider: column(row, TABLE, "provider")?,
        email: column(row, TABLE, "email")?,
        linked_at: column(row, TABLE, "linked_at")?,
        last_used_at: column(row, TABLE, "last_used_at")?,
    })
}
