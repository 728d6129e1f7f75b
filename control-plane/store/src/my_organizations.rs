//! Organizations as a person has them: those they belong to, and those they make.

use crate::audit::{Actor, AuditEntry, audit_of_organization_in_txn};
use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use crate::scope::AccountScope;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_domain::room::ORGANIZATIONS_A_DAY;
use kaliun_types::id::{AccountId, InstallationId, OrganizationId};
use tokio_postgres::Row;

/// An organization to be made.
pub struct NewOrganization<'a> {
    /// For people.
    pub name: &'a str,
    /// Name of its first home.
    pub home_name: &'a str,
    /// IANA name of that home's time zone.
    pub home_time_zone: &'a str,
    /// What its boxes shall report: an encoded `kaliun.link.v1.SettingsDocument`.
    pub settings_document: &'a [u8],
}

/// An organization, as one of its people has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MyOrganization {
    /// Which.
    pub id: OrganizationId,
    /// For people.
    pub name: String,
    /// What the person is in the whole of it, if anything.
    pub role: Option<Role>,
    /// How many of its homes the person has a role in.
    pub homes: u32,
}

/// What became of an organization that somebody wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrganizationMade {
    /// It is there.
    Yes(MyOrganization),
    /// The person has made as many today as anybody may.
    EnoughForToday,
    /// The account is gone.
    NoSuchAccount,
}

/// Of one person, with what they are there; what follows says which.
macro_rules! my_organization {
    ($which:literal) => {
        concat!(
            "SELECT o.id, o.name, m.role,
                 (SELECT count(*) FROM home_membership h WHERE h.account_id = $1 AND h.organization_id = o.id) AS homes
             FROM organization o
             LEFT JOIN membership m ON m.organization_id = o.id AND m.account_id = $1
             WHERE ",
            $which
        )
    };
}

impl SystemStore {
    /// A page of the organizations that a person has to do with, by name, after the one of this name and id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn my_organization_list_page(
        &self,
        scope: &AccountScope,
        after: Option<(&str, OrganizationId)>,
        limit: i64,
    ) -> Result<Vec<MyOrganization>, StoreError> {
        const OPERATION: &str = "my_organization_list_page";
        let mut connection = self.connection(OPERATION).await?;
        // Across organizations: the account is what bounds it.
        let txn = Txn::begin_person(&mut connection, scope, OPERATION).await?;
        let (name, id) = after.unzip();
        let rows = txn
            .rows(
                my_organization!(
                    "o.id IN (SELECT organization_id FROM membership WHERE account_id = $1
                              UNION SELECT organization_id FROM home_membership WHERE account_id = $1)
                     AND ($2::text IS NULL OR (o.name, o.id) > ($2, $3::uuid))
                     ORDER BY o.name, o.id LIMIT $4"
                ),
                &[&scope.account(), &name, &id, &limit],
            )
            .await?;
        txn.commit().await?;
        rows.iter().map(from_row).collect()
    }

    /// Makes an organization with a first home. Whoever makes it is its admin and the owner of that home.
    ///
    /// # Errors
    /// The database failed.
    pub async fn organization_make(
        &self,
        scope: &AccountScope,
        actor: &Actor,
        new: &NewOrganization<'_>,
    ) -> Result<OrganizationMade, StoreError> {
        const OPERATION: &str = "organization_make";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let account = scope.account();
        // One after the other for each person, so that nobody makes the last of the day twice.
        let locked = txn.row_opt("SELECT 1 AS one FROM account WHERE id = $1 FOR NO KEY UPDATE", &[&account]).await?;
        if locked.is_none() {
            return Ok(OrganizationMade::NoSuchAccount);
        }
        if made_today(&txn, account).await? >= ORGANIZATIONS_A_DAY {
            return Ok(OrganizationMade::EnoughForToday);
        }
        let (organization, home) = (OrganizationId::new(), InstallationId::new());
        txn.execute(
            "INSERT INTO organization (id, name, made_by) VALUES ($1, $2, $3)",
            &[&organization, &new.name, &account],
        )
        .await?;
        txn.execute(
            "INSERT INTO installation (id, organization_id, name, time_zone) VALUES ($1, $2, $3, $4)",
            &[&home, &organization, &new.home_name, &new.home_time_zone],
        )
        .await?;
        txn.execute(
            "INSERT INTO membership (organization_id, account_id, role) VALUES ($1, $2, $3)",
            &[&organization, &account, &Role::Admin.number()],
        )
        .await?;
        txn.execute(
            "INSERT INTO home_membership (organization_id, installation_id, account_id, role) VALUES ($1, $2, $3, $4)",
            &[&organization, &home, &account, &HomeRole::Owner.number()],
        )
        .await?;
        txn.execute(
            "INSERT INTO report_settings (organization_id, document) VALUES ($1, $2)",
            &[&organization, &new.settings_document],
        )
        .await?;
        let entry = AuditEntry {
            after: Some(
                serde_json::json!({ "name": new.name, "home": new.home_name, "time_zone": new.home_time_zone }),
            ),
            ..AuditEntry::plain("organization.create", format!("organization/{organization}"))
        };
        audit_of_organization_in_txn(&txn, organization, actor, entry).await?;
        txn.commit().await?;
        let (name, role) = (new.name.to_owned(), Some(Role::Admin));
        Ok(OrganizationMade::Yes(MyOrganization { id: organization, name, role, homes: 1 }))
    }
}

async fn made_today(txn: &Txn<'_>, account: AccountId) -> Result<usize, StoreError> {
    let row = txn
        .row_opt(
            "SELECT count(*) AS made FROM organization WHERE made_by = $1 AND created_at > now() - interval '1 day'",
            &[&account],
        )
        .await?;
    let made: i64 = row.map_or(Ok(0), |row| column(&row, "organization", "made"))?;
    Ok(usize::try_from(made).unwrap_or_default())
}

/// What a person is in an organization now. None when it is nothing.
pub(crate) async fn my_organization_in_txn(
    txn: &Txn<'_>,
    account: AccountId,
    organization: OrganizationId,
) -> Result<Option<MyOrganization>, StoreError> {
    let row = txn.row_opt(my_organization!("o.id = $2"), &[&account, &organization]).await?;
    let found = row.as_ref().map(from_row).transpose()?;
    Ok(found.filter(|found| found.role.is_some() || found.homes > 0))
}

fn from_row(row: &Row) -> Result<MyOrganization, StoreError> {
    let id: OrganizationId = column(row, "organization", "id")?;
    let role: Option<i16> = column(row, "membership", "role")?;
    let wrong = || StoreError::Inconsistent { table: "membership", column: "role", id: id.to_string() };
    let role = role.map(|number| Role::from_number(number).ok_or_else(wrong)).transpose()?;
    let homes: i64 = column(row, "home_membership", "homes")?;
    Ok(MyOrganization {
        id,
        name: column(row, "organization", "name")?,
        role,
        homes: u32::try_from(homes).unwrap_or(u32::MAX),
    })
}
