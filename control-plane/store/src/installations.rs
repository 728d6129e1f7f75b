//! Homes.

use crate::error::StoreError;
use crate::pool::{AppStore, Txn, column};
use crate::scope::OrganizationScope;
use kaliun_types::id::InstallationId;

impl AppStore {
    /// A page of homes (id, name, time zone), ordered by name, after the one with this name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn installation_list_page(
        &self,
        scope: &OrganizationScope,
        after_name: Option<&str>,
        limit: i64,
    ) -> Result<Vec<(InstallationId, String, String)>, StoreError> {
        const OPERATION: &str = "installation_list_page";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_app(&mut connection, scope, OPERATION).await?;
        let rows = txn
            .rows(
                "SELECT id, name, time_zone FROM installation
                 WHERE organization_id = $1 AND ($4::uuid[] IS NULL OR id = ANY($4)) AND ($2::text IS NULL OR name > $2)
                 ORDER BY name LIMIT $3",
                &[&scope.organization(), &after_name, &limit, &scope.homes()],
            )
            .await?;
        txn.commit().await?;
        rows.iter()
            .map(|row| {
                Ok((
                    column(row, "installation", "id")?,
                    column(row, "installation", "name")?,
                    column(row, "installation", "time_zone")?,
                ))
            })
            .collect()
    }
}
