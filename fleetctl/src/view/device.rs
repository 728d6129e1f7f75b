//! A device.

use super::sample::{Health, Light, Sample};
use super::{label_text, some_text, word};
use crate::output::amount;
use crate::output::listed::{Listed, Moment};
use crate::output::style::Tone;
use crate::output::table::{Cell, Column};
use crate::output::time::Time;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::telemetry::v1::{Facts as ProtoFacts, Metric};
use kaliun_types::reason::ReasonCode;
use serde::Serialize;
use std::collections::BTreeMap;

/// A device as programs read it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) installation: Option<InstallationReference>,
    pub(crate) link: Link,
    pub(crate) agent_version: Option<String>,
    pub(crate) health: Health,
    pub(crate) remote_access: Option<Light>,
    pub(crate) home_assistant: Option<Light>,
    pub(crate) facts: Option<Facts>,
    pub(crate) last_sample: Option<Sample>,
    pub(crate) enrolled_at: Option<Time>,
    pub(crate) certificate_expires_at: Option<Time>,
    pub(crate) recoverable_until: Option<Time>,
    pub(crate) revoked_at: Option<Time>,
    pub(crate) decommissioned_at: Option<Time>,
    pub(crate) parked_at: Option<Time>,
    pub(crate) key_fingerprint: Option<String>,
    pub(crate) version: u64,
}

/// A device that was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DeletedDevice {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) deleted: bool,
}

/// The home that a device serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct InstallationReference {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// The connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Link {
    pub(crate) state: &'static str,
    pub(crate) since: Option<Time>,
    pub(crate) reason: Option<String>,
}

/// The box's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Facts {
    pub(crate) hostname: Option<String>,
    pub(crate) operating_system: Option<String>,
    pub(crate) kernel: Option<String>,
    pub(crate) architecture: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) cpu_count: Option<u32>,
    pub(crate) addresses: Vec<String>,
    pub(crate) home_assistant_version: Option<String>,
    pub(crate) simulated: bool,
    pub(crate) serial: Option<String>,
}

impl From<proto::Device> for Device {
    fn from(device: proto::Device) -> Self {
        let facts = device.facts;
        let lights = facts.as_ref().map(|facts| (facts.remote_access.clone(), facts.home_assistant.clone()));
        let (remote_access, home_assistant) = lights.unwrap_or_default();
        let link = device.link.unwrap_or_default();
        Self {
            id: device.id,
            name: device.name,
            labels: device.labels.into_iter().collect(),
            installation: some_text(device.installation_id)
                .map(|id| InstallationReference { id, name: device.installation_name }),
            link: Link {
                state: word::link_state(link.state),
                since: Time::from_ms(link.since_ms),
                reason: some_text(link.reason),
            },
            agent_version: facts.as_ref().and_then(|facts| some_text(facts.agent_version.clone())),
            health: device.health.unwrap_or_default().into(),
            remote_access: remote_access.map(Light::from),
            home_assistant: home_assistant.map(Light::from),
            facts: facts.map(Facts::from),
            last_sample: device.last_sample.map(|sample| Sample::new(sample, device.last_sample_stored_at_ms)),
            enrolled_at: Time::from_ms(device.enrolled_at_ms),
            certificate_expires_at: Time::from_ms(device.certificate_expires_at_ms),
            recoverable_until: Time::from_ms(device.recoverable_until_ms),
            revoked_at: Time::from_ms(device.revoked_at_ms),
            decommissioned_at: Time::from_ms(device.decommissioned_at_ms),
            parked_at: Time::from_ms(device.parked_at_ms),
            key_fingerprint: some_text(device.key_fingerprint),
            version: device.version,
        }
    }
}

impl From<ProtoFacts> for Facts {
    fn from(facts: ProtoFacts) -> Self {
        Self {
            hostname: some_text(facts.hostname),
            operating_system: some_text(facts.operating_system),
            kernel: some_text(facts.kernel),
            architecture: some_text(facts.architecture),
            model: some_text(facts.model),
            cpu_count: (facts.cpu_count > 0).then_some(facts.cpu_count),
            addresses: facts.addresses,
            home_assistant_version: some_text(facts.home_assistant_version),
            simulated: facts.simulated,
            serial: some_text(facts.serial),
        }
    }
}

impl Device {
    /// Its link, or that it may not have one any more: nobody waits for a device that was revoked.
    fn link_cell(&self) -> Cell {
        if self.revoked_at.is_some() {
            return Cell::toned("revoked", Tone::Faint);
        }
        Cell::toned(self.link.state, link_tone(self.link.state))
    }

    /// Why a person should look at it: why it is offline, then the gravest reason, and how many more there are.
    fn attention(&self) -> String {
        let needs_somebody = self.link.state != "online" || self.parked_at.is_some();
        let offline = self.link.reason.as_deref().filter(|_| needs_somebody);
        let mut parts: Vec<String> = offline.into_iter().map(str::to_owned).collect();
        // A silent box has no new report because it is offline, one that may not connect has no link, and the link knows more about both.
        let silent = [
            ReasonCode::HealthStale,
            ReasonCode::HealthNoReport,
            ReasonCode::DeviceRevoked,
            ReasonCode::DeviceDecommissioned,
        ]
        .map(ReasonCode::code);
        let mut reasons =
            self.health.reasons.iter().filter(|reason| offline.is_none() || !silent.contains(&reason.code.as_str()));
        if let Some(first) = reasons.next() {
            let message = first.message.as_deref().map(|message| format!(": {}", message.trim_end_matches('.')));
            parts.push(format!("{}{}", first.code, message.unwrap_or_default()));
        }
        let more = reasons.count();
        if more > 0 {
            parts.push(format!("{more} more"));
        }
        parts.join("; ")
    }
}

impl Listed for Device {
    const NOUN: &'static str = "device";
    const PLURAL: &'static str = "devices";
    const COLUMNS: &'static [Column] = &[
        Column::new("NAME"),
        Column::new("LINK").least(7),
        Column::new("SINCE").least(6),
        Column::new("HEALTH").least(8),
        Column::new("CPU").least(4).right(),
        Column::new("MEM").least(4).right(),
        Column::new("DISK").least(4).right(),
        Column::new("AGENT"),
        Column::new("ID").wide(),
        Column::new("LABELS").wide().elastic(),
        Column::new("INSTALLATION").wide(),
        Column::new("SAMPLED").wide(),
        Column::new("ENROLLED").wide(),
        Column::new("CERTIFICATE-UNTIL").wide(),
        Column::new("KEY").wide(),
        Column::new("REASON").elastic(),
    ];

    fn reference(&self) -> &str {
        &self.name
    }

    fn row(&self, moment: Moment) -> Vec<Cell> {
        let sample = self.last_sample.as_ref();
        let share = |ratio: Option<f64>| Cell::optional(ratio.map(amount::percent));
        vec![
            Cell::new(&self.name),
            self.link_cell(),
            moment.cell(self.revoked_at.or(self.link.since)),
            Cell::toned(self.health.verdict, verdict_tone(self.health.verdict)),
            share(sample.and_then(|sample| sample.value(Metric::CpuBusyRatio))),
            share(sample.and_then(|sample| sample.used(Metric::MemoryTotalBytes, Metric::MemoryAvailableBytes))),
            share(sample.and_then(|sample| sample.used(Metric::DiskTotalBytes, Metric::DiskAvailableBytes))),
            Cell::optional(self.agent_version.as_ref()),
            Cell::new(&self.id),
            Cell::new(label_text(&self.labels)),
            Cell::optional(self.installation.as_ref().map(|installation| &installation.name)),
            moment.cell(sample.and_then(|sample| sample.time)),
            moment.cell(self.enrolled_at),
            moment.cell(self.certificate_expires_at),
            Cell::optional(self.key_fingerprint.as_ref()),
            Cell::new(self.attention()),
        ]
    }
}

/// The tone of a link's state.
pub(crate) fn link_tone(state: &str) -> Tone {
    if state == "online" { Tone::Good } else { Tone::Bad }
}

/// The tone of a verdict.
pub(crate) fn verdict_tone(verdict: &str) -> Tone {
    match verdict {
        "ok" => Tone::Good,
        "degraded" => Tone::Warning,
        "critical" => Tone::Bad,
        _ => Tone::Faint,
    }
}
