//! Entries as they are sealed, for who may see them and as long as they may.

use super::{audits, change, settled};
use crate::support::{Fixture, PATIENCE, with_token, with_token_of};
use anyhow::{Context, Result, ensure};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::api_token_service_client::ApiTokenServiceClient;
use kaliun_proto::fleet::v1::export_audit_chain_response::Piece;
use tonic::{Code, Streaming};

type Followed = Streaming<fleet::FollowAuditEntriesResponse>;

fn everything(after_sequence: Option<u64>) -> fleet::FollowAuditEntriesRequest {
    fleet::FollowAuditEntriesRequest { filter: None, after_sequence }
}

/// Reads until so many entries have come.
async fn read(stream: &mut Followed, count: usize) -> Result<Vec<fleet::AuditEntry>> {
    let mut entries = Vec::new();
    while entries.len() < count {
        let message = tokio::time::timeout(PATIENCE, stream.message()).await.context("nothing comes")??;
        entries.extend(message.context("it ended")?.entries);
    }
    Ok(entries)
}

#[tokio::test]
async fn who_follows_sees_each_entry_once_and_in_order() -> Result<()> {
    let fixture = Fixture::start().await?;
    change(&fixture, 3).await?;
    settled(&fixture).await?;
    let mut from_now = audits(&fixture).await?.follow_audit_entries(with_token(everything(None))).await?.into_inner();
    let first = tokio::time::timeout(PATIENCE, from_now.message()).await??.context("a first word")?;
    ensure!(first.entries.is_empty() && first.through_sequence >= 3, "{first:?}");
    let mut from_first =
        audits(&fixture).await?.follow_audit_entries(with_token(everything(Some(0)))).await?.into_inner();
    let known = usize::try_from(first.through_sequence)?;
    let before = read(&mut from_first, known).await?;
    // At another replica than the one that seals, perhaps: it is the same.
    change(&fixture, 5).await?;
    let (new, after) = (read(&mut from_now, 5).await?, read(&mut from_first, 5).await?);
    assert_eq!(new, after);
    let numbers: Vec<u64> = before.iter().chain(&new).map(|entry| entry.sequence).collect();
    assert_eq!(numbers, (1..=first.through_sequence + 5).collect::<Vec<_>>());
    fixture.stop().await
}

/// A token that may read the audit.
async fn token(fixture: &Fixture) -> Result<(String, String)> {
    let mut tokens = ApiTokenServiceClient::new(fixture.public().await?);
    let role = fleet::Role::Admin.into();
    let request = fleet::CreateApiTokenRequest { name: "auditor".to_owned(), role, ..Default::default() };
    let made = tokens.create_api_token(with_token(request)).await?.into_inner();
    Ok((made.api_token.context("a token")?.id, made.secret))
}

#[tokio::test]
async fn a_revoked_token_follows_no_longer() -> Result<()> {
    let fixture = Fixture::start().await?;
    let (id, secret) = token(&fixture).await?;
    let request = with_token_of(&secret, everything(Some(0)));
    let mut stream = audits(&fixture).await?.follow_audit_entries(request).await?.into_inner();
    read(&mut stream, 1).await?;
    let mut tokens = ApiTokenServiceClient::new(fixture.public().await?);
    tokens.revoke_api_token(with_token(fleet::RevokeApiTokenRequest { id })).await?;
    let ended = async {
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => anyhow::bail!("it ended without a word"),
                Err(status) => return Ok(status.code()),
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, ended).await??, Code::Unauthenticated);
    fixture.stop().await
}

#[tokio::test]
async fn an_organization_has_so_many_streams_and_no_more() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut streams = Vec::new();
    for _ in 0..8 {
        let stream = audits(&fixture).await?.follow_audit_entries(with_token(everything(None))).await?.into_inner();
        streams.push(stream);
    }
    let refused = audits(&fixture).await?.follow_audit_entries(with_token(everything(None))).await;
    assert_eq!(refused.map(drop).unwrap_err().code(), Code::Unavailable);
    // Whoever goes makes room.
    streams.pop();
    let again = async {
        while audits(&fixture).await?.follow_audit_entries(with_token(everything(None))).await.is_err() {
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, again).await??;
    fixture.stop().await
}

#[tokio::test]
async fn a_chain_is_handed_out_from_its_start_to_its_end() -> Result<()> {
    let fixture = Fixture::start().await?;
    change(&fixture, 450).await?;
    settled(&fixture).await?;
    let request = with_token(fleet::ExportAuditChainRequest {});
    let mut stream = audits(&fixture).await?.export_audit_chain(request).await?.into_inner();
    let (mut numbers, mut parts, mut checkpoints) = (Vec::new(), 0, 0);
    let first = stream.message().await?.and_then(|message| message.piece);
    ensure!(matches!(&first, Some(Piece::Start(start)) if start.public_keys.len() == 1), "{first:?}");
    let end = loop {
        match stream.message().await?.and_then(|message| message.piece).context("it ended before its end")? {
            Piece::Part(part) => {
                parts += 1;
                checkpoints += part.checkpoints.len();
                numbers.extend(part.entries.into_iter().filter_map(|entry| entry.entry).map(|entry| entry.sequence));
            }
            Piece::End(end) => break end,
            Piece::Start(start) => anyhow::bail!("{start:?}"),
        }
    };
    assert_eq!(numbers, (1..=end.head_sequence).collect::<Vec<_>>());
    ensure!(parts == 3 && checkpoints >= 2 && end.unsealed_count == 0, "{parts} {checkpoints} {end:?}");
    ensure!(stream.message().await?.is_none(), "nothing comes after the end");
    fixture.stop().await
}
