//! People's accounts.

use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use kaliun_types::id::AccountId;

/// What is needed to check a password. Not yet a right to anything.
pub struct AccountLogin {
    /// The account.
    pub account: AccountId,
    /// PHC string; none for an account without a password.
    pub password_hash: Option<String>,
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
        row.map(|row| {
            Ok(AccountLogin {
                account: column(&row, "account", "id")?,
                password_hash: column(&row, "account", "password_hash")?,
            })
        })
        .transpose()
    }
}
