//! Measurements of the past: a range is answered whole or refused, never cut.

use crate::support::{Fixture, SPOOL, TestBox, with_token};
use anyhow::{Context, Result};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::history_service_client::HistoryServiceClient;
use kaliun_proto::telemetry::v1::{Metric, SampleValues};
use prost::Message;
use std::time::{SystemTime, UNIX_EPOCH};
use tonic::Code;
use uuid::Uuid;

/// The longest range there is, in seconds: with a sample each second it has as many samples.
const RANGE_S: i64 = 48 * 3600;

/// Stores a sample for each second from a time on, as if the box had sent them, `at_once` of them with the same time.
async fn store_samples(fixture: &Fixture, device: &str, from_ms: i64, seconds: i64, at_once: i64) -> Result<()> {
    let values = SampleValues { metrics: vec![Metric::CpuBusyRatio.into()], values: vec![0.25] }.encode_to_vec();
    fixture
        .admin()
        .await?
        .execute(
            "INSERT INTO sample_head (organization_id, device_id, spool_id, sequence, sampled_at, stored_at, sample_values)
             SELECT d.organization_id, d.id, $2, n, to_timestamp(($3::bigint / 1000) + n / $5 * $5), now(), $6
             FROM device d, generate_series(0, $4::bigint - 1) AS n WHERE d.id = $1",
            &[&device.parse::<Uuid>()?, &SPOOL.as_slice(), &from_ms, &seconds, &at_once, &values],
        )
        .await?;
    Ok(())
}

#[tokio::test]
async fn two_days_of_a_sample_each_second_come_back_whole() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let now_s = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let (from_ms, to_ms) = ((now_s - RANGE_S) * 1000, now_s * 1000);
    // Ten have the same time: pages of samples end between such ones too.
    store_samples(&fixture, &known.device_id, from_ms, RANGE_S, 10).await?;

    let mut client = HistoryServiceClient::new(fixture.public().await?);
    let question = fleet::QueryMetricsRequest {
        device_id: known.device_id.clone(),
        metrics: vec![Metric::CpuBusyRatio.into()],
        from_ms,
        to_ms,
        step_ms: 3_600_000,
    };
    let answer = client.query_metrics(with_token(question.clone())).await?.into_inner();
    let points = &answer.series.first().context("a series")?.points;
    let counts: Vec<u32> = points.iter().map(|point| point.count).collect();
    assert_eq!(counts, vec![3600; 48], "an hour each, up to the new end");

    // A box that takes more than it was told to: what does not fit is named, and what fits is answered.
    store_samples(&fixture, &known.device_id, from_ms, 20_000, 1).await?;
    let refused = client.query_metrics(with_token(question.clone())).await.map(|_| ()).expect_err("too many");
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    let hours = refused.message().split("at most ").nth(1).and_then(|rest| rest.split(' ').next());
    let hours: i64 = hours.with_context(|| format!("{refused:?}"))?.parse()?;
    assert!((40..48).contains(&hours), "{refused:?}");
    let fitting = fleet::QueryMetricsRequest { to_ms: from_ms + hours * 3_600_000, ..question };
    let answer = client.query_metrics(with_token(fitting)).await?.into_inner();
    assert_eq!(answer.series.first().map(|series| series.points.len()), Some(usize::try_from(hours)?));
    fixture.stop().await
}
