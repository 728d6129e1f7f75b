//! A copy of a whole database, and the way back to it.

use super::{PATIENCE, Stopped, connect};
use anyhow::{Result, ensure};
use std::time::Instant;
use tokio_postgres::Client;

impl Stopped {
    /// A connection beside the database, for what cannot be done from inside.
    async fn beside(&self) -> Result<Client> {
        let mut config = self.database.admin_config();
        connect(config.dbname("postgres")).await
    }

    fn copy_name(&self) -> String {
        format!("{}_backup", self.database.name())
    }

    /// Copies all of the database, file by file, as Postgres does it.
    pub(crate) async fn back_up(&self) -> Result<()> {
        let beside = self.beside().await?;
        empty(&beside, self.database.name()).await?;
        let statement = format!("CREATE DATABASE {} TEMPLATE {}", self.copy_name(), self.database.name());
        Ok(beside.batch_execute(&statement).await?)
    }

    /// Puts the copy in the database's place; what happened since is gone.
    pub(crate) async fn restore(&self) -> Result<()> {
        let beside = self.beside().await?;
        empty(&beside, self.database.name()).await?;
        beside.batch_execute(&format!("DROP DATABASE {}", self.database.name())).await?;
        let statement = format!("ALTER DATABASE {} RENAME TO {}", self.copy_name(), self.database.name());
        Ok(beside.batch_execute(&statement).await?)
    }
}

/// Waits until nobody is connected any more: a template must be nobody's.
async fn empty(beside: &Client, name: &str) -> Result<()> {
    let began = Instant::now();
    loop {
        let rows =
            beside.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", &[&name]).await?;
        if rows.is_empty() {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "{} are connected", rows.len());
    }
}
