//! From enrolment to what people see.

use crate::support::claims::check;
use crate::support::{Fixture, PATIENCE, TestBox, enroll, learn_roots, samples, with_token};
use anyhow::{Context, Result};
use kaliun_proto::enrollment::v1::enroll_response::Step as Answer;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use kaliun_proto::link::v1::{FactsReport, ItemClass};
use kaliun_proto::telemetry::v1::{Facts, HealthVerdict, Metric};
use rcgen::KeyPair;
use std::time::Instant;

async fn device(fixture: &Fixture, id: &str) -> Result<fleet::Device> {
    let by = fleet::get_device_request::By::Id(id.to_owned());
    let request = with_token(fleet::GetDeviceRequest { by: Some(by) });
    fixture.devices().await?.get_device(request).await?.into_inner().device.context("a device")
}

/// Waits until a device is as it should be.
pub(crate) async fn wait_for(
    fixture: &Fixture,
    id: &str,
    holds: impl Fn(&fleet::Device) -> bool,
) -> Result<fleet::Device> {
    let began = Instant::now();
    loop {
        let device = device(fixture, id).await?;
        if holds(&device) {
            return Ok(device);
        }
        anyhow::ensure!(began.elapsed() < PATIENCE, "it stayed {device:?}");
    }
}

#[tokio::test]
async fn what_a_box_says_is_what_people_see() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "Cellar Box").await?;
    let before = device(&fixture, &known.device_id).await?;
    assert_eq!(before.name, "cellar-box");
    assert_eq!(before.link.as_ref().map(|link| link.reason.as_str()), Some("link.never_connected"));
    assert_eq!(before.health.as_ref().map(|health| health.verdict()), Some(HealthVerdict::Unknown));

    let mut session = known.open().await?;
    assert!(session.welcome.send_facts, "the server holds other facts");
    session.send(DeviceWord::SampleBatch(samples(1, 3))).await?;
    session.acknowledged(3).await?;
    let seen = device(&fixture, &known.device_id).await?;
    assert_eq!(seen.link.as_ref().map(|link| link.state()), Some(fleet::LinkState::Online));
    assert_eq!(seen.health.as_ref().map(|health| health.verdict()), Some(HealthVerdict::Ok));
    let sample = seen.last_sample.context("a sample")?.values.context("values")?;
    assert_eq!((sample.metrics, sample.values), (vec![Metric::CpuBusyRatio.into()], vec![0.25]));

    let facts = Facts { hostname: "new-name".to_owned(), ..Facts::default() };
    session.send(DeviceWord::FactsReport(FactsReport { facts: Some(facts), hash: Vec::new() })).await?;
    let hostname = |device: &fleet::Device| device.facts.as_ref().is_some_and(|facts| facts.hostname == "new-name");
    wait_for(&fixture, &known.device_id, hostname).await?;

    let now = sampled_at(&seen.link);
    let query = fleet::QueryMetricsRequest {
        device_id: known.device_id.clone(),
        metrics: vec![Metric::CpuBusyRatio.into()],
        from_ms: now - 60_000,
        to_ms: now + 60_000,
        step_ms: 120_000,
    };
    let mut history = fleet::history_service_client::HistoryServiceClient::new(fixture.public().await?);
    let answer = history.query_metrics(with_token(query)).await?.into_inner();
    assert_eq!(answer.series[0].points[0].count, 3);

    drop(session);
    let gone =
        |device: &fleet::Device| device.link.as_ref().is_some_and(|link| link.state() == fleet::LinkState::Offline);
    wait_for(&fixture, &known.device_id, gone).await?;
    let listed = fleet::ListEventsRequest { device_id: known.device_id.clone(), ..Default::default() };
    let events = history.list_events(with_token(listed)).await?.into_inner().events;
    let codes: Vec<&str> = events.iter().map(|event| event.code.as_str()).collect();
    assert!(codes.contains(&"device.enrolled") && codes.contains(&"link.connected"), "{codes:?}");
    fixture.stop().await
}

fn sampled_at(link: &Option<fleet::Link>) -> i64 {
    link.as_ref().map_or(0, |link| link.since_ms)
}

#[tokio::test]
async fn a_session_goes_on_where_the_one_before_was_acknowledged() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut first = known.open().await?;
    first.send(DeviceWord::SampleBatch(samples(1, 10))).await?;
    first.acknowledged(10).await?;
    drop(first);
    let second = known.open().await?;
    let stored = second.welcome.stored.iter().find(|stored| stored.item_class() == ItemClass::Samples);
    assert_eq!(stored.map(|stored| stored.sequence), Some(10));
    fixture.stop().await
}

#[tokio::test]
async fn a_claimed_box_gets_its_certificate_and_a_denied_one_its_reason() -> Result<()> {
    let fixture = Fixture::start().await?;
    let roots = learn_roots(&fixture).await?;
    let public = fixture.public().await?;
    let claims = || fleet::claim_service_client::ClaimServiceClient::new(public.clone());

    let key = KeyPair::generate()?;
    let approve = async |code: String| {
        let looked = claims().look_up_claim(with_token(fleet::LookUpClaimRequest { code: code.clone() })).await;
        let claim = looked.expect("the code is known").into_inner().claim.expect("a claim");
        assert_eq!(claim.facts.map(|facts| facts.hostname).as_deref(), Some("cellar"));
        let typed = format!("{}-{}", &code[..4].to_lowercase(), &code[4..]);
        let check = check(&fixture, &code).await.expect("its screen shows them").to_lowercase();
        let request = fleet::ApproveClaimRequest { code: typed, name: "attic".to_owned(), check, ..Default::default() };
        claims().approve_claim(with_token(request)).await.expect("it is approved");
        let again = claims().look_up_claim(with_token(fleet::LookUpClaimRequest { code })).await;
        assert_eq!(again.expect_err("the code works once").code(), tonic::Code::NotFound);
    };
    match enroll(&fixture, &roots, &key, "", "cellar", approve).await? {
        Answer::Issued(issued) => {
            assert_eq!(issued.device_name, "attic");
            let claimed = TestBox::from_issued(&fixture, key, roots.clone(), issued);
            claimed.open().await?;
        }
        other @ (Answer::Challenge(_) | Answer::Pending(_) | Answer::Refused(_)) => {
            anyhow::bail!("not issued: {other:?}")
        }
    }

    let deny = async |code: String| {
        claims().deny_claim(with_token(fleet::DenyClaimRequest { code })).await.expect("it is denied");
    };
    match enroll(&fixture, &roots, &KeyPair::generate()?, "", "thief", deny).await? {
        Answer::Refused(refused) => assert_eq!(refused.reason, "enrollment.denied"),
        other @ (Answer::Challenge(_) | Answer::Pending(_) | Answer::Issued(_)) => {
            anyhow::bail!("not refused: {other:?}")
        }
    }
    fixture.stop().await
}

#[tokio::test]
async fn silence_ends_a_session_and_heartbeats_keep_it() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut session = known.open().await?;
    // The box says nothing: the server says heartbeats, then ends the session after three intervals of a second.
    let status = session.end().await?;
    assert!(status.message().starts_with("link.timeout"), "{status:?}");
    let reason = |device: &fleet::Device| device.link.as_ref().is_some_and(|link| link.reason == "link.timeout");
    wait_for(&fixture, &known.device_id, reason).await?;
    fixture.stop().await
}

#[tokio::test]
async fn a_stop_tells_the_boxes_and_notes_the_reason() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut session = known.open().await?;
    let (stopped, ended) = tokio::join!(fixture.stop(), async {
        let mut drained = false;
        loop {
            match session.hear.message().await {
                Ok(Some(message)) => {
                    drained |=
                        matches!(message.message, Some(kaliun_proto::link::v1::server_message::Message::Drain(_)));
                }
                Ok(None) => return (drained, String::new()),
                Err(status) => return (drained, status.message().to_owned()),
            }
        }
    });
    stopped?;
    assert!(ended.0, "the box was told to come back");
    assert!(ended.1.starts_with("link.server_stopped"), "{ended:?}");
    Ok(())
}
