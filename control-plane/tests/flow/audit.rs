//! The audit's chain under a real server: what was changed by RPC is sealed, handed out and verified, and whoever owns the database and
//! tampers with it is found, each by name.

mod streams;
mod tampering;

use crate::support::{Fixture, PATIENCE, Stopped, with_token};
use anyhow::{Context, Result, ensure};
use kaliun_control_plane::audit::checkpoint_file;
use kaliun_control_plane::audit::verification::verify;
use kaliun_control_plane::config::Config;
use kaliun_control_plane::restored::restored;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::audit_service_client::AuditServiceClient;
use kaliun_types::audit::{Fault, Report};
use std::time::Instant;
use tokio_postgres::Client;
use tonic::transport::Channel;

pub(crate) async fn audits(fixture: &Fixture) -> Result<AuditServiceClient<Channel>> {
    Ok(AuditServiceClient::new(fixture.public().await?))
}

/// Waits until nothing waits to be sealed, and all that is sealed is signed and stands in the file.
async fn settled(fixture: &Fixture) -> Result<()> {
    let admin = fixture.admin().await?;
    // What was signed lately is signed again only in a minute.
    admin.batch_execute("UPDATE audit_chain SET checkpoint_at = '-infinity'").await?;
    let open = "SELECT (SELECT count(*) FROM audit WHERE sequence IS NULL)
                     + (SELECT count(*) FROM audit_chain WHERE checkpoint_sequence < head_sequence)";
    let began = Instant::now();
    loop {
        let left: i64 = admin.query_one(open, &[]).await?.get(0);
        let signed: i64 = admin.query_one("SELECT max(sequence) FROM audit_checkpoint", &[]).await?.get(0);
        let kept = checkpoint_file::read_folder(fixture.folder())?;
        if left == 0 && kept.iter().any(|checkpoint| i64::try_from(checkpoint.sequence).ok() == Some(signed)) {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "{left} are left, and {signed} is not in {kept:?}");
        tokio::task::yield_now().await;
    }
}

/// Verifies the one chain that there is, at the machine.
async fn report(config: &Config) -> Result<Report> {
    Ok(verify(config, &[]).await?.pop().context("a chain")?.report)
}

fn faults(report: &Report) -> Vec<String> {
    report.faults.iter().map(Fault::to_string).collect()
}

/// Some changes by RPC.
async fn change(fixture: &Fixture, count: usize) -> Result<()> {
    for _ in 0..count {
        fixture.join_token().await?;
    }
    Ok(())
}

async fn with_admin<T>(stopped: &Stopped, work: impl AsyncFnOnce(&Client) -> Result<T>) -> Result<T> {
    let admin = crate::support::connect(&stopped.database.admin_config()).await?;
    work(&admin).await
}

#[tokio::test]
async fn changes_are_sealed_signed_and_listed() -> Result<()> {
    let fixture = Fixture::start().await?;
    change(&fixture, 5).await?;
    settled(&fixture).await?;
    let report = report(fixture.config()).await?;
    ensure!(report.is_good(), "{:?}", faults(&report));
    ensure!(report.checkpoints >= 1 && report.unsealed == 0, "{report:?}");
    let filter = fleet::AuditFilter { action_prefix: "join_token.".to_owned(), ..Default::default() };
    let request = fleet::ListAuditEntriesRequest { filter: Some(filter), page_size: 3, page_token: String::new() };
    let page = audits(&fixture).await?.list_audit_entries(with_token(request.clone())).await?.into_inner();
    assert_eq!(page.entries.len(), 3);
    ensure!(page.entries.is_sorted_by_key(|entry| -entry.at_us));
    let entry = &page.entries[0];
    assert_eq!(entry.actor_kind(), fleet::AuditActorKind::ApiToken);
    ensure!(entry.sequence > 0 && entry.actor.starts_with("token:") && entry.source == "127.0.0.1", "{entry:?}");
    ensure!(entry.after_json.contains("test") && !entry.request_id.is_empty(), "{entry:?}");
    let next = fleet::ListAuditEntriesRequest { page_token: page.next_page_token, ..request };
    let next = audits(&fixture).await?.list_audit_entries(with_token(next)).await?.into_inner();
    assert_eq!((next.entries.len(), next.next_page_token.as_str()), (2, ""));
    let one_request = fleet::AuditFilter { request_id: entry.request_id.clone(), ..Default::default() };
    let request = fleet::ListAuditEntriesRequest { filter: Some(one_request), ..Default::default() };
    let of_request = audits(&fixture).await?.list_audit_entries(with_token(request)).await?.into_inner();
    assert_eq!(of_request.entries, page.entries[..1]);
    fixture.stop().await
}

/// Two replicas seal the same chain, and the one that is left goes on.
#[tokio::test]
async fn replicas_seal_one_chain() -> Result<()> {
    let fixture = Fixture::start().await?;
    let replica = fixture.replica().await?;
    change(&fixture, 20).await?;
    settled(&fixture).await?;
    replica.stop().await;
    change(&fixture, 5).await?;
    settled(&fixture).await?;
    let report = report(fixture.config()).await?;
    ensure!(report.is_good() && report.entries >= 25, "{:?}", faults(&report));
    fixture.stop().await
}

/// A chain that is behind the file is an old one, and that is a known state once somebody has said so.
#[tokio::test]
async fn a_restored_database_is_told_and_then_known() -> Result<()> {
    let fixture = Fixture::start().await?;
    change(&fixture, 3).await?;
    settled(&fixture).await?;
    let (fixture, last) = fixture
        .restart_after(async |stopped| {
            stopped.back_up().await?;
            Ok(report(&stopped.config).await?.last)
        })
        .await?;
    change(&fixture, 4).await?;
    settled(&fixture).await?;
    let (fixture, ()) = fixture
        .restart_after(async |stopped| {
            stopped.restore().await?;
            let expected =
                format!("the chain is cut off after entry {last}: the checkpoint file knows entry {}", last + 4);
            assert_eq!(faults(&report(&stopped.config).await?), [expected]);
            restored(&stopped.config, &[]).await?;
            Ok(())
        })
        .await?;
    change(&fixture, 2).await?;
    settled(&fixture).await?;
    let told = report(fixture.config()).await?;
    ensure!(told.is_good(), "{:?}", faults(&told));
    assert_eq!(told.restored.iter().map(|restored| restored.last).collect::<Vec<_>>(), [last]);
    fixture.stop().await
}

/// Keys of the audit are sealed with the key file as all others are, and go over to another one with them.
#[tokio::test]
async fn the_key_goes_over_to_another_key_file() -> Result<()> {
    let fixture = Fixture::start().await?;
    change(&fixture, 1).await?;
    settled(&fixture).await?;
    let (fixture, ()) = fixture
        .restart_after(async |stopped| {
            let to = stopped.config.state_dir.join("other.key");
            let command = kaliun_control_plane::ca::CaCommand::Rekey { to: to.clone() };
            kaliun_control_plane::ca::run(command, &stopped.config).await?;
            std::fs::rename(&to, &stopped.config.authority_key_file)?;
            Ok(())
        })
        .await?;
    change(&fixture, 1).await?;
    settled(&fixture).await?;
    let report = report(fixture.config()).await?;
    ensure!(report.is_good() && report.checkpoints >= 2, "{:?}", faults(&report));
    fixture.stop().await
}
