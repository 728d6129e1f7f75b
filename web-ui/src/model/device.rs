//! One box as screens show it.

use super::mark::Mark;
use kaliun_proto::fleet::v1::{Device, LinkState};
use kaliun_proto::telemetry::v1::{HealthVerdict, Metric, Reason};
use kaliun_types::reason::ReasonCode;

/// A reason with what a person can do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasonLine {
    /// What is so, with the figures.
    pub sentence: String,
    /// What to do next; empty for a code that this program does not know yet.
    pub next_step: &'static str,
    /// Since when. Milliseconds since the Unix epoch; 0 when unknown.
    pub since_ms: i64,
}

impl ReasonLine {
    /// From the wire.
    #[must_use]
    pub fn new(reason: &Reason) -> Self {
        let sentence = if reason.message.is_empty() { words_of_code(&reason.code) } else { reason.message.clone() };
        Self { sentence, next_step: next_step(&reason.code), since_ms: reason.since_ms }
    }
}

/// What to do about a code; empty for an unknown one and where there is nothing to do.
#[must_use]
pub fn next_step(code: &str) -> &'static str {
    match ReasonCode::from_code(code).map(ReasonCode::next_step) {
        Some("Nothing to do.") | None => "",
        Some(step) => step,
    }
}

/// A sentence made of a bare code: "disk.nearly_full" is "Disk: nearly full."
#[must_use]
pub fn words_of_code(code: &str) -> String {
    let text = code.replace('_', " ").replacen('.', ": ", 1);
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).chain(['.']).collect())
}

/// The verdict on a box.
#[must_use]
pub fn verdict(device: &Device) -> HealthVerdict {
    device.health.as_ref().map_or(HealthVerdict::Unknown, kaliun_proto::telemetry::v1::Health::verdict)
}

/// The verdict as colour, shape and word.
#[must_use]
pub fn mark(device: &Device) -> Mark {
    Mark::of_verdict(verdict(device))
}

/// Whether its link is up.
#[must_use]
pub fn is_online(device: &Device) -> bool {
    device.link.as_ref().is_some_and(|link| link.state() == LinkState::Online)
}

/// Since when its link is as it is. Milliseconds since the Unix epoch; 0 when unknown.
#[must_use]
pub fn link_since_ms(device: &Device) -> i64 {
    device.link.as_ref().map_or(0, |link| link.since_ms)
}

/// Why it is not well, gravest first.
#[must_use]
pub fn reasons(device: &Device) -> Vec<ReasonLine> {
    let reasons = device.health.as_ref().map(|health| health.reasons.as_slice()).unwrap_or_default();
    reasons.iter().map(ReasonLine::new).collect()
}

/// One value of the newest sample.
#[must_use]
pub fn value(device: &Device, metric: Metric) -> Option<f64> {
    let values = device.last_sample.as_ref()?.values.as_ref()?;
    let wanted = i32::from(metric);
    values.metrics.iter().zip(&values.values).find(|(metric, _)| **metric == wanted).map(|(_, value)| *value)
}

/// When the newest sample was taken. Milliseconds since the Unix epoch; 0 for never.
#[must_use]
pub fn sampled_at_ms(device: &Device) -> i64 {
    device.last_sample.as_ref().map_or(0, |sample| sample.sampled_at_ms)
}

/// Its labels as `key=value`, in order.
#[must_use]
pub fn labels(device: &Device) -> Vec<String> {
    let mut labels: Vec<String> = device
        .labels
        .iter()
        .map(|(key, value)| if value.is_empty() { key.clone() } else { format!("{key}={value}") })
        .collect();
    labels.sort();
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_proto::telemetry::v1::{Health, Sample, SampleValues};

    #[test]
    fn a_reason_has_words_and_a_next_step() {
        let known = Reason { code: "disk.nearly_full".to_owned(), message: String::new(), since_ms: 5 };
        let line = ReasonLine::new(&known);
        assert_eq!(line.sentence, "Disk: nearly full.");
        assert!(line.next_step.starts_with("Delete"));
        let newer = Reason { code: "spoon.bent".to_owned(), message: "The spoon is bent.".to_owned(), since_ms: 0 };
        assert_eq!(ReasonLine::new(&newer).next_step, "");
        assert_eq!(next_step("link.connected"), "");
    }

    #[test]
    fn a_box_without_a_report_is_unknown() {
        let device = Device::default();
        assert_eq!(mark(&device).word, "No report yet");
        assert_eq!(value(&device, Metric::CpuBusyRatio), None);
        assert!(!is_online(&device));
    }

    #[test]
    fn values_are_found_by_metric() {
        let values = SampleValues {
            metrics: vec![Metric::Load1mCount.into(), Metric::CpuBusyRatio.into()],
            values: vec![2.0, 0.25],
        };
        let device = Device {
            health: Some(Health { verdict: HealthVerdict::Ok.into(), reasons: vec![] }),
            last_sample: Some(Sample { sampled_at_ms: 7, values: Some(values), health: None }),
            ..Device::default()
        };
        assert_eq!(value(&device, Metric::CpuBusyRatio), Some(0.25));
        assert_eq!(value(&device, Metric::DiskTotalBytes), None);
        assert_eq!(sampled_at_ms(&device), 7);
    }
}
