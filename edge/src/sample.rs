//! Makes a sample out of a reading: metrics with their numbers, and the verdict by the shared rules.

use crate::host::Measurements;
use kaliun_proto::telemetry::v1::{Health, HealthVerdict, Metric, Reason, Sample, SampleValues};
use kaliun_types::health::{Finding, Verdict, Vitals, assess, verdict};
use kaliun_types::limits::{HEALTH_REASONS_MAX, REASON_MESSAGE_MAX_BYTES};
use kaliun_types::reason::ReasonCode;

/// What of the agent itself goes into a sample.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SpoolFigures {
    /// Samples dropped since the spool was made.
    pub dropped: u64,
    /// Samples that wait.
    pub pending: u64,
}

/// From when until when the box's certificate is valid. Milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateLife {
    /// When it began.
    pub begins_at_ms: i64,
    /// When it ends.
    pub expires_at_ms: i64,
}

/// Since when each finding holds, so that a reason keeps its beginning.
#[derive(Debug, Clone, Default)]
pub struct HealthHistory {
    /// Bounded by the number of rules: each gives one finding at most.
    since: Vec<(ReasonCode, i64)>,
}

impl HealthHistory {
    /// Makes the sample of a reading.
    #[must_use]
    pub fn sample(
        &mut self,
        now_ms: i64,
        measured: &Measurements,
        cpu_count: u32,
        home_assistant_answers: Option<bool>,
        certificate: Option<CertificateLife>,
        spool: SpoolFigures,
    ) -> Sample {
        let vitals = Vitals {
            certificate_left_seconds: certificate.map(|life| seconds(life.expires_at_ms.saturating_sub(now_ms))),
            certificate_life_seconds: certificate
                .map(|life| seconds(life.expires_at_ms.saturating_sub(life.begins_at_ms))),
            ..vitals(measured, cpu_count, home_assistant_answers)
        };
        let findings = assess(&vitals);
        let health = self.health(&findings, now_ms);
        Sample { sampled_at_ms: now_ms, values: Some(values(measured, spool)), health: Some(health) }
    }

    fn health(&mut self, findings: &[Finding], now_ms: i64) -> Health {
        let since: Vec<(ReasonCode, i64)> = findings
            .iter()
            .map(|finding| {
                let before = self.since.iter().find(|(reason, _)| *reason == finding.reason);
                (finding.reason, before.map_or(now_ms, |(_, since)| *since))
            })
            .collect();
        let reasons = findings
            .iter()
            .zip(&since)
            .take(HEALTH_REASONS_MAX)
            .map(|(finding, (_, since_ms))| Reason {
                code: finding.reason.code().to_owned(),
                message: crate::facts::clip(&finding.message, REASON_MESSAGE_MAX_BYTES).to_owned(),
                since_ms: *since_ms,
            })
            .collect();
        self.since = since;
        Health { verdict: wire_verdict(verdict(findings)).into(), reasons }
    }
}

fn vitals(measured: &Measurements, cpu_count: u32, home_assistant_answers: Option<bool>) -> Vitals {
    Vitals {
        cpu_busy_ratio: measured.cpu_busy_ratio,
        load_15m: measured.load.map(|[_, _, fifteen]| fifteen),
        cpu_count: Some(f64::from(cpu_count)),
        memory_total_bytes: measured.memory_bytes.map(|memory| memory.total),
        memory_available_bytes: measured.memory_bytes.map(|memory| memory.available),
        disk_total_bytes: measured.disk_bytes.map(|disk| disk.total),
        disk_available_bytes: measured.disk_bytes.map(|disk| disk.available),
        disk_inodes_total: measured.disk_inodes.map(|inodes| inodes.total),
        disk_inodes_available: measured.disk_inodes.map(|inodes| inodes.available),
        temperature_celsius: measured.temperature_celsius,
        home_assistant_answers,
        ..Vitals::default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of ten thousand years are below 2^53")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts of items are far below 2^53")]
fn values(measured: &Measurements, spool: SpoolFigures) -> SampleValues {
    let [load_1m, load_5m, load_15m] = measured.load.map_or([None; 3], |load| load.map(Some));
    let all = [
        (Metric::CpuBusyRatio, measured.cpu_busy_ratio),
        (Metric::Load1mCount, load_1m),
        (Metric::Load5mCount, load_5m),
        (Metric::Load15mCount, load_15m),
        (Metric::MemoryTotalBytes, measured.memory_bytes.map(|memory| memory.total)),
        (Metric::MemoryAvailableBytes, measured.memory_bytes.map(|memory| memory.available)),
        (Metric::DiskTotalBytes, measured.disk_bytes.map(|disk| disk.total)),
        (Metric::DiskAvailableBytes, measured.disk_bytes.map(|disk| disk.available)),
        (Metric::DiskInodesTotalCount, measured.disk_inodes.map(|inodes| inodes.total)),
        (Metric::DiskInodesAvailableCount, measured.disk_inodes.map(|inodes| inodes.available)),
        (Metric::TemperatureMaxCelsius, measured.temperature_celsius),
        (Metric::NetworkReceivedBytes, measured.network_bytes.map(|traffic| traffic.received)),
        (Metric::NetworkSentBytes, measured.network_bytes.map(|traffic| traffic.sent)),
        (Metric::UptimeSeconds, measured.uptime_seconds),
        (Metric::AgentResidentBytes, measured.agent_resident_bytes),
        (Metric::SpoolDroppedCount, Some(spool.dropped as f64)),
        (Metric::SpoolPendingCount, Some(spool.pending as f64)),
    ];
    let mut values = SampleValues::default();
    for (metric, value) in all {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            values.metrics.push(metric.into());
            values.values.push(value);
        }
    }
    values
}

fn wire_verdict(verdict: Verdict) -> HealthVerdict {
    match verdict {
        Verdict::Ok => HealthVerdict::Ok,
        Verdict::Degraded => HealthVerdict::Degraded,
        Verdict::Critical => HealthVerdict::Critical,
        Verdict::Stale => HealthVerdict::Stale,
        Verdict::Unknown => HealthVerdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::OfTotal;

    fn disk(available: f64) -> Measurements {
        Measurements { disk_bytes: Some(OfTotal { total: 100.0, available }), ..Measurements::default() }
    }

    #[test]
    fn what_is_not_measured_is_left_out() {
        let sample =
            HealthHistory::default().sample(7, &Measurements::default(), 4, None, None, SpoolFigures::default());
        let values = sample.values.unwrap();
        assert_eq!(values.metrics, [Metric::SpoolDroppedCount as i32, Metric::SpoolPendingCount as i32]);
        assert_eq!(sample.health.unwrap().verdict(), HealthVerdict::Ok);
        let odd = Measurements { cpu_busy_ratio: Some(f64::NAN), ..Measurements::default() };
        let sample = HealthHistory::default().sample(7, &odd, 4, None, None, SpoolFigures::default());
        assert!(!sample.values.unwrap().metrics.contains(&(Metric::CpuBusyRatio as i32)));
    }

    #[test]
    fn an_overdue_certificate_is_a_reason() {
        let life = CertificateLife { begins_at_ms: 0, expires_at_ms: 100_000 };
        let codes = |now_ms: i64| -> Vec<String> {
            let of_none = Measurements::default();
            let sample =
                HealthHistory::default().sample(now_ms, &of_none, 4, None, Some(life), SpoolFigures::default());
            sample.health.unwrap().reasons.into_iter().map(|reason| reason.code).collect()
        };
        assert_eq!(codes(80_000), Vec::<String>::new());
        assert_eq!(codes(80_001), ["certificate.expiring"]);
        assert_eq!(codes(100_000), ["certificate.expired"]);
        assert_eq!(codes(i64::MAX), ["certificate.expired"], "a clock gone wild");
    }

    #[test]
    fn a_reason_keeps_its_beginning_while_it_holds() {
        let mut history = HealthHistory::default();
        let mut since = |now, measured: &Measurements| {
            let health = history.sample(now, measured, 4, None, None, SpoolFigures::default()).health.unwrap();
            health.reasons.first().map(|reason| reason.since_ms)
        };
        assert_eq!(since(1, &disk(5.0)), Some(1));
        assert_eq!(since(2, &disk(4.0)), Some(1));
        assert_eq!(since(3, &disk(50.0)), None);
        assert_eq!(since(4, &disk(5.0)), Some(4));
    }
}
