//! What `fleetctl audit posture` asks for: one line for each thing that is wrong, with what mends it, for whom it concerns.

use crate::floods::{OTHER, other_organization};
use crate::support::{Fixture, TestBox, with_token, with_token_of};
use anyhow::{Result, ensure};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::posture_service_client::PostureServiceClient;
use tonic::Code;

/// All findings of a token's organization, page by page.
pub(crate) async fn findings(fixture: &Fixture, token: &str, page_size: u32) -> Result<Vec<fleet::Finding>> {
    let mut client = PostureServiceClient::new(fixture.public().await?);
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = fleet::ListFindingsRequest { page_size, page_token };
        let page = client.list_findings(with_token_of(token, request)).await?.into_inner();
        ensure!(page_size == 0 || page.findings.len() <= page_size as usize);
        all.extend(page.findings);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

/// All findings of the control plane.
pub(crate) async fn platform_findings(fixture: &Fixture) -> Result<Vec<fleet::Finding>> {
    let mut client = PostureServiceClient::new(fixture.public().await?);
    let request = with_token(fleet::ListPlatformFindingsRequest::default());
    Ok(client.list_platform_findings(request).await?.into_inner().findings)
}

/// What each finding is about, and its first remedy.
fn lines(findings: &[fleet::Finding]) -> Vec<(&str, &str, &str)> {
    findings
        .iter()
        .map(|finding| {
            let command = finding.remedies.first().map_or("", |remedy| remedy.command.as_str());
            (finding.reason.as_str(), finding.device_name.as_str(), command)
        })
        .collect()
}

#[tokio::test]
async fn each_thing_that_is_wrong_is_one_line_with_what_mends_it() -> Result<()> {
    let fixture = Fixture::start().await?;
    let admin = fixture.admin().await?;
    let mut boxes = Vec::new();
    for name in ["well", "overdue", "expired", "over", "stolen", "twice"] {
        boxes.push(TestBox::enroll(&fixture, name).await?);
    }
    let [well, overdue, expired, over, stolen, twice] = boxes.as_slice() else { anyhow::bail!("six boxes") };
    ensure!(findings(&fixture, crate::support::TOKEN, 0).await?.is_empty(), "nothing is wrong yet");

    for (known, left) in [(overdue, "5 days"), (expired, "-1 days"), (over, "-366 days")] {
        let statement =
            format!("UPDATE device SET certificate_expires_at = now() + interval '{left}' WHERE id::text = $1");
        admin.execute(&statement, &[&known.device_id]).await?;
    }
    let mut devices = fixture.devices().await?;
    devices.revoke_device(with_token(fleet::RevokeDeviceRequest { id: stolen.device_id.clone() })).await?;
    for _ in 0..2 {
        stolen.refusal().await?;
    }
    let boots = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
    for turn in 0..6 {
        twice.open_after_boot(boots[turn % 2]).await?;
    }
    well.open().await?;

    let found = findings(&fixture, crate::support::TOKEN, 0).await?;
    let keep = format!("fleetctl device readopt device/twice --keep-boot {}", boots[0]);
    let wipe = format!("fleetctl device decommission device/{} --wipe-identity", stolen.device_id);
    assert_eq!(
        lines(&found),
        [
            ("device.clone_suspected", "twice", keep.as_str()),
            ("peer.device_revoked", "stolen", wipe.as_str()),
            ("peer.recovery_expired", "over", "fleetctl device extend device/over --for 30d"),
            ("certificate.expired", "expired", ""),
            ("certificate.expiring", "overdue", ""),
        ]
    );
    ensure!(found.iter().all(|finding| finding.since_ms > 0 && !finding.next_step.is_empty()), "{found:?}");
    assert_eq!((found[0].remedies.len(), found[1].count), (2, 2));
    assert_eq!(findings(&fixture, crate::support::TOKEN, 2).await?, found, "page by page");
    assert_eq!(findings(&fixture, crate::support::TOKEN, 1).await?, found, "line by line");

    // What is typed as it stands there mends it.
    let extend = fleet::ExtendDeviceRequest { id: over.device_id.clone(), seconds: 30 * 24 * 3_600 };
    devices.extend_device(with_token(extend)).await?;
    let after = findings(&fixture, crate::support::TOKEN, 0).await?;
    ensure!(after.iter().all(|finding| finding.reason != "peer.recovery_expired"), "{after:?}");
    ensure!(after.iter().any(|finding| finding.reason == "certificate.expired" && finding.device_name == "over"));
    // Another organization has nothing of it.
    other_organization(&admin).await?;
    ensure!(findings(&fixture, OTHER, 0).await?.is_empty(), "another's findings");
    fixture.stop().await
}

#[tokio::test]
async fn no_command_against_a_deleted_device_meets_the_one_that_has_its_name_now() -> Result<()> {
    let fixture = Fixture::start().await?;
    let stolen = TestBox::enroll(&fixture, "attic").await?;
    let mut devices = fixture.devices().await?;
    devices.revoke_device(with_token(fleet::RevokeDeviceRequest { id: stolen.device_id.clone() })).await?;
    stolen.refusal().await?;
    devices.delete_device(with_token(fleet::DeleteDeviceRequest { id: stolen.device_id.clone() })).await?;
    let namesake = TestBox::enroll(&fixture, "attic").await?;
    let found = findings(&fixture, crate::support::TOKEN, 0).await?;
    assert_eq!(lines(&found), [("peer.device_revoked", "attic", "kaliun-edge enroll --new-key")]);
    ensure!(found[0].device_id == stolen.device_id && found[0].message.contains("deleted device"), "{found:?}");
    ensure!(found[0].remedies.iter().all(|remedy| remedy.is_on_box), "{found:?}");
    namesake.open().await?;
    fixture.stop().await
}

#[tokio::test]
async fn a_flood_is_one_line_for_whoever_it_concerns() -> Result<()> {
    let fixture = Fixture::start().await?;
    let admin = fixture.admin().await?;
    let other = other_organization(&admin).await?;
    let insert =
        "INSERT INTO enrollment_refusal (hour, source, organization_id, reason, refused_count, first_at, last_at)
                  VALUES (date_trunc('hour', now()) - make_interval(hours => $1), $2, $3, $4, $5, now(), now())";
    for (hours, source, organization, reason, count) in [
        (0, "192.0.2.7", None, "enrollment.token_invalid", 600_000_i64),
        (0, "192.0.2.7", None, "enrollment.busy", 5_000),
        (2, "192.0.2.7", None, "enrollment.token_invalid", 1_000),
        (0, "192.0.2.8", Some(other), "enrollment.token_expired", 300),
        // A box whose code nobody claims, and one whose flood is over.
        (0, "192.0.2.9", None, "enrollment.code_expired", 4),
        (30, "192.0.2.10", None, "enrollment.token_invalid", 600_000),
    ] {
        admin.execute(insert, &[&hours, &source, &organization, &reason, &count]).await?;
    }
    let platform = platform_findings(&fixture).await?;
    assert_eq!(lines(&platform), [("enrollment.flood", "", "")]);
    let flood = &platform[0];
    assert_eq!((flood.source.as_str(), flood.count), ("192.0.2.7", 606_000));
    ensure!(flood.message.contains("most of them by enrollment.token_invalid"), "{}", flood.message);

    let theirs = findings(&fixture, OTHER, 0).await?;
    assert_eq!(lines(&theirs), [("enrollment.flood", "", "fleetctl join-token create")]);
    assert_eq!(theirs[0].source, "192.0.2.8");
    ensure!(findings(&fixture, crate::support::TOKEN, 0).await?.is_empty(), "it is the other's token");
    let mut client = PostureServiceClient::new(fixture.public().await?);
    let request = with_token_of(OTHER, fleet::ListPlatformFindingsRequest::default());
    assert_eq!(client.list_platform_findings(request).await.unwrap_err().code(), Code::PermissionDenied);
    fixture.stop().await
}

#[tokio::test]
async fn a_rotation_that_waits_is_one_line() -> Result<()> {
    let fixture = Fixture::start().await?;
    TestBox::enroll(&fixture, "cellar").await?;
    ensure!(platform_findings(&fixture).await?.is_empty(), "no rotation is under way");
    let mut authorities = fleet::authority_service_client::AuthorityServiceClient::new(fixture.public().await?);
    authorities.start_rotation(with_token(fleet::StartRotationRequest::default())).await?;
    let began = std::time::Instant::now();
    // The process follows what is kept within seconds.
    let found = loop {
        let found = platform_findings(&fixture).await?;
        if !found.is_empty() {
            break found;
        }
        ensure!(began.elapsed() < crate::support::PATIENCE, "the rotation is not told");
    };
    assert_eq!(lines(&found), [("rotation.waits", "", "fleetctl ca stragglers")]);
    assert_eq!(found[0].message, "1 of 1 devices have not come along in this phase of the rotation.");
    // While it is paused it would not go on by force either.
    let pause = fleet::PauseRotationRequest { reason: "the van is late".to_owned() };
    authorities.pause_rotation(with_token(pause)).await?;
    let found = platform_findings(&fixture).await?;
    assert_eq!(lines(&found), [("rotation.paused", "", "fleetctl ca rotate resume")]);
    ensure!(found[0].message.ends_with(": the van is late.") && found[0].remedies.len() == 2, "{:?}", found[0]);
    fixture.stop().await
}

/// A journal that cannot be read would be missed on the day of a restore.
#[tokio::test]
async fn a_journal_of_ended_devices_that_is_not_kept_is_told() -> Result<()> {
    let fixture = Fixture::start().await?;
    let path = fixture.folder().join("ended-devices.jsonl");
    let spoil = path.clone();
    let (fixture, ()) = fixture.restart_after(async |_stopped| Ok(std::fs::write(&spoil, "garbage\n{}\n")?)).await?;
    let told = until_platform(&fixture, |findings| findings.iter().any(|one| one.reason == "journal.stopped")).await?;
    let [finding] = told.as_slice() else { anyhow::bail!("{told:?}") };
    ensure!(finding.message.contains("line 1 of ") && finding.since_ms > 0, "{finding:?}");
    ensure!(!finding.next_step.is_empty(), "{finding:?}");
    std::fs::remove_file(&path)?;
    until_platform(&fixture, <[fleet::Finding]>::is_empty).await?;
    fixture.stop().await
}

/// The findings of the control plane, once they are so.
async fn until_platform(fixture: &Fixture, is_so: impl Fn(&[fleet::Finding]) -> bool) -> Result<Vec<fleet::Finding>> {
    let began = std::time::Instant::now();
    loop {
        let findings = platform_findings(fixture).await?;
        if is_so(&findings) {
            return Ok(findings);
        }
        ensure!(began.elapsed() < crate::support::PATIENCE, "{findings:?}");
    }
}
