//! `control-plane ca`: keys that leave the database, come into another one, and are sealed anew.

use super::refused;
use crate::support::ca::{passphrase, run_ca, text};
use crate::support::{Fixture, TestBox, config_for, public_channel, secure_stream, with_token};
use anyhow::{Context, Result, ensure};
use kaliun_cluster::testing::TestDatabase;
use kaliun_control_plane::authority::{AuthorityError, KeyFile};
use kaliun_control_plane::ca::CaError;
use kaliun_control_plane::config::Config;
use kaliun_control_plane::server::Server;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::authority_service_client::AuthorityServiceClient;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const PASSPHRASE: &str = "correct horse battery staple";

fn mode(path: &Path) -> Result<u32> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o777)
}

/// The configuration of another server with an empty database and a folder of its own.
async fn elsewhere(fixture: &Fixture) -> Result<(TestDatabase, Config)> {
    let database = TestDatabase::create().await?;
    let folder = fixture.folder().join("elsewhere");
    std::fs::create_dir_all(&folder)?;
    let config = config_for(&database, folder, fixture.folder().join("token"));
    Ok((database, config))
}

#[tokio::test]
async fn what_was_exported_goes_into_an_empty_database_and_boxes_know_the_server() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let (words, file) = (passphrase(&fixture, PASSPHRASE)?, fixture.folder().join("authorities"));
    // While the server runs.
    let export = ["export", "--to", text(&file), "--passphrase-file", text(&words)];
    let said = run_ca(fixture.config(), &export).await??;
    ensure!(said.contains("1 authorities and 1 trust bundles"), "{said}");
    assert_eq!(mode(&file)?, 0o600);
    let again = run_ca(fixture.config(), &export).await?.err().context("it was overwritten")?;
    ensure!(matches!(again, CaError::Authority(AuthorityError::File { .. })), "{again}");
    let audited = "SELECT count(*) FROM audit WHERE action = 'ca.export' AND actor = 'control-plane'";
    assert_eq!(fixture.admin().await?.query_one(audited, &[]).await?.get::<_, i64>(0), 2);

    let (_database, other) = elsewhere(&fixture).await?;
    let wrong = passphrase(&fixture, "correct horse battery stable, or so")?;
    let try_import = async |config: &Config, words: &Path| {
        run_ca(config, &["import", "--from", text(&file), "--passphrase-file", text(words)]).await
    };
    let error = try_import(&other, &wrong).await?.err().context("any passphrase opens it")?;
    ensure!(matches!(error, CaError::Authority(AuthorityError::OtherLock { .. })), "{error}");
    let error = try_import(fixture.config(), &words).await?.err().context("over what is there")?;
    ensure!(matches!(error, CaError::NotEmpty), "{error}");

    try_import(&other, &words).await??;
    assert_eq!(mode(&other.authority_key_file)?, 0o600);
    ensure!(std::fs::read(&other.authority_key_file)? != std::fs::read(&fixture.config().authority_key_file)?);
    let error = try_import(&other, &words).await?.err().context("twice")?;
    ensure!(matches!(error, CaError::NotEmpty), "{error}");
    let server = Server::start(&other).await?;
    assert_eq!(server.trust_hash(), fixture.server.trust_hash());
    secure_stream(server.addresses().device, &known.roots, None).await.context("a box believes it")?;
    server.stop().await;
    fixture.stop().await
}

/// A database that knows no devices would let a rotation go on by itself to its end, and boxes that come back find their authority gone.
#[tokio::test]
async fn a_rotation_that_goes_by_itself_stands_still_in_a_database_that_knows_no_devices() -> Result<()> {
    let fixture = Fixture::start().await?;
    TestBox::enroll(&fixture, "cellar").await?;
    let request = fleet::StartRotationRequest { is_automatic: true, ..fleet::StartRotationRequest::default() };
    AuthorityServiceClient::new(fixture.public().await?).start_rotation(with_token(request)).await?;
    let (words, file) = (passphrase(&fixture, PASSPHRASE)?, fixture.folder().join("authorities"));
    run_ca(fixture.config(), &["export", "--to", text(&file), "--passphrase-file", text(&words)]).await??;

    let (_database, other) = elsewhere(&fixture).await?;
    let said = run_ca(&other, &["import", "--from", text(&file), "--passphrase-file", text(&words)]).await??;
    ensure!(said.contains("fleetctl ca rotate resume"), "{said}");
    let server = Server::start(&other).await?;
    let mut client = AuthorityServiceClient::new(public_channel(&server).await?);
    let answer = client.get_rotation(with_token(fleet::GetRotationRequest {})).await?.into_inner();
    let rotation = answer.rotation.context("a rotation")?;
    assert_eq!(rotation.phase(), fleet::RotationPhase::Trust);
    ensure!(rotation.reason.as_ref().is_some_and(|reason| reason.code == "rotation.paused"), "{rotation:?}");
    ensure!(rotation.grace_ms > 0, "it goes by itself again when somebody says so: {rotation:?}");
    server.stop().await;
    fixture.stop().await
}

/// An export of the first version goes into a database for ever.
#[tokio::test]
async fn an_export_of_the_first_version_is_taken() -> Result<()> {
    let fixture = Fixture::start().await?;
    let (_database, other) = elsewhere(&fixture).await?;
    let words = passphrase(&fixture, PASSPHRASE)?;
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/flow/keys_at_rest/export-v1");
    let golden = ["import", "--from", text(&golden), "--passphrase-file", text(&words)];
    let said = run_ca(&other, &golden).await??;
    ensure!(said.starts_with("2 authorities and 3 trust bundles"), "{said}");
    let server = Server::start(&other).await?;
    let hash = data_encoding::HEXLOWER.encode(&server.trust_hash());
    assert_eq!(hash, include_str!("export-v1.trust-hash").trim());
    server.stop().await;
    fixture.stop().await
}

#[tokio::test]
async fn keys_are_sealed_anew_while_nobody_runs() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut known = TestBox::enroll(&fixture, "cellar").await?;
    let new = fixture.folder().join("new.key");
    let rekey = ["rekey", "--to", text(&new)];
    let error = run_ca(fixture.config(), &rekey).await?.err().context("a replica runs")?;
    ensure!(matches!(&error, CaError::Running(names) if names.len() == 1), "{error}");
    let config = fixture.config().clone();
    let same = ["rekey", "--to", text(&config.authority_key_file)];
    let error = run_ca(&config, &same).await?.err().context("the same file")?;
    ensure!(matches!(error, CaError::SameFile(_)), "{error}");

    let hash = fixture.server.trust_hash();
    let fixture = fixture.halt().await;
    run_ca(&config, &rekey).await??;
    assert_eq!(mode(&new)?, 0o600);
    let error = refused(&config).await?;
    ensure!(matches!(error, AuthorityError::OtherKeyFile { .. }), "{error}");
    // With the old file it cannot be done twice either.
    let error = run_ca(&config, &["rekey", "--to", text(&fixture.folder().join("third.key"))]).await?.err();
    ensure!(matches!(error, Some(CaError::Authority(AuthorityError::OtherKeyFile { .. }))), "{error:?}");
    let config = Config { authority_key_file: new.clone(), ..config };
    let server = Server::start(&config).await?;
    assert_eq!(server.trust_hash(), hash);
    known.address = server.addresses().device;
    known.open().await?;
    server.stop().await;
    ensure!(KeyFile::open(&new)?.is_some());
    fixture.remove()
}
