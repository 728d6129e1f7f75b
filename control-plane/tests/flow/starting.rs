//! Whether the program starts at all.

use crate::support::{Fixture, PATIENCE, TestBox, with_token};
use anyhow::Result;
use kaliun_cluster::ADMIN;
use kaliun_control_plane::config::Database;
use kaliun_proto::fleet::v1 as fleet;
use tokio::process::Command;

#[tokio::test]
async fn a_server_without_a_database_url_brings_a_database_and_finds_it_again() -> Result<()> {
    let fixture = Fixture::start_with(|config| config.database = Database::Private).await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let fixture = fixture.restart().await?;
    let listed = fixture.devices().await?.list_devices(with_token(fleet::ListDevicesRequest::default())).await?;
    let ids: Vec<String> = listed.into_inner().devices.into_iter().map(|device| device.id).collect();
    assert_eq!(ids, [known.device_id]);
    fixture.stop().await
}

#[tokio::test]
async fn the_program_refuses_a_schema_that_is_newer_than_it() -> Result<()> {
    let fixture = Fixture::start().await?;
    fixture
        .admin()
        .await?
        .execute(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
             VALUES (9999, 'from_the_future', '2030-01-01T00:00:00Z', '1')",
            &[],
        )
        .await?;
    let (name, socket) = (fixture.database.name(), fixture.database.socket_folder().display());
    let mut program = Command::new(env!("CARGO_BIN_EXE_control-plane"));
    program
        .env_clear()
        .env("KALIUN_DATABASE_URL", format!("postgresql:///{name}?host={socket}&user={ADMIN}"))
        .args(["serve", "--device-listen=127.0.0.1:0", "--public-listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0"])
        .arg("--state-dir")
        .arg(fixture.folder().join("program"))
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, program.output()).await??;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the database schema does not fit this program"), "{said}");
    fixture.stop().await
}

/// A replica that never was must not be waited for by the others.
#[tokio::test]
async fn a_start_that_fails_signs_off() -> Result<()> {
    let fixture = Fixture::start().await?;
    let admin = fixture.admin().await?;
    admin.batch_execute("ALTER TABLE cluster RENAME COLUMN page_token_key TO moved_away").await?;
    assert!(fixture.replica().await.is_err(), "it starts without what it needs");
    let replicas: Vec<String> =
        admin.query("SELECT name FROM replica", &[]).await?.iter().map(|row| row.get(0)).collect();
    assert_eq!(replicas, [fixture.config().replica_name.clone()]);
    fixture.stop().await
}
