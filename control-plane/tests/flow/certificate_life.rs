//! What people and monitoring see of certificates: which a device got, and when they run out.

use crate::support::{Fixture, PATIENCE, Session, TestBox, with_token};
use anyhow::{Context, Result, ensure};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::CertificateCause;
use kaliun_proto::fleet::v1::certificate_service_client::CertificateServiceClient;
use kaliun_proto::fleet::v1::get_device_request::By;
use kaliun_proto::link::v1::CertificateRequest;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use kaliun_proto::link::v1::server_message::Message as ServerWord;
use kaliun_proto::telemetry::v1::HealthVerdict;
use rcgen::CertificateParams;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::{Code, Status};

async fn page(
    fixture: &Fixture,
    device_id: &str,
    page_size: u32,
    page_token: &str,
) -> Result<fleet::ListDeviceCertificatesResponse, Status> {
    let public = fixture.public().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let (device_id, page_token) = (device_id.to_owned(), page_token.to_owned());
    let request = fleet::ListDeviceCertificatesRequest { device_id, page_size, page_token };
    let answer = CertificateServiceClient::new(public).list_device_certificates(with_token(request)).await;
    Ok(answer?.into_inner())
}

async fn renew(session: &mut Session, known: &TestBox) -> Result<()> {
    let certificate_request = CertificateParams::default().serialize_request(&known.key)?.der().to_vec();
    session.send(DeviceWord::CertificateRequest(CertificateRequest { certificate_request })).await?;
    while !matches!(session.next().await?, ServerWord::Certificate(_)) {}
    Ok(())
}

#[tokio::test]
async fn all_certificates_of_a_device_are_listed_newest_first() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let other = TestBox::enroll(&fixture, "attic").await?;
    let mut session = known.open().await?;
    renew(&mut session, &known).await?;
    renew(&mut session, &known).await?;

    let first = page(&fixture, &known.device_id, 2, "").await?;
    let last = page(&fixture, &known.device_id, 2, &first.next_page_token).await?;
    assert_eq!((first.certificates.len(), last.certificates.len(), last.next_page_token.as_str()), (2, 1, ""));
    let all: Vec<_> = first.certificates.iter().chain(&last.certificates).collect();
    let causes: Vec<_> = all.iter().map(|certificate| certificate.cause()).collect();
    assert_eq!(causes, [CertificateCause::Renewed, CertificateCause::Renewed, CertificateCause::Enrolled]);
    for certificate in &all {
        let lives_ms = certificate.expires_at_ms - certificate.issued_at_ms;
        ensure!(certificate.authority == 1 && (lives_ms - 30 * 86_400_000).abs() < 60_000, "{certificate:?}");
    }
    ensure!(all.windows(2).all(|pair| pair[0].issued_at_ms >= pair[1].issued_at_ms), "{all:?}");

    // A place in one device's list is none in another's, and a device that is gone has no list.
    let refused = page(&fixture, &other.device_id, 2, &first.next_page_token).await.expect_err("another's list");
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(page(&fixture, "cellar", 2, "").await.expect_err("no id").code(), Code::InvalidArgument);
    let mut devices = fixture.devices().await?;
    devices.delete_device(with_token(fleet::DeleteDeviceRequest { id: other.device_id.clone() })).await?;
    assert_eq!(page(&fixture, &other.device_id, 2, "").await.expect_err("it is gone").code(), Code::NotFound);
    fixture.stop().await
}

/// Makes a device's certificate run out in so many days, as far as the record says.
async fn runs_out(fixture: &Fixture, known: &TestBox, days: i32) -> Result<()> {
    let statement = "UPDATE device SET certificate_expires_at = now() + make_interval(days => $2) WHERE id::text = $1";
    ensure!(fixture.admin().await?.execute(statement, &[&known.device_id, &days]).await? == 1, "one device");
    Ok(())
}

async fn reasons(fixture: &Fixture, known: &TestBox) -> Result<(HealthVerdict, Vec<String>)> {
    let by = Some(By::Id(known.device_id.clone()));
    let answer = fixture.devices().await?.get_device(with_token(fleet::GetDeviceRequest { by })).await?.into_inner();
    let health = answer.device.and_then(|device| device.health).context("its health")?;
    Ok((health.verdict(), health.reasons.into_iter().map(|reason| reason.code).collect()))
}

#[tokio::test]
async fn a_silent_box_whose_certificate_runs_out_says_so_in_its_health() -> Result<()> {
    let fixture = Fixture::start().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let is = |codes: &[&str]| (HealthVerdict::Unknown, codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>());
    assert_eq!(reasons(&fixture, &known).await?, is(&["health.no_report"]));
    runs_out(&fixture, &known, 5).await?;
    assert_eq!(reasons(&fixture, &known).await?, is(&["health.no_report", "certificate.expiring"]));
    runs_out(&fixture, &known, -3).await?;
    assert_eq!(reasons(&fixture, &known).await?, is(&["health.no_report", "certificate.expired"]));

    // Nobody waits for the certificate of a box that may not connect any more.
    let request = fleet::RevokeDeviceRequest { id: known.device_id.clone() };
    fixture.devices().await?.revoke_device(with_token(request)).await?;
    assert_eq!(reasons(&fixture, &known).await?, is(&["device.revoked"]));
    fixture.stop().await
}

/// A measurement of the server, as it stands in /metrics.
async fn measured(fixture: &Fixture, name: &str) -> Result<i64> {
    let mut stream = TcpStream::connect(fixture.server.addresses().internal).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.with_context(|| format!("there is no {name}"))?.trim().parse()?)
}

#[tokio::test]
async fn monitoring_sees_what_runs_out_and_what_was_renewed() -> Result<()> {
    let fixture = Fixture::start().await?;
    let boxes = [
        TestBox::enroll(&fixture, "fresh").await?,
        TestBox::enroll(&fixture, "soon").await?,
        TestBox::enroll(&fixture, "sooner").await?,
        TestBox::enroll(&fixture, "over").await?,
        TestBox::enroll(&fixture, "stolen").await?,
    ];
    for (known, days) in boxes.iter().zip([30, 6, 2, -1, -1]) {
        runs_out(&fixture, known, days).await?;
    }
    let request = fleet::RevokeDeviceRequest { id: boxes[4].device_id.clone() };
    fixture.devices().await?.revoke_device(with_token(request)).await?;
    let row = "SELECT extract(epoch FROM certificate_expires_at)::bigint FROM device WHERE name = 'sooner'";
    let expected: i64 = fixture.admin().await?.query_one(row, &[]).await?.get(0);

    // It is looked at when a server starts, and then once a minute.
    let fixture = fixture.restart().await?;
    let began = Instant::now();
    while measured(&fixture, "kaliun_certificates_expired").await? == 0 {
        ensure!(began.elapsed() < PATIENCE, "nobody looks");
    }
    assert_eq!(measured(&fixture, "kaliun_certificates_expired").await?, 1);
    assert_eq!(measured(&fixture, "kaliun_certificates_expiring").await?, 2);
    let next = measured(&fixture, "kaliun_certificate_next_expiry_timestamp_seconds").await?;
    ensure!((next - expected).abs() <= 1, "{next}, not {expected}");

    assert_eq!(measured(&fixture, "kaliun_certificates_renewed_total").await?, 0);
    assert_eq!(measured(&fixture, "kaliun_certificates_recovered_total").await?, 0);
    let known = TestBox { address: fixture.device_address(), ..boxes.into_iter().next().context("a box")? };
    renew(&mut known.open().await?, &known).await?;
    assert_eq!(measured(&fixture, "kaliun_certificates_renewed_total").await?, 1);
    fixture.stop().await
}
