//! Somebody takes connections at the database's address and says nothing.

use anyhow::Result;
use kaliun_store::{DatabaseAccess, DatabaseUrl, OpenError, Store};
use tokio::net::TcpListener;

#[tokio::test(start_paused = true)]
async fn a_database_that_says_nothing_is_given_up() -> Result<()> {
    // The kernel takes the connection; nobody reads what comes on it.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url: DatabaseUrl = format!("postgresql://nobody@{}/none", listener.local_addr()?).parse()?;
    let opened = Store::open(&DatabaseAccess::Given { url: url.clone(), direct_url: url, ca: None }).await;
    assert!(matches!(opened, Err(OpenError::Silent)));
    Ok(())
}
