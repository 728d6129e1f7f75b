//! Devices on their way out to people.

use crate::clock;
use crate::digest::fingerprint;
use kaliun_domain::device::{Device, Report, Summary, effective_verdict};
use kaliun_domain::enrollment::{CERTIFICATE_LIFETIME, recoverable_until};
use kaliun_domain::posture::CERTIFICATE_OVERDUE;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::telemetry::v1::{Facts, Health, HealthVerdict, Reason, Sample, SampleValues};
use kaliun_types::health::{Verdict, certificate_finding};
use kaliun_types::reason::ReasonCode;
use prost::Message;
use std::time::SystemTime;

/// A device as people see it now. What cannot be decoded was written by a newer server and is left out.
pub(crate) fn device_to_proto(device: Device, now: SystemTime) -> proto::Device {
    let health = ended(&device).unwrap_or_else(|| {
        let mut health = health_now(device.report.as_ref(), now);
        tell_of_certificate(&mut health, device.certificate_expires_at, now);
        health
    });
    // What ended its link last is of no interest while it may not have one, nor before somebody has chosen between two boxes.
    let parked = device.parked_at.map(|_| ReasonCode::DeviceCloneSuspected);
    let link_reason = device.refusal().or(parked).map(|reason| reason.code().to_owned());
    let (installation_id, installation_name) =
        device.installation.map(|(id, name)| (id.to_string(), name)).unwrap_or_default();
    proto::Device {
        id: device.id.to_string(),
        name: device.name,
        labels: device.labels.into_iter().collect(),
        installation_id,
        installation_name,
        link: Some(proto::Link {
            state: if device.link.online { proto::LinkState::Online } else { proto::LinkState::Offline }.into(),
            since_ms: clock::to_ms(device.link.since),
            reason: link_reason.unwrap_or(device.link.reason),
        }),
        health: Some(health),
        facts: device.facts.and_then(|facts| Facts::decode(facts.as_slice()).ok()).map(|facts| Facts {
            // What it said when it connected last is newer than what it said of itself.
            agent_version: if device.agent_version.is_empty() { facts.agent_version } else { device.agent_version },
            ..facts
        }),
        last_sample_stored_at_ms: device.report.as_ref().map_or(0, |report| clock::to_ms(report.stored_at)),
        last_sample: device.report.map(|report| Sample {
            sampled_at_ms: clock::to_ms(report.sampled_at),
            values: SampleValues::decode(report.values.as_slice()).ok(),
            health: Health::decode(report.health.as_slice()).ok(),
        }),
        enrolled_at_ms: clock::to_ms(device.enrolled_at),
        certificate_expires_at_ms: clock::to_ms(device.certificate_expires_at),
        revoked_at_ms: device.revoked_at.map_or(0, clock::to_ms),
        parked_at_ms: device.parked_at.map_or(0, clock::to_ms),
        decommissioned_at_ms: device.decommissioned_at.map_or(0, clock::to_ms),
        recoverable_until_ms: clock::to_ms(recoverable_until(
            device.certificate_expires_at,
            device.recovery_extended_until,
        )),
        version: device.version.unsigned_abs(),
        key_fingerprint: fingerprint(&device.key_hash),
    }
}

/// What there is to say of a device that may not connect any more: nobody waits for its reports, so that none is missed.
fn ended(device: &Device) -> Option<Health> {
    let revoked_at = device.revoked_at?;
    let (code, message, since) = match device.decommissioned_at {
        Some(ended_at) => (ReasonCode::DeviceDecommissioned, "Its service has ended for good.", ended_at),
        None => (ReasonCode::DeviceRevoked, "Somebody took its right to connect away.", revoked_at),
    };
    let (code, message, since_ms) = (code.code().to_owned(), message.to_owned(), clock::to_ms(since));
    Some(Health { verdict: HealthVerdict::Unknown.into(), reasons: vec![Reason { code, message, since_ms }] })
}

/// The verdict as of now with its reasons: the box's own while it is fresh, ours when the box is silent.
fn health_now(report: Option<&Report>, now: SystemTime) -> Health {
    let ours = |verdict: HealthVerdict, code: ReasonCode, message: String, since_ms: i64| Health {
        verdict: verdict.into(),
        reasons: vec![Reason { code: code.code().to_owned(), message, since_ms }],
    };
    match (effective_verdict(report, now), report) {
        (Verdict::Ok | Verdict::Degraded | Verdict::Critical, Some(report)) => {
            Health::decode(report.health.as_slice()).unwrap_or_default()
        }
        (Verdict::Stale, Some(report)) => {
            let minutes = now.duration_since(report.stored_at).unwrap_or_default().as_secs() / 60;
            let message = match minutes {
                1 => "The last report is a minute old.".to_owned(),
                minutes => format!("The last report is {minutes} minutes old."),
            };
            ours(HealthVerdict::Stale, ReasonCode::HealthStale, message, clock::to_ms(report.stored_at))
        }
        (_, _) => {
            ours(HealthVerdict::Unknown, ReasonCode::HealthNoReport, "The box has not reported yet.".to_owned(), 0)
        }
    }
}

/// A box that is silent says nothing of its certificate, so the server does, by the same rule. What a box says itself stays as it is.
fn tell_of_certificate(health: &mut Health, expires_at: SystemTime, now: SystemTime) {
    if !matches!(health.verdict(), HealthVerdict::Stale | HealthVerdict::Unknown) {
        return;
    }
    let left =
        expires_at.duration_since(now).map_or_else(|past| -past.duration().as_secs_f64(), |left| left.as_secs_f64());
    let Some(finding) = certificate_finding(left, CERTIFICATE_LIFETIME.as_secs_f64()) else { return };
    let since = if left > 0.0 { expires_at - CERTIFICATE_OVERDUE } else { expires_at };
    let (code, since_ms) = (finding.reason.code().to_owned(), clock::to_ms(since));
    health.reasons.push(Reason { code, message: finding.message, since_ms });
}

/// Counts over devices.
pub(crate) fn summary_to_proto(summary: Summary) -> proto::DeviceSummary {
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    proto::DeviceSummary {
        total: count(summary.total),
        online: count(summary.online),
        ok: count(summary.ok),
        degraded: count(summary.degraded),
        critical: count(summary.critical),
        stale: count(summary.stale),
        unknown: count(summary.unknown),
        revoked: count(summary.revoked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn of_a_device_that_may_not_connect_only_that_is_told() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let now = at(1_000_000);
        let silent = Device {
            id: kaliun_types::id::DeviceId::new(),
            name: "attic".to_owned(),
            labels: Default::default(),
            installation: None,
            key_hash: vec![7; 32],
            certificate_expires_at: at(0),
            recovery_extended_until: None,
            revoked_at: None,
            decommissioned_at: None,
            parked_at: Some(at(5)),
            enrolled_at: at(0),
            version: 1,
            link: kaliun_domain::device::Link { online: false, since: at(4), reason: "link.timeout".to_owned() },
            agent_version: String::new(),
            report: None,
            facts: None,
        };
        let check = |device: &Device, reason: &str, codes: &[&str]| {
            let told = device_to_proto(device.clone(), now);
            let health = told.health.unwrap();
            let said: Vec<_> = health.reasons.iter().map(|reason| reason.code.as_str()).collect();
            assert_eq!((told.link.unwrap().reason.as_str(), said.as_slice()), (reason, codes));
            assert_eq!(health.verdict(), HealthVerdict::Unknown);
        };
        check(&silent, "device.clone_suspected", &["health.no_report", "certificate.expired"]);
        let revoked = Device { revoked_at: Some(at(6)), ..silent };
        check(&revoked, "peer.device_revoked", &["device.revoked"]);
        let ended = Device { decommissioned_at: Some(at(7)), ..revoked };
        check(&ended, "peer.device_decommissioned", &["device.decommissioned"]);
    }

    #[test]
    fn what_is_wrong_with_a_silent_box_s_certificate_says_since_when() {
        let days = |days: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(days * 24 * 3_600);
        let check = |now, expected: Option<(ReasonCode, SystemTime)>| {
            let mut health = Health { verdict: HealthVerdict::Unknown.into(), reasons: Vec::new() };
            tell_of_certificate(&mut health, days(30), now);
            let told: Vec<_> = health.reasons.iter().map(|reason| (reason.code.as_str(), reason.since_ms)).collect();
            let expected: Vec<_> =
                expected.iter().map(|(reason, since)| (reason.code(), clock::to_ms(*since))).collect();
            assert_eq!(told, expected);
        };
        check(days(23), None);
        check(days(25), Some((ReasonCode::CertificateExpiring, days(24))));
        check(days(33), Some((ReasonCode::CertificateExpired, days(30))));
    }
}
