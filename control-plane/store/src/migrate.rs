//! Brings the schema to what this program knows.
//!
//! Forward only. One replica migrates, the others wait for it. A schema that is newer than this program is refused.

use refinery::{Runner, embed_migrations};
use std::time::Duration;
use thiserror::Error;
use tokio_postgres::Client;

embed_migrations!("migrations");

/// Any number will do, as long as nobody else in this database uses it.
const LOCK_KEY: i64 = 0x6b61_6c69_756e;
/// Longest wait for another replica's migration, in steps of `LOCK_RETRY`.
const LOCK_TRIES: u32 = 600;
const LOCK_RETRY: Duration = Duration::from_millis(200);

/// The three roles. `kaliun_owner` never logs in; whether the others may is for the one who sets up the database to say.
const ROLES: &str = "
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'kaliun_owner') THEN CREATE ROLE kaliun_owner NOLOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'kaliun_app') THEN CREATE ROLE kaliun_app NOLOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'kaliun_system') THEN CREATE ROLE kaliun_system NOLOGIN; END IF;
    IF NOT pg_has_role(current_user, 'kaliun_owner', 'MEMBER') THEN EXECUTE format('GRANT kaliun_owner TO %I', current_user); END IF;
    IF NOT pg_has_role(current_user, 'kaliun_app', 'MEMBER') THEN EXECUTE format('GRANT kaliun_app TO %I', current_user); END IF;
    IF NOT pg_has_role(current_user, 'kaliun_system', 'MEMBER') THEN EXECUTE format('GRANT kaliun_system TO %I', current_user); END IF;
    EXECUTE format('GRANT CREATE ON SCHEMA public TO kaliun_owner');
END;
$$";

/// Why the schema could not be brought up.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// The roles could not be made.
    #[error(
        "the database roles could not be made; as a superuser run: CREATE ROLE kaliun_owner NOLOGIN; CREATE ROLE kaliun_app NOLOGIN; \
         CREATE ROLE kaliun_system NOLOGIN; and grant all three to the login of the control plane"
    )]
    Roles(#[source] tokio_postgres::Error),
    /// The database went away.
    #[error("the database failed while the schema was brought up to date")]
    Database(#[from] tokio_postgres::Error),
    /// Somebody else holds the lock for too long.
    #[error(
        "another control plane has been migrating this database for two minutes; see what it does, then start again"
    )]
    Locked,
    /// A migration failed, or the schema is newer than this program.
    #[error("the database schema does not fit this program: {0}")]
    Schema(#[source] Box<refinery::Error>),
}

/// Makes roles and tables as this program knows them.
///
/// `client` must be a direct connection, not one through a transaction pooler, for the lock belongs to the connection.
///
/// # Errors
/// See [`MigrateError`].
pub async fn migrate(client: &mut Client) -> Result<(), MigrateError> {
    lock(client).await?;
    let result = migrate_locked(client).await;
    client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK_KEY]).await?;
    result
}

async fn lock(client: &Client) -> Result<(), MigrateError> {
    for _ in 0..LOCK_TRIES {
        let row = client.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK_KEY]).await?;
        if row.get(0) {
            return Ok(());
        }
        tokio::time::sleep(LOCK_RETRY).await;
    }
    Err(MigrateError::Locked)
}

async fn migrate_locked(client: &mut Client) -> Result<(), MigrateError> {
    client.batch_execute(ROLES).await.map_err(MigrateError::Roles)?;
    client.batch_execute("SET ROLE kaliun_owner").await?;
    let runner: Runner = migrations::runner();
    // A migration that the database has and this program has not means the database is newer.
    let result = runner.set_abort_missing(true).set_abort_divergent(true).run_async(client).await;
    client.batch_execute("RESET ROLE").await?;
    result.map(|_report| ()).map_err(|error| MigrateError::Schema(Box::new(error)))
}
