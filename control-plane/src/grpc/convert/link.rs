//! What a device sends over its link.

use crate::clock;
use crate::digest::sha256;
use kaliun_domain::device::verdict_number;
use kaliun_proto::link::v1::{EventBatch, FactsReport, SampleBatch};
use kaliun_proto::telemetry::v1::{Facts, Health, HealthVerdict, Sample, SampleValues};
use kaliun_store::{EventItem, EventWrite, FactsWrite, SampleItem, SampleWrite};
use kaliun_types::health::Verdict;
use kaliun_types::id::{DeviceId, SessionEpoch};
use kaliun_types::limits::{
    BATCH_ITEMS_MAX, EVENT_MESSAGE_MAX_BYTES, FACTS_ADDRESSES_MAX, HEALTH_REASONS_MAX, REASON_MESSAGE_MAX_BYTES,
    SAMPLE_METRICS_MAX,
};
use kaliun_types::reason::is_code;
use prost::Message;
use std::collections::HashSet;
use thiserror::Error;

/// What is wrong with an item, by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{field}: {problem}")]
pub(crate) struct InvalidItem {
    pub(crate) field: &'static str,
    pub(crate) problem: &'static str,
}

const fn invalid(field: &'static str, problem: &'static str) -> InvalidItem {
    InvalidItem { field, problem }
}

fn sequence(first: u64, count: usize) -> Result<i64, InvalidItem> {
    let wrong = invalid("first_sequence", "must be 1 or more and leave room for the batch");
    let count = i64::try_from(count).map_err(|_| wrong)?;
    let first = i64::try_from(first).map_err(|_| wrong)?;
    if first < 1 || first.checked_add(count).is_none() {
        return Err(wrong);
    }
    Ok(first)
}

fn spool_id(bytes: Vec<u8>) -> Result<Vec<u8>, InvalidItem> {
    if bytes.len() == 16 { Ok(bytes) } else { Err(invalid("spool_id", "must be 16 bytes")) }
}

fn count_fits(count: usize) -> Result<(), InvalidItem> {
    if (1..=BATCH_ITEMS_MAX).contains(&count) { Ok(()) } else { Err(invalid("items", "must be 1 to 128")) }
}

/// A batch of samples.
pub(crate) fn samples_from_proto(
    batch: SampleBatch,
    device: DeviceId,
    epoch: SessionEpoch,
) -> Result<SampleWrite, InvalidItem> {
    count_fits(batch.samples.len())?;
    Ok(SampleWrite {
        device,
        epoch,
        spool_id: spool_id(batch.spool_id)?,
        first_sequence: sequence(batch.first_sequence, batch.samples.len())?,
        items: batch.samples.into_iter().map(sample).collect::<Result<_, _>>()?,
    })
}

fn sample(sample: Sample) -> Result<SampleItem, InvalidItem> {
    let values = sample.values.ok_or(invalid("values", "is missing"))?;
    check_values(&values)?;
    let health = sample.health.ok_or(invalid("health", "is missing"))?;
    let verdict = match health.verdict() {
        HealthVerdict::Ok => Verdict::Ok,
        HealthVerdict::Degraded => Verdict::Degraded,
        HealthVerdict::Critical => Verdict::Critical,
        HealthVerdict::Unspecified | HealthVerdict::Stale | HealthVerdict::Unknown => {
            return Err(invalid("health.verdict", "must be ok, degraded or critical"));
        }
    };
    check_health(&health)?;
    Ok(SampleItem {
        sampled_at: clock::from_ms(sample.sampled_at_ms),
        values: values.encode_to_vec(),
        verdict: verdict_number(verdict),
        health: health.encode_to_vec(),
    })
}

fn check_values(values: &SampleValues) -> Result<(), InvalidItem> {
    if values.metrics.len() != values.values.len() {
        return Err(invalid("values", "must have as many metrics as values"));
    }
    if values.metrics.len() > SAMPLE_METRICS_MAX {
        return Err(invalid("values", "must be at most 256"));
    }
    if values.values.iter().any(|value| !value.is_finite()) {
        return Err(invalid("values", "must be finite"));
    }
    let mut seen = HashSet::with_capacity(values.metrics.len());
    if values.metrics.iter().any(|metric| *metric <= 0 || !seen.insert(*metric)) {
        return Err(invalid("metrics", "must each be named once, and not 0"));
    }
    Ok(())
}

fn check_health(health: &Health) -> Result<(), InvalidItem> {
    if health.reasons.len() > HEALTH_REASONS_MAX {
        return Err(invalid("health.reasons", "must be at most 16"));
    }
    for reason in &health.reasons {
        if !is_code(&reason.code) {
            return Err(invalid("health.reasons.code", "must be a reason code"));
        }
        if reason.message.len() > REASON_MESSAGE_MAX_BYTES {
            return Err(invalid("health.reasons.message", "must be at most 256 bytes"));
        }
    }
    Ok(())
}

/// A batch of events.
pub(crate) fn events_from_proto(
    batch: EventBatch,
    device: DeviceId,
    epoch: SessionEpoch,
) -> Result<EventWrite, InvalidItem> {
    count_fits(batch.events.len())?;
    Ok(EventWrite {
        device,
        epoch,
        spool_id: spool_id(batch.spool_id)?,
        first_sequence: sequence(batch.first_sequence, batch.events.len())?,
        items: batch
            .events
            .into_iter()
            .map(|event| {
                if !is_code(&event.code) {
                    return Err(invalid("events.code", "must be a reason code"));
                }
                if event.message.len() > EVENT_MESSAGE_MAX_BYTES || event.message.contains('\0') {
                    return Err(invalid("events.message", "must be at most 512 bytes without zeroes"));
                }
                Ok(EventItem {
                    happened_at: clock::from_ms(event.happened_at_ms),
                    code: event.code,
                    message: event.message,
                })
            })
            .collect::<Result<_, _>>()?,
    })
}

/// What a box says of itself. The hash is ours, not the box's word.
pub(crate) fn facts_from_proto(
    report: FactsReport,
    device: DeviceId,
    epoch: SessionEpoch,
) -> Result<FactsWrite, InvalidItem> {
    let facts = report.facts.ok_or(invalid("facts", "is missing"))?;
    check_facts(&facts)?;
    let encoded = facts.encode_to_vec();
    Ok(FactsWrite { device, epoch, facts_hash: sha256(&encoded).to_vec(), facts: encoded })
}

/// Most cores a box may have, as the contract says.
const CPU_COUNT_MAX: u32 = 4096;

/// Checks the lengths in what a box says of itself.
pub(crate) fn check_facts(facts: &Facts) -> Result<(), InvalidItem> {
    let texts = [
        ("hostname", &facts.hostname, 253),
        ("operating_system", &facts.operating_system, 128),
        ("kernel", &facts.kernel, 128),
        ("architecture", &facts.architecture, 32),
        ("model", &facts.model, 128),
        ("serial", &facts.serial, 64),
        ("agent_version", &facts.agent_version, 64),
        ("home_assistant_version", &facts.home_assistant_version, 64),
    ];
    for (field, text, longest) in texts {
        if text.len() > longest {
            return Err(invalid(field, "is too long"));
        }
    }
    if facts.addresses.len() > FACTS_ADDRESSES_MAX || facts.addresses.iter().any(|address| address.len() > 64) {
        return Err(invalid("addresses", "must be at most 16 of at most 64 bytes"));
    }
    if facts.cpu_count > CPU_COUNT_MAX {
        return Err(invalid("cpu_count", "must be at most 4096"));
    }
    for (field, light) in [("remote_access", &facts.remote_access), ("home_assistant", &facts.home_assistant)] {
        let Some(reason) = light.as_ref().and_then(|light| light.reason.as_ref()) else { continue };
        if !is_code(&reason.code) || reason.message.len() > REASON_MESSAGE_MAX_BYTES {
            return Err(invalid(field, "must have a reason code and at most 256 bytes of message"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_proto::telemetry::v1::{Metric, Reason};

    fn good() -> SampleBatch {
        SampleBatch {
            spool_id: vec![7; 16],
            first_sequence: 1,
            samples: vec![Sample {
                sampled_at_ms: 1_800_000_000_000,
                values: Some(SampleValues { metrics: vec![Metric::CpuBusyRatio.into()], values: vec![0.5] }),
                health: Some(Health { verdict: HealthVerdict::Ok.into(), reasons: Vec::new() }),
            }],
        }
    }

    fn check(change: impl FnOnce(&mut SampleBatch), expected: Option<&str>) {
        let mut batch = good();
        change(&mut batch);
        let result = samples_from_proto(batch, DeviceId::new(), SessionEpoch(1));
        assert_eq!(result.err().map(|error| error.field), expected);
    }

    fn values(batch: &mut SampleBatch) -> &mut SampleValues {
        batch.samples[0].values.as_mut().unwrap()
    }

    #[test]
    fn samples_are_checked_field_by_field() {
        check(|_| {}, None);
        check(|b| b.spool_id = vec![7; 15], Some("spool_id"));
        check(|b| b.first_sequence = 0, Some("first_sequence"));
        check(|b| b.first_sequence = u64::MAX, Some("first_sequence"));
        check(|b| b.first_sequence = i64::MAX.unsigned_abs(), Some("first_sequence"));
        check(|b| b.samples.clear(), Some("items"));
        check(|b| b.samples = vec![b.samples[0].clone(); 129], Some("items"));
        check(|b| b.samples[0].values = None, Some("values"));
        check(|b| values(b).values = vec![f64::NAN], Some("values"));
        check(|b| values(b).values = vec![], Some("values"));
        check(|b| *values(b) = SampleValues { metrics: vec![1, 1], values: vec![0.0, 0.0] }, Some("metrics"));
        check(|b| values(b).metrics = vec![0], Some("metrics"));
        // A metric of a newer agent is kept.
        check(|b| values(b).metrics = vec![9999], None);
        check(|b| b.samples[0].health = None, Some("health"));
        check(|b| b.samples[0].health.as_mut().unwrap().verdict = 0, Some("health.verdict"));
        check(|b| b.samples[0].health.as_mut().unwrap().verdict = 77, Some("health.verdict"));
        let bad = Reason { code: "Not A Code".to_owned(), ..Reason::default() };
        check(|b| b.samples[0].health.as_mut().unwrap().reasons.push(bad), Some("health.reasons.code"));
    }
}
