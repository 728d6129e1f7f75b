//! Boxes that lay in a drawer for a long time.

use crate::inside::{Inside, online, reached, with_token};
use anyhow::ensure;
use kaliun_edge::agent_state::{EnrollmentState, LinkState};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::RotationPhase;
use kaliun_proto::fleet::v1::authority_service_client::AuthorityServiceClient;
use kaliun_proto::fleet::v1::device_service_client::DeviceServiceClient;

#[tokio::test(flavor = "multi_thread")]
async fn a_box_returns_alone_after_eleven_months_and_one_beyond_its_allowance_is_told_what_to_do() -> anyhow::Result<()>
{
    let inside = Inside::start().await?;
    let (soon, late) = (inside.start_box(1)?, inside.start_box(2)?);
    let (before, late_before) = (online(&soon).await?.enrollment, online(&late).await?.enrollment);
    soon.stop().await?;
    late.stop().await?;

    inside.advance_days(334);
    let soon = inside.start_box(1)?;
    let after = online(&soon).await?.enrollment;
    ensure!(id_of(&after) == id_of(&before) && after != before, "the same device with a new certificate: {after:?}");
    let recovered = "SELECT count(*) FROM event WHERE code = 'device.recovered'";
    assert_eq!(inside.count(recovered).await?, 1);
    soon.stop().await?;

    // Its certificate lasted 30 days and its allowance 365 more.
    inside.advance_days(62);
    let late = inside.start_box(2)?;
    let state = reached(&late, "refused", |state| matches!(state.link, LinkState::Stopped { .. })).await?;
    let LinkState::Stopped { reason, message, .. } = &state.link else { anyhow::bail!("{state:?}") };
    assert_eq!(reason, "peer.recovery_expired");
    ensure!(message.contains("fleetctl device extend device/NAME"), "{message}");
    assert_eq!(inside.count(recovered).await?, 1);
    late.stop().await?;

    // Somebody does what it says.
    let mut devices = DeviceServiceClient::new(inside.public().await?);
    let request = fleet::ExtendDeviceRequest { id: id_of(&late_before).unwrap_or_default(), seconds: 3_600 };
    devices.extend_device(with_token(request)).await?;
    let late = inside.start_box(2)?;
    let after = online(&late).await?.enrollment;
    assert_eq!(id_of(&after), id_of(&late_before));
    late.stop().await?;
    inside.stop().await;
    Ok(())
}

/// Its clock has no battery and begins again where it stood.
#[tokio::test(flavor = "multi_thread")]
async fn a_box_whose_clock_stands_finds_its_server_after_eleven_months() -> anyhow::Result<()> {
    let inside = Inside::start().await?;
    let simulated = inside.start_box(1)?;
    let before = online(&simulated).await?.enrollment;
    simulated.stop().await?;
    // The server's own certificate is made anew meanwhile, and the authority changes.
    inside.advance_days_of_the_server(330);
    let mut authorities = AuthorityServiceClient::new(inside.public().await?);
    authorities.start_rotation(with_token(fleet::StartRotationRequest::default())).await?;
    for from in [RotationPhase::Trust, RotationPhase::Issue, RotationPhase::Drain] {
        let request = fleet::AdvanceRotationRequest { from: from.into(), force: true };
        authorities.advance_rotation(with_token(request)).await?;
    }
    let simulated = inside.start_box(1)?;
    let after = online(&simulated).await?.enrollment;
    ensure!(id_of(&after) == id_of(&before) && after != before, "the same device with a new certificate: {after:?}");
    simulated.stop().await?;
    inside.stop().await;
    Ok(())
}

fn id_of(state: &EnrollmentState) -> Option<String> {
    if let EnrollmentState::Enrolled { device_id, .. } = state { Some(device_id.clone()) } else { None }
}
