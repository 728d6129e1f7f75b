//! Rotations that go by themselves, with real agents of which some sleep through two of them.

use crate::inside::{Inside, online, with_token};
use anyhow::{Context as _, ensure};
use kaliun_e2e::wait::{PATIENCE, until};
use kaliun_edge_sim::fleet::SimulatedBox;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::RotationPhase;
use kaliun_proto::fleet::v1::authority_service_client::AuthorityServiceClient;
use tonic::transport::Channel;

const AWAKE: std::ops::RangeInclusive<usize> = 1..=4;
const ASLEEP: std::ops::RangeInclusive<usize> = 5..=6;
const DAY_MS: u64 = 24 * 3_600_000;

/// Waits until the rotation is in a phase and so many have come along in it.
async fn until_at(
    operator: &AuthorityServiceClient<Channel>,
    phase: RotationPhase,
    ready: Option<usize>,
) -> anyhow::Result<()> {
    until("the rotation goes on by itself", PATIENCE, || {
        let mut operator = operator.clone();
        async move {
            let answer = operator.get_rotation(with_token(fleet::GetRotationRequest {})).await?;
            let rotation = answer.into_inner().rotation.context("a rotation")?;
            let is_ready = ready.is_none_or(|ready| rotation.ready_count == ready as u64);
            ensure!(rotation.phase() == phase && is_ready, "{rotation:?}");
            Ok(Some(()))
        }
    })
    .await
}

/// Nobody touches it from its beginning to its end. Those that are awake come along in each phase; the others are waited for.
async fn rotate(inside: &Inside, operator: &mut AuthorityServiceClient<Channel>) -> anyhow::Result<()> {
    let request = fleet::StartRotationRequest { is_automatic: true, grace_ms: DAY_MS, force: false };
    operator.start_rotation(with_token(request)).await?;
    let phases = [RotationPhase::Trust, RotationPhase::Issue, RotationPhase::Drain];
    let after = [RotationPhase::Issue, RotationPhase::Drain, RotationPhase::Steady];
    for (phase, next) in phases.into_iter().zip(after) {
        until_at(operator, phase, Some(AWAKE.count())).await?;
        inside.advance_days(2);
        until_at(operator, next, None).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn boxes_that_slept_through_two_rotations_by_themselves_come_back_as_who_they_were() -> anyhow::Result<()> {
    let inside = Inside::start().await?;
    let other = inside.replica().await?;
    let mut operator = AuthorityServiceClient::new(inside.public().await?);
    let mut boxes: Vec<SimulatedBox> =
        AWAKE.chain(ASLEEP).map(|number| inside.start_box(number)).collect::<anyhow::Result<_>>()?;
    for simulated in &boxes {
        online(simulated).await?;
    }
    for simulated in boxes.split_off(AWAKE.count()) {
        simulated.stop().await?;
    }
    rotate(&inside, &mut operator).await?;
    rotate(&inside, &mut operator).await?;
    for number in ASLEEP {
        boxes.push(inside.start_box(number)?);
    }
    let all = i64::try_from(boxes.len())?;
    until("all show a certificate of the third authority", PATIENCE, || async {
        let shown = inside.count("SELECT count(*) FROM device_status WHERE online AND shown_authority = 3").await?;
        ensure!(shown == all, "{shown} of {all}");
        Ok(Some(()))
    })
    .await?;
    assert_eq!(inside.count("SELECT count(*) FROM device").await?, all, "none was enrolled anew");
    assert_eq!(
        inside
            .count("SELECT count(*) FROM audit WHERE action = 'ca.rotate.advance' AND actor <> 'control-plane'")
            .await?,
        0,
        "nobody took a step"
    );
    for simulated in boxes {
        simulated.stop().await?;
    }
    other.stop().await;
    inside.stop().await;
    Ok(())
}
