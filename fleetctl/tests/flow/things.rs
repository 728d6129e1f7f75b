//! Devices and tokens as a control plane would send them.

use kaliun_proto::fleet::v1::{
    ApiToken, CertificateCause, Device, DeviceCertificate, Enrollment, Event, Installation, JoinToken, Link, LinkState,
    Role, Straggler,
};
use kaliun_proto::telemetry::v1::{
    Facts, Health, HealthVerdict, Light, LightState, Metric, Reason, Sample, SampleValues,
};
use std::collections::HashMap;

/// The clock of all flows: 2026-11-22T12:00:00Z.
pub(crate) const NOW_MS: i64 = 1_795_348_800_000;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

pub(crate) fn id(number: u64) -> String {
    format!("018f3c1e-7d2a-7c3b-9f10-{number:012x}")
}

/// A healthy box that is online.
pub(crate) fn device(number: u64, name: &str) -> Device {
    Device {
        id: id(number),
        name: name.to_owned(),
        labels: HashMap::from([("site".to_owned(), "graz".to_owned())]),
        link: Some(Link {
            state: LinkState::Online.into(),
            since_ms: NOW_MS - 3 * MINUTE_MS,
            reason: "link.connected".to_owned(),
        }),
        health: Some(Health { verdict: HealthVerdict::Ok.into(), reasons: Vec::new() }),
        facts: Some(Facts {
            hostname: name.to_owned(),
            operating_system: "Debian GNU/Linux 12 (bookworm)".to_owned(),
            kernel: "6.1.0".to_owned(),
            architecture: "x86_64".to_owned(),
            cpu_count: 4,
            addresses: vec!["192.0.2.7".to_owned()],
            agent_version: "0.1.0".to_owned(),
            remote_access: Some(Light {
                state: LightState::NotConfigured.into(),
                reason: Some(reason("remote.not_configured", "")),
                since_ms: 0,
            }),
            home_assistant: Some(Light { state: LightState::On.into(), reason: None, since_ms: NOW_MS - DAY_MS }),
            home_assistant_version: "2026.11.0".to_owned(),
            simulated: false,
            serial: "PF2X1A9B".to_owned(),
            ..Facts::default()
        }),
        last_sample: Some(sample(0.07)),
        last_sample_stored_at_ms: NOW_MS - 9_900,
        enrolled_at_ms: NOW_MS - 40 * DAY_MS,
        certificate_expires_at_ms: NOW_MS + 20 * DAY_MS,
        version: 3,
        key_fingerprint: "1f3a 77c0 9b21 04de".to_owned(),
        ..Device::default()
    }
}

/// A box with a full disk that fell silent, in a home.
pub(crate) fn troubled(number: u64, name: &str) -> Device {
    let home_assistant = Light {
        state: LightState::Off.into(),
        reason: Some(reason("ha.offline", "Home Assistant does not answer.")),
        since_ms: NOW_MS - 5 * MINUTE_MS,
    };
    let healthy = device(number, name);
    Device {
        installation_id: id(900),
        installation_name: "Haus am See".to_owned(),
        labels: HashMap::from([("site".to_owned(), "wien".to_owned()), ("env".to_owned(), "lab".to_owned())]),
        link: Some(Link {
            state: LinkState::Offline.into(),
            since_ms: NOW_MS - 125 * MINUTE_MS,
            reason: "link.timeout".to_owned(),
        }),
        health: Some(Health {
            verdict: HealthVerdict::Stale.into(),
            reasons: vec![
                Reason {
                    code: "health.stale".to_owned(),
                    message: "The last report is two hours old.".to_owned(),
                    since_ms: NOW_MS - 124 * MINUTE_MS,
                },
                reason("disk.nearly_full", "8.0 % of the disk is free."),
                reason("memory.low", "9.0 % of the memory is free."),
            ],
        }),
        facts: healthy.facts.map(|facts| Facts { home_assistant: Some(home_assistant), ..facts }),
        ..healthy
    }
}

/// A box that was enrolled and never came.
pub(crate) fn silent(number: u64, name: &str) -> Device {
    Device {
        id: id(number),
        name: name.to_owned(),
        link: Some(Link { state: LinkState::Offline.into(), since_ms: 0, reason: "link.never_connected".to_owned() }),
        health: Some(Health {
            verdict: HealthVerdict::Unknown.into(),
            reasons: vec![reason("health.no_report", "The box has not reported yet.")],
        }),
        enrolled_at_ms: NOW_MS - 30_000,
        version: 1,
        ..Device::default()
    }
}

pub(crate) fn sample(cpu: f64) -> Sample {
    let values = [
        (Metric::CpuBusyRatio, cpu),
        (Metric::Load1mCount, 0.5),
        (Metric::MemoryTotalBytes, 4_294_967_296.0),
        (Metric::MemoryAvailableBytes, 1_073_741_824.0),
        (Metric::DiskTotalBytes, 32e9),
        (Metric::DiskAvailableBytes, 8e9),
        (Metric::TemperatureMaxCelsius, 41.25),
        (Metric::UptimeSeconds, 93_784.0),
    ];
    let mut metrics: Vec<i32> = values.iter().map(|(metric, _)| (*metric).into()).collect();
    let mut values: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    // From a newer box than this fleetctl knows.
    metrics.push(4711);
    values.push(1.5);
    Sample { sampled_at_ms: NOW_MS - 10_000, values: Some(SampleValues { metrics, values }), health: None }
}

pub(crate) fn reason(code: &str, message: &str) -> Reason {
    Reason { code: code.to_owned(), message: message.to_owned(), since_ms: 0 }
}

pub(crate) fn event(number: u64, device: &Device, code: &str, message: &str) -> Event {
    let number_ms = i64::try_from(number).unwrap();
    Event {
        id: number,
        device_id: device.id.clone(),
        device_name: device.name.clone(),
        code: code.to_owned(),
        message: message.to_owned(),
        happened_at_ms: NOW_MS - DAY_MS + number_ms * MINUTE_MS,
        stored_at_ms: NOW_MS - DAY_MS + number_ms * MINUTE_MS + 20,
    }
}

/// A certificate that was given so many days ago, for 30 days.
pub(crate) fn certificate(days_ago: i64, cause: CertificateCause, authority: u32) -> DeviceCertificate {
    let issued_at_ms = NOW_MS - days_ago * DAY_MS;
    DeviceCertificate { cause: cause.into(), authority, issued_at_ms, expires_at_ms: issued_at_ms + 30 * DAY_MS }
}

pub(crate) fn join_token(number: u64, description: &str, uses: u32) -> JoinToken {
    JoinToken {
        id: id(number),
        description: description.to_owned(),
        created_at_ms: NOW_MS - DAY_MS,
        expires_at_ms: NOW_MS + DAY_MS,
        max_uses: 5,
        uses,
        labels: HashMap::from([("site".to_owned(), "graz".to_owned())]),
        revoked_at_ms: 0,
        created_by: "admin@example.org".to_owned(),
        name_pattern: "shop-{serial}".to_owned(),
        needs_approval: true,
    }
}

pub(crate) fn api_token(number: u64, name: &str) -> ApiToken {
    ApiToken {
        id: id(number),
        name: name.to_owned(),
        role: Role::Operator.into(),
        created_at_ms: NOW_MS - DAY_MS,
        expires_at_ms: NOW_MS + 89 * DAY_MS,
        last_used_at_ms: 0,
        revoked_at_ms: 0,
        created_by: "admin@example.org".to_owned(),
        installation_ids: Vec::new(),
    }
}

pub(crate) fn installation() -> Installation {
    Installation { id: id(900), name: "Haus am See".to_owned(), time_zone: "Europe/Vienna".to_owned() }
}

/// A box that waits for an operator.
pub(crate) fn enrollment(number: u64, name: &str) -> Enrollment {
    Enrollment {
        facts_hash: vec![7; 32],
        id: id(number),
        facts: Some(Facts {
            hostname: "homeassistant".to_owned(),
            model: "NUC".to_owned(),
            serial: "PF2X1A9B".to_owned(),
            ..Facts::default()
        }),
        key_fingerprint: "1f3a 77c0 9b21 04de".to_owned(),
        source_address: "192.0.2.7".to_owned(),
        asked_at_ms: NOW_MS - 120_000,
        expires_at_ms: NOW_MS + 7 * 86_400_000,
        join_token_id: id(10),
        join_token_description: "factory".to_owned(),
        name: name.to_owned(),
    }
}

/// A box that has not come along in a rotation.
pub(crate) fn straggler(number: u64, name: &str) -> Straggler {
    Straggler {
        device_id: id(number),
        device_name: name.to_owned(),
        is_online: false,
        link_since_ms: NOW_MS - 7_200_000,
        trust_bundle_version: 1,
        certificate_authority: 1,
    }
}
