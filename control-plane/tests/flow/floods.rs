//! Enrolments that come to nothing: refused, counted by where they come from, and noted on the device whose key it was.

use crate::support::{Fixture, PATIENCE, TestBox, device_channel, enroll, enroll_over, learn_roots, with_token_of};
use anyhow::{Context, Result, ensure};
use kaliun_proto::enrollment::v1::enroll_response::Step as Answer;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::join_token_service_client::JoinTokenServiceClient;
use rcgen::KeyPair;
use std::time::Instant;
use tokio_postgres::Client;
use uuid::Uuid;

/// The token of another organization's admin.
pub(crate) const OTHER: &str = "kat1.a-token-of-another-organization-for-tests";

/// Makes another organization behind the server's back, with an admin's token.
pub(crate) async fn other_organization(admin: &Client) -> Result<Uuid> {
    let organization = Uuid::now_v7();
    admin.execute("INSERT INTO organization (id, name) VALUES ($1, 'Other')", &[&organization]).await?;
    let statement = "INSERT INTO api_token (id, organization_id, name, role, secret_hash, created_by, expires_at)
                     VALUES (gen_random_uuid(), $1, 'other', 4, sha256($2), 'test', now() + interval '1 hour')";
    admin.execute(statement, &[&organization, &OTHER.as_bytes()]).await?;
    Ok(organization)
}

/// A join token of the other organization: its id and its secret.
pub(crate) async fn other_join_token(fixture: &Fixture) -> Result<(String, String)> {
    let request = fleet::CreateJoinTokenRequest {
        description: "other".to_owned(),
        max_uses: 10,
        ..fleet::CreateJoinTokenRequest::default()
    };
    let mut tokens = JoinTokenServiceClient::new(fixture.public().await?);
    let made = tokens.create_join_token(with_token_of(OTHER, request)).await?.into_inner();
    Ok((made.join_token.context("a join token")?.id, made.secret))
}

/// The reason of a refused enrolment.
pub(crate) async fn refused(fixture: &Fixture, key: &KeyPair, join_token: &str) -> Result<String> {
    let roots = learn_roots(fixture).await?;
    match enroll(fixture, &roots, key, join_token, "cellar", async |_| {}).await? {
        Answer::Refused(refused) => Ok(refused.reason),
        other @ (Answer::Challenge(_) | Answer::Pending(_) | Answer::Issued(_)) => {
            anyhow::bail!("not refused: {other:?}")
        }
    }
}

/// Waits until so much is counted, and answers the rows that hold it.
pub(crate) async fn counted(admin: &Client, reason: &str, wanted: i64) -> Result<Vec<(String, Option<Uuid>)>> {
    let began = Instant::now();
    loop {
        let rows = admin
            .query(
                "SELECT source, organization_id, refused_count FROM enrollment_refusal WHERE reason = $1",
                &[&reason],
            )
            .await?;
        let sum: i64 = rows.iter().map(|row| row.get::<_, i64>(2)).sum();
        if sum >= wanted {
            ensure!(sum == wanted, "{sum} of {wanted}");
            return Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect());
        }
        ensure!(began.elapsed() < PATIENCE, "{sum} of {wanted} {reason}");
    }
}

#[tokio::test]
async fn a_key_asks_for_no_second_identity_unnoticed() -> Result<()> {
    let fixture = Fixture::start().await?;
    let admin = fixture.admin().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let noted = async || -> Result<i64> {
        let statement = "SELECT key_reused_count FROM device_identity WHERE device_id::text = $1";
        let row = admin.query_opt(statement, &[&known.device_id]).await?;
        Ok(row.map_or(0, |row| row.get(0)))
    };
    // In another organization.
    let other = other_organization(&admin).await?;
    let (_id, secret) = other_join_token(&fixture).await?;
    assert_eq!(refused(&fixture, &known.key, &secret).await?, "enrollment.key_in_use");
    assert_eq!(noted().await?, 1);
    // By a code it may be the box itself, which lost its record: that is no accusation.
    assert_eq!(refused(&fixture, &known.key, "").await?, "enrollment.key_in_use");
    assert_eq!(noted().await?, 1);
    let told = "SELECT count(*) FROM event WHERE device_id::text = $1 AND code = 'device.key_reused'";
    assert_eq!(admin.query_one(told, &[&known.device_id]).await?.get::<_, i64>(0), 1, "told once in a day");
    let elsewhere = "SELECT count(*) FROM event WHERE organization_id = $1";
    assert_eq!(
        admin.query_one(elsewhere, &[&other]).await?.get::<_, i64>(0),
        0,
        "the other organization learns nothing"
    );
    // The device goes on, and gets its certificate again by a token of its own organization.
    known.open().await?;
    let token = fixture.join_token().await?;
    let roots = learn_roots(&fixture).await?;
    let again = enroll(&fixture, &roots, &known.key, &token, "cellar", async |_| {}).await?;
    ensure!(matches!(again, Answer::Issued(_)), "{again:?}");
    fixture.stop().await
}

#[tokio::test]
async fn refused_enrolments_are_sums_of_their_source_and_of_whose_token_it_was() -> Result<()> {
    let fixture = Fixture::start().await?;
    let admin = fixture.admin().await?;
    let other = other_organization(&admin).await?;
    let (id, secret) = other_join_token(&fixture).await?;
    let revoke = fleet::RevokeJoinTokenRequest { id };
    JoinTokenServiceClient::new(fixture.public().await?).revoke_join_token(with_token_of(OTHER, revoke)).await?;
    let nobodys = fixture.join_token().await?.chars().rev().collect::<String>();
    let key = KeyPair::generate()?;
    for _ in 0..3 {
        assert_eq!(refused(&fixture, &key, &nobodys).await?, "enrollment.token_invalid");
    }
    for _ in 0..2 {
        assert_eq!(refused(&fixture, &key, &secret).await?, "enrollment.token_revoked");
    }
    assert_eq!(counted(&admin, "enrollment.token_invalid", 3).await?, [("127.0.0.1".to_owned(), None)]);
    assert_eq!(counted(&admin, "enrollment.token_revoked", 2).await?, [("127.0.0.1".to_owned(), Some(other))]);
    fixture.stop().await
}

/// Ten times what one source may do at once, as fast as it goes: all are refused and counted, the database gets one row for each reason,
/// and a box that is known connects meanwhile.
#[tokio::test]
async fn a_flood_is_a_sum_and_harms_nobody() -> Result<()> {
    const TRIES: i64 = 500;
    let fixture = Fixture::start().await?;
    let admin = fixture.admin().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let roots = learn_roots(&fixture).await?;
    let channel = device_channel(fixture.device_address(), &roots, None).await?;
    let key = KeyPair::generate()?;
    let mut busy = 0;
    let mut known_sessions = 0;
    for number in 0..TRIES {
        match enroll_over(channel.clone(), &key, &key, "kjt1.no.token", "cellar", async |_| {}).await {
            Ok(Answer::Refused(refused)) => assert_eq!(refused.reason, "enrollment.token_invalid"),
            Ok(other) => anyhow::bail!("not refused: {other:?}"),
            Err(error) => {
                let status = error.downcast::<tonic::Status>()?;
                ensure!(status.message().starts_with("enrollment.busy"), "{status:?}");
                busy += 1;
            }
        }
        if number % 100 == 0 {
            known.open().await?;
            known_sessions += 1;
        }
    }
    ensure!(known_sessions == 5 && busy > 0, "{busy} were busy");
    assert_eq!(counted(&admin, "enrollment.busy", busy).await?.len(), 1);
    assert_eq!(counted(&admin, "enrollment.token_invalid", TRIES - busy).await?.len(), 1);
    // One line, for those who run the control plane.
    let lines = crate::posture::platform_findings(&fixture).await?;
    let lines: Vec<_> = lines.iter().map(|line| (line.reason.as_str(), line.source.as_str(), line.count)).collect();
    assert_eq!(lines, [("enrollment.flood", "127.0.0.1", u64::try_from(TRIES)?)]);
    fixture.stop().await
}
