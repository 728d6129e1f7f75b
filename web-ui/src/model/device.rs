//! One box as screens show it.

use super::mark::{Mark, Tone};
use super::standing::Standing;
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

/// How a box is, as colour, shape and word: the verdict on it, unless it may not connect at all.
#[must_use]
pub fn mark(device: &Device) -> Mark {
    Standing::of(device).mark().unwrap_or_else(|| Mark::of_verdict(verdict(device)))
}

/// Whether its link is up.
#[must_use]
pub fn is_online(device: &Device) -> bool {
    device.link.as_ref().is_some_and(|link| link.state() == LinkState::Online)
}

/// Since when its link is as it is. Milliseconds since the Unix epoch; 0 when unknown.
#[must_use]
pub fn link_since_ms(device: &Device) -> i64 {
    let link_since_ms = device.link.as_ref().map_or(0, |link| link.since_ms);
    Standing::of(device).ended_at_ms().unwrap_or(link_since_ms)
}

/// Its link as colour, shape and word. One that may not have a link is not called offline: nobody waits for it.
#[must_use]
pub fn link_mark(device: &Device) -> Mark {
    if Standing::of(device).ended_at_ms().is_some() {
        Mark { tone: Tone::Absent, word: "Cut off" }
    } else if is_online(device) {
        Mark { tone: Tone::Good, word: "Connected" }
    } else {
        Mark { tone: Tone::Bad, word: "Offline" }
    }
}

/// Why it is not well, gravest first. Of one that may not connect any more nothing else is of interest.
#[must_use]
pub fn reasons(device: &Device) -> Vec<ReasonLine> {
    let standing = Standing::of(device);
    let mut reasons: Vec<ReasonLine> = standing.reason().into_iter().collect();
    if standing.ended_at_ms().is_none() {
        let reported = device.health.as_ref().map(|health| health.reasons.as_slice()).unwrap_or_default();
        reasons.extend(reported.iter().map(ReasonLine::new));
    }
    reasons
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
    use kaliun_proto::fleet::v1::Link;
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
    fn a_box_is_shown_by_its_right_to_connect_before_its_health() {
        let silent = Device {
            link: Some(Link { state: LinkState::Offline.into(), since_ms: 4, reason: "link.timeout".to_owned() }),
            health: Some(Health {
                verdict: HealthVerdict::Stale.into(),
                reasons: vec![Reason { code: "health.stale".to_owned(), message: "Old.".to_owned(), since_ms: 4 }],
            }),
            ..Device::default()
        };
        let check = |device: &Device, word: &str, link: (&str, Tone), since_ms: i64, reasons_shown: usize| {
            assert_eq!((mark(device).word, link_mark(device).word, link_mark(device).tone), (word, link.0, link.1));
            assert_eq!((link_since_ms(device), reasons(device).len()), (since_ms, reasons_shown), "{word}");
        };
        check(&silent, "Not heard from", ("Offline", Tone::Bad), 4, 1);
        let revoked = Device { revoked_at_ms: 7, ..silent.clone() };
        check(&revoked, "Revoked", ("Cut off", Tone::Absent), 7, 1);
        let ended = Device { decommissioned_at_ms: 8, ..revoked };
        check(&ended, "Out of service", ("Cut off", Tone::Absent), 8, 1);
        check(&Device { parked_at_ms: 9, ..silent }, "Needs attention", ("Offline", Tone::Bad), 4, 2);
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
