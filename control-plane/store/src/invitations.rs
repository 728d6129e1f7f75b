//! Invitations: how somebody is asked into an organization or a home, and how that is taken back. `accepting` is how they come in.

mod accepting;

pub use accepting::{InvitationAccepted, InvitationLookedUp};

use crate::audit::{Actor, AuditEntry, audit_insert_in_txn};
use crate::error::StoreError;
use crate::holds::{home_hold_in_txn, organization_hold_in_txn};
use crate::mailed_secrets::{mailed_secret_issue_in_txn, mailed_secret_void_in_txn};
use crate::mails::{NewMail, mail_insert_in_txn};
use crate::pool::{SystemStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_domain::invitation::Seat;
use kaliun_domain::mail::Mail;
use kaliun_domain::mailed_secret::SecretPurpose;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_domain::room::{HOME_PEOPLE_MAX, INVITATIONS_MAX};
use kaliun_types::email::EmailAddress;
use kaliun_types::id::{InstallationId, InvitationId};
use serde_json::{Value, json};
use std::time::SystemTime;
use tokio_postgres::Row;

const TABLE: &str = "invitation";

/// Somebody to be invited.
pub struct NewInvitation<'a> {
    /// Whom it is for.
    pub email: &'a EmailAddress,
    /// To what.
    pub seat: Seat,
    /// Until when it can be accepted.
    pub expires_at: SystemTime,
    /// How the secret comes to them.
    pub handed_over: HandedOver<'a>,
}

/// How the secret of an invitation comes to whoever is invited.
pub enum HandedOver<'a> {
    /// By a mail, which makes it when it is sent.
    ByMail,
    /// By whoever invites, with this hash (SHA-256).
    ByHand(&'a [u8]),
}

/// An invitation, without its secret.
#[derive(Debug, Clone)]
pub struct InvitationRow {
    /// Which.
    pub id: InvitationId,
    /// Whom it is for.
    pub email: String,
    /// To what.
    pub seat: Seat,
    /// Name of the home, for an invitation to one.
    pub home_name: Option<String>,
    /// Who invited, as people read it.
    pub invited_by: String,
    /// When.
    pub created_at: SystemTime,
    /// Until when it can be accepted.
    pub expires_at: SystemTime,
}

/// What became of somebody who was to be invited.
#[derive(Debug, Clone)]
pub enum Invited {
    /// They are.
    Yes(InvitationRow),
    /// There is no such home.
    NoSuchHome,
    /// They are in there.
    IsIn,
}

/// The columns of an invitation; what follows says which.
macro_rules! invitation {
    ($which:literal) => {
        concat!(
            "SELECT n.id, n.organization_id, n.email, n.role, n.installation_id, n.home_role, i.name AS home_name, n.invited_by,
                 n.created_at, n.expires_at
             FROM invitation n LEFT JOIN installation i ON i.id = n.installation_id
             WHERE ",
            $which
        )
    };
}
use invitation;

impl SystemStore {
    /// Invites somebody. Another invitation of theirs to the same takes the place of the one before.
    ///
    /// # Errors
    /// There is no room for more invitations or people (`TooMany`), or for more mails to the address; or the database failed.
    pub async fn invitation_insert(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        new: &NewInvitation<'_>,
    ) -> Result<Invited, StoreError> {
        const OPERATION: &str = "invitation_insert";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let Some((organization, home)) = hold(&txn, scope, new.seat).await? else { return Ok(Invited::NoSuchHome) };
        if is_in(&txn, scope, new).await? {
            return Ok(Invited::IsIn);
        }
        replace(&txn, scope, new).await?;
        check_room(&txn, scope, new.seat).await?;
        let id = InvitationId::new();
        let columns = Columns::of(new.seat);
        let mailed = matches!(new.handed_over, HandedOver::ByMail);
        txn.execute(
            "INSERT INTO invitation (id, organization_id, email, role, installation_id, home_role, invited_by, mailed, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            &[
                &id,
                &scope.organization(),
                &new.email.as_str(),
                &columns.role,
                &columns.home,
                &columns.home_role,
                &actor.name,
                &mailed,
                &new.expires_at,
            ],
        )
        .await?;
        match new.handed_over {
            HandedOver::ByHand(hash) => {
                mailed_secret_issue_in_txn(&txn, SecretPurpose::Invitation, id.as_uuid(), hash, new.expires_at).await?;
            }
            HandedOver::ByMail => {
                let mail = mail(new.seat, organization, home, actor);
                let (organization, subject) = (Some(scope.organization()), Some(id.as_uuid()));
                mail_insert_in_txn(&txn, NewMail { organization, recipient: new.email.as_str(), mail, subject })
                    .await?;
            }
        }
        let entry = AuditEntry {
            after: Some(audited(new.email.as_str(), new.seat)),
            ..AuditEntry::plain("invitation.create", format!("invitation/{id}"))
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        let row = txn.row_opt(invitation!("n.id = $1"), &[&id]).await?;
        let row = from_row(&row.ok_or(StoreError::Stale { what: "the invitation" })?)?;
        txn.commit().await?;
        Ok(Invited::Yes(row))
    }

    /// A page of the invitations that can be accepted, newest first, after the one with this id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn invitation_list_page(
        &self,
        scope: &OrganizationScope,
        after: Option<InvitationId>,
        limit: i64,
    ) -> Result<Vec<InvitationRow>, StoreError> {
        const OPERATION: &str = "invitation_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let rows = txn
            .rows(
                invitation!(
                    "n.organization_id = $1 AND ($2::uuid[] IS NULL OR n.installation_id = ANY($2)) AND n.expires_at > now()
                     AND ($3::uuid IS NULL OR n.id < $3) ORDER BY n.id DESC LIMIT $4"
                ),
                &[&scope.organization(), &scope.homes(), &after, &limit],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(from_row).collect()
    }

    /// Takes an invitation back. Answers whether there was one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn invitation_revoke(
        &self,
        scope: &OrganizationScope,
        actor: &Actor,
        id: InvitationId,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "invitation_revoke";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system_for(&mut connection, scope, OPERATION).await?;
        let row = txn
            .row_opt(
                invitation!(
                    "n.id = $1 AND n.organization_id = $2 AND ($3::uuid[] IS NULL OR n.installation_id = ANY($3))
                     FOR UPDATE OF n"
                ),
                &[&id, &scope.organization(), &scope.homes()],
            )
            .await?;
        let Some(row) = row.as_ref().map(from_row).transpose()? else { return Ok(false) };
        delete(&txn, id).await?;
        let entry = AuditEntry {
            before: Some(audited(&row.email, row.seat)),
            ..AuditEntry::plain("invitation.revoke", format!("invitation/{id}"))
        };
        audit_insert_in_txn(&txn, scope, actor, entry).await?;
        txn.commit().await?;
        Ok(true)
    }
}

/// Holds what the seat is in. Answers the names of the organization and of the home; none when there is no such home.
async fn hold(
    txn: &Txn<'_>,
    scope: &OrganizationScope,
    seat: Seat,
) -> Result<Option<(String, Option<String>)>, StoreError> {
    match seat {
        Seat::Organization(_) => {
            Ok(organization_hold_in_txn(txn, scope.organization()).await?.map(|name| (name, None)))
        }
        Seat::Home(home, _) => {
            let held = home_hold_in_txn(txn, scope, home).await?;
            Ok(held.map(|(organization, home)| (organization, Some(home))))
        }
    }
}

/// Whether somebody has a role already where they are to be invited to.
async fn is_in(txn: &Txn<'_>, scope: &OrganizationScope, new: &NewInvitation<'_>) -> Result<bool, StoreError> {
    let email = new.email.to_lowercase();
    let found = match new.seat {
        Seat::Organization(_) => {
            txn.row_opt(
                "SELECT 1 AS one FROM membership m JOIN account a ON a.id = m.account_id
                 WHERE m.organization_id = $1 AND lower(a.email) = $2",
                &[&scope.organization(), &email],
            )
            .await?
        }
        Seat::Home(home, _) => {
            txn.row_opt(
                "SELECT 1 AS one FROM home_membership h JOIN account a ON a.id = h.account_id
                 WHERE h.installation_id = $1 AND lower(a.email) = $2",
                &[&home, &email],
            )
            .await?
        }
    };
    Ok(found.is_some())
}

/// Deletes invitations that ran out, and the one whose place another takes.
async fn replace(txn: &Txn<'_>, scope: &OrganizationScope, new: &NewInvitation<'_>) -> Result<(), StoreError> {
    let Columns { home, .. } = Columns::of(new.seat);
    let gone = txn
        .rows(
            "DELETE FROM invitation WHERE organization_id = $1 AND (expires_at <= now()
                 OR (lower(email) = $2 AND installation_id IS NOT DISTINCT FROM $3)) RETURNING id",
            &[&scope.organization(), &new.email.to_lowercase(), &home],
        )
        .await?;
    for row in &gone {
        let id: InvitationId = column(row, TABLE, "id")?;
        mailed_secret_void_in_txn(txn, SecretPurpose::Invitation, id.as_uuid()).await?;
    }
    Ok(())
}

/// Refuses one invitation more than there may be.
async fn check_room(txn: &Txn<'_>, scope: &OrganizationScope, seat: Seat) -> Result<(), StoreError> {
    let count = |row: Option<Row>, name| -> Result<usize, StoreError> {
        let count: i64 = row.map_or(Ok(0), |row| column(&row, TABLE, name))?;
        Ok(usize::try_from(count).unwrap_or_default())
    };
    // Who is of one home sees and counts the invitations to it; those have a bound of their own, so that no owner uses up the organization's.
    let open = txn
        .row_opt("SELECT count(*) AS open FROM invitation WHERE organization_id = $1", &[&scope.organization()])
        .await?;
    if count(open, "open")? >= INVITATIONS_MAX {
        return Err(StoreError::TooMany { what: "invitations that wait", most: INVITATIONS_MAX });
    }
    if let Seat::Home(home, _) = seat {
        let people = txn
            .row_opt(
                "SELECT (SELECT count(*) FROM invitation WHERE installation_id = $1)
                      + (SELECT count(*) FROM home_membership WHERE installation_id = $1) AS people",
                &[&home],
            )
            .await?;
        if count(people, "people")? >= HOME_PEOPLE_MAX {
            return Err(StoreError::TooMany {
                what: "people of a home, with those who are invited",
                most: HOME_PEOPLE_MAX,
            });
        }
    }
    Ok(())
}

/// Deletes an invitation that is held, and voids its secrets.
async fn delete(txn: &Txn<'_>, id: InvitationId) -> Result<(), StoreError> {
    let gone = txn.execute("DELETE FROM invitation WHERE id = $1", &[&id]).await?;
    if gone != 1 {
        return Err(StoreError::Stale { what: "the invitation" });
    }
    mailed_secret_void_in_txn(txn, SecretPurpose::Invitation, id.as_uuid()).await
}

fn mail(seat: Seat, organization: String, home: Option<String>, actor: &Actor) -> Mail {
    let inviter = actor.name.clone();
    match seat {
        Seat::Organization(role) => Mail::InvitedToOrganization { organization, role: role.word().to_owned(), inviter },
        Seat::Home(_, role) => {
            let home = home.unwrap_or_default();
            Mail::InvitedToHome { organization, home, role: role.word().to_owned(), inviter }
        }
    }
}

/// An invitation as the audit keeps it.
fn audited(email: &str, seat: Seat) -> Value {
    match seat {
        Seat::Organization(role) => json!({ "email": email, "role": role.word() }),
        Seat::Home(home, role) => json!({ "email": email, "installation": home.to_string(), "home_role": role.word() }),
    }
}

/// A seat as it is stored.
struct Columns {
    role: Option<i16>,
    home: Option<InstallationId>,
    home_role: Option<i16>,
}

impl Columns {
    fn of(seat: Seat) -> Self {
        match seat {
            Seat::Organization(role) => Self { role: Some(role.number()), home: None, home_role: None },
            Seat::Home(home, role) => Self { role: None, home: Some(home), home_role: Some(role.number()) },
        }
    }
}

fn from_row(row: &Row) -> Result<InvitationRow, StoreError> {
    let id: InvitationId = column(row, TABLE, "id")?;
    let wrong = || StoreError::Inconsistent { table: TABLE, column: "role", id: id.to_string() };
    let role: Option<i16> = column(row, TABLE, "role")?;
    let home: Option<InstallationId> = column(row, TABLE, "installation_id")?;
    let home_role: Option<i16> = column(row, TABLE, "home_role")?;
    let seat = match (role.and_then(Role::from_number), home, home_role.and_then(HomeRole::from_number)) {
        (Some(role), None, None) => Seat::Organization(role),
        (None, Some(home), Some(role)) => Seat::Home(home, role),
        (Some(_) | None, Some(_) | None, Some(_) | None) => return Err(wrong()),
    };
    Ok(InvitationRow {
        id,
        email: column(row, TABLE, "email")?,
        seat,
        home_name: column(row, "installation", "home_name")?,
        invited_by: column(row, TABLE, "invited_by")?,
        created_at: column(row, TABLE, "created_at")?,
        expires_at: column(row, TABLE, "expires_at")?,
    })
}
