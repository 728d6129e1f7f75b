//! The key that page tokens are sealed with.

use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use std::fmt;

/// A key that all replicas of this database share. `Debug` does not show it.
#[derive(Clone)]
pub struct PageTokenKey([u8; 32]);

impl PageTokenKey {
    /// The key itself; the name makes each use easy to find.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PageTokenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PageTokenKey(redacted)")
    }
}

impl SystemStore {
    /// The key of this database; `random` becomes it when there is none yet. Two replicas that start together get the same one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn page_token_key(&self, random: [u8; 32]) -> Result<PageTokenKey, StoreError> {
        const OPERATION: &str = "page_token_key";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // The second of two waits here for the first, and then finds a key.
        txn.execute("UPDATE cluster SET page_token_key = $1 WHERE page_token_key IS NULL", &[&&random[..]]).await?;
        let row = txn.row_opt("SELECT page_token_key FROM cluster", &[]).await?;
        txn.commit().await?;
        let inconsistent =
            || StoreError::Inconsistent { table: "cluster", column: "page_token_key", id: "the only row".to_owned() };
        let key: Vec<u8> = column(&row.ok_or_else(inconsistent)?, "cluster", "page_token_key")?;
        key.try_into().map(PageTokenKey).map_err(|_length| inconsistent())
    }
}
