//! The checked-in `schema.sql`: what all migrations together make of an empty database, for people to read in one piece.

use crate::support::connect;
use anyhow::{Context, Result, ensure};
use kaliun_cluster::testing::TestDatabase;
use kaliun_cluster::{ADMIN, Programs};
use kaliun_store::migrate;
use std::path::Path;
use std::process::Command;

/// Set to anything, this makes the test write the file.
const WRITE: &str = "KALIUN_WRITE_SCHEMA";

/// What the file begins with.
fn header(major: u32) -> String {
    format!(
        "-- What the migrations make of an empty database, as pg_dump of Postgres {major} tells it. Nobody runs this file: a test
-- compares it with the migrations. After a new one: {WRITE}=1 cargo nextest run -p kaliun-store schema_file

"
    )
}

/// The schema of a database, without what is the migration library's own.
fn dump(database: &TestDatabase, programs: &Programs) -> Result<String> {
    let ports = database.admin_config().get_ports().to_vec();
    let output = Command::new(programs.folder().join("pg_dump"))
        .args(["--schema-only", "--exclude-table=refinery_schema_history", "--username", ADMIN])
        .args(["--port", &ports.first().context("the cluster has a port")?.to_string()])
        .arg("--host")
        .arg(database.socket_folder())
        .arg(database.name())
        .output()
        .context("pg_dump cannot be run; it comes with the client programs of Postgres")?;
    ensure!(output.status.success(), "pg_dump failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(plain(&String::from_utf8(output.stdout)?))
}

/// Leaves out comments, settings of the session and doubled empty lines: they differ from one version of pg_dump to the next.
fn plain(sql: &str) -> String {
    const NOISE: [&str; 5] = ["--", "SET ", "SELECT pg_catalog.set_config(", "\\restrict ", "\\unrestrict "];
    let mut lines: Vec<&str> = sql.lines().filter(|line| !NOISE.iter().any(|noise| line.starts_with(noise))).collect();
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    format!("{}\n", lines.join("\n").trim())
}

#[tokio::test]
async fn the_migrations_make_the_schema_that_is_checked_in() -> Result<()> {
    let database = TestDatabase::create().await?;
    migrate(&mut connect(&database).await?).await?;
    let programs = Programs::find(None)?;
    let made = dump(&database, &programs)?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.sql");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, header(programs.major()) + &made)?;
    }
    // Another version of Postgres words the same schema differently, so the file is told by the same one as the migrations.
    let read = TestDatabase::create().await?;
    let admin = connect(&read).await?;
    admin.batch_execute("GRANT CREATE ON SCHEMA public TO kaliun_owner; SET check_function_bodies = off").await?;
    admin.batch_execute(&std::fs::read_to_string(&path)?).await.context("schema.sql cannot be loaded")?;
    let written = dump(&read, &programs)?;
    let differs = made.lines().zip(written.lines()).find(|(made, written)| made != written);
    assert!(
        made == written,
        "schema.sql is not what the migrations make{}; look at the new migration, then write the file anew: {WRITE}=1 cargo \
         nextest run -p kaliun-store schema_file",
        differs.map_or_else(String::new, |(made, written)| format!(": {made:?} is {written:?} there"))
    );
    Ok(())
}
