//! Who holds what while the people of an organization or a home change.
//!
//! "Never the last admin" is a sentence about rows that somebody else may be changing. So whoever changes the people of the whole
//! organization holds its row; whoever changes those of one home shares that row and holds the home's. Always in this order.
//! `FOR NO KEY UPDATE` rather than `FOR UPDATE`, for new rows of the organization, such as samples, need not wait.

use crate::error::StoreError;
use crate::pool::{Txn, column};
use crate::scope::OrganizationScope;
use kaliun_types::id::{InstallationId, OrganizationId};

/// Holds an organization until the transaction ends. Answers its name; none when it is gone.
pub(crate) async fn organization_hold_in_txn(
    txn: &Txn<'_>,
    organization: OrganizationId,
) -> Result<Option<String>, StoreError> {
    let row = txn.row_opt("SELECT name FROM organization WHERE id = $1 FOR NO KEY UPDATE", &[&organization]).await?;
    row.map(|row| column(&row, "organization", "name")).transpose()
}

/// Shares an organization until the transaction ends: others may, and whoever wants to hold it waits. Answers its name; none when it is gone.
pub(crate) async fn organization_share_in_txn(
    txn: &Txn<'_>,
    organization: OrganizationId,
) -> Result<Option<String>, StoreError> {
    let row = txn.row_opt("SELECT name FROM organization WHERE id = $1 FOR SHARE", &[&organization]).await?;
    row.map(|row| column(&row, "organization", "name")).transpose()
}

/// Shares an organization and holds a home of it, as far as the scope reaches, until the transaction ends. Answers their names; none when
/// there is no such home.
pub(crate) async fn home_hold_in_txn(
    txn: &Txn<'_>,
    scope: &OrganizationScope,
    home: InstallationId,
) -> Result<Option<(String, String)>, StoreError> {
    let organization = organization_share_in_txn(txn, scope.organization()).await?;
    let held = txn
        .row_opt(
            "SELECT name FROM installation WHERE id = $1 AND organization_id = $2 AND ($3::uuid[] IS NULL OR id = ANY($3))
             FOR NO KEY UPDATE",
            &[&home, &scope.organization(), &scope.homes()],
        )
        .await?;
    let (Some(organization), Some(held)) = (organization, held) else { return Ok(None) };
    Ok(Some((organization, column(&held, "installation", "name")?)))
}
