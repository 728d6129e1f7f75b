//! The authorities' keys: sealed in the database, opened with a file that it never sees, the same for all replicas.

mod old_authority;
mod portable;

use crate::support::{Fixture, TestBox};
use anyhow::{Context, Result, ensure};
use kaliun_control_plane::authority::{AuthorityError, KeyFile};
use kaliun_control_plane::config::Config;
use kaliun_control_plane::server::{Server, ServerError};
use old_authority::OldAuthority;
use rcgen::KeyPair;

/// Starts a server that must not start; answers why not.
async fn refused(config: &Config) -> Result<AuthorityError> {
    match Server::start(config).await {
        Ok(server) => {
            server.stop().await;
            anyhow::bail!("it started")
        }
        Err(ServerError::Authority(error)) => Ok(error),
        Err(other) => Err(other.into()),
    }
}

#[tokio::test]
async fn the_database_holds_no_key_in_the_clear() -> Result<()> {
    let fixture = Fixture::start().await?;
    let keys = KeyFile::open(&fixture.config().authority_key_file)?.context("a key file was made")?;
    let admin = fixture.admin().await?;
    let mut opened = 0;
    for (purpose, query) in
        [("authority 1", "SELECT sealed_key FROM authority"), ("bundle key 1", "SELECT sealed_key FROM trust_bundle")]
    {
        let sealed: Vec<u8> = admin.query_one(query, &[]).await?.get(0);
        let plain = keys.unseal(purpose, &sealed)?;
        // PKCS#8 of a P-256 key has the private scalar behind the 36th byte.
        let scalar = plain.get(36..68).context("PKCS#8")?;
        KeyPair::try_from(&rustls::pki_types::PrivatePkcs8KeyDer::from(plain.as_slice()))?;
        ensure!(!sealed.windows(8).any(|part| scalar.starts_with(part)), "{purpose} is there in the clear");
        opened += 1;
    }
    assert_eq!(opened, 2);
    fixture.stop().await
}

#[tokio::test]
async fn another_key_file_starts_no_replica() -> Result<()> {
    let fixture = Fixture::start().await?;
    let other = Config { replica_name: "other".to_owned(), ..fixture.config().clone() };
    let foreign = fixture.folder().join("foreign.key");
    KeyFile::open_or_create(&foreign)?;
    let error = refused(&Config { authority_key_file: foreign, ..other.clone() }).await?;
    ensure!(matches!(error, AuthorityError::OtherKeyFile { .. }), "{error}");
    let missing = fixture.folder().join("missing.key");
    let error = refused(&Config { authority_key_file: missing.clone(), ..other.clone() }).await?;
    ensure!(matches!(error, AuthorityError::NoKeyFile { .. }), "{error}");
    ensure!(!missing.exists(), "a new file would only hide that the right one is missing");
    // With the right one it starts, and boxes of one replica are known at the other.
    let replica = Server::start(&other).await?;
    assert_eq!(replica.trust_hash(), fixture.server.trust_hash());
    let mut known = TestBox::enroll(&fixture, "cellar").await?;
    known.address = replica.addresses().device;
    known.open().await?;
    replica.stop().await;
    fixture.stop().await
}

/// A fleet of an older program goes on with its authority: boxes know their server and are known.
#[tokio::test]
async fn an_authority_in_a_folder_is_taken_over() -> Result<()> {
    let old = OldAuthority::make()?;
    let fixture = Fixture::start_with(|config| old.write(&config.state_dir.join("authority")).unwrap()).await?;
    assert_eq!(fixture.server.trust_hash(), old.trust_hash());
    ensure!(!fixture.folder().join("authority").exists(), "keys in the clear stay nowhere");
    let mut known = TestBox::enroll(&fixture, "cellar").await?;
    known.open().await?;
    let fixture = fixture.restart().await?;
    assert_eq!(fixture.server.trust_hash(), old.trust_hash());
    known.address = fixture.device_address();
    known.open().await?;
    fixture.stop().await
}

/// A database that lost its authorities, or the wrong one, is not given a new authority, which no box would believe.
#[tokio::test]
async fn boxes_never_get_a_second_first_authority() -> Result<()> {
    let fixture = Fixture::start().await?;
    TestBox::enroll(&fixture, "cellar").await?;
    let admin = fixture.admin().await?;
    let trust_hash = fixture.server.trust_hash();
    let fixture_config = fixture.config().clone();
    // An authority of another fleet lies in the folder of an older program.
    let folder = fixture_config.state_dir.join("authority");
    OldAuthority::make()?.write(&folder)?;
    let other = Config { replica_name: "other".to_owned(), ..fixture_config };
    let error = refused(&other).await?;
    ensure!(matches!(&error, AuthorityError::OtherAuthority { folder: named } if *named == folder), "{error}");
    ensure!(folder.join("ca.key").exists(), "nothing is lost");
    std::fs::remove_dir_all(&folder)?;

    admin.batch_execute("CREATE TABLE kept AS TABLE rotation; DELETE FROM rotation").await?;
    let error = refused(&other).await?;
    ensure!(matches!(error, AuthorityError::NoAuthority { .. }), "{error}");
    let restore = "INSERT INTO rotation SELECT * FROM kept; DROP TABLE kept";
    admin.batch_execute(restore).await?;
    let replica = Server::start(&other).await?;
    assert_eq!(replica.trust_hash(), trust_hash);
    replica.stop().await;
    fixture.stop().await
}
