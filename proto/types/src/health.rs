//! The health rules: a verdict with reasons from what a box measured. The same everywhere, so that a box, the server and a
//! screen never disagree.

use crate::reason::ReasonCode;

/// How a whole box is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// All is well.
    Ok,
    /// Works, but something wants attention.
    Degraded,
    /// Something important does not work or soon will not.
    Critical,
    /// The last report is too old to say.
    Stale,
    /// There never was a report.
    Unknown,
}

impl Verdict {
    /// The word for it, as fleetctl and JSON use it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Critical => "critical",
            Self::Stale => "stale",
            Self::Unknown => "unknown",
        }
    }
}

/// What the rules look at. `None` where the box cannot measure it; such a rule says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Vitals {
    /// Share of all cores' time not idle, 0 to 1.
    pub cpu_busy_ratio: Option<f64>,
    /// Load over 15 minutes, runnable tasks.
    pub load_15m: Option<f64>,
    /// Logical cores.
    pub cpu_count: Option<f64>,
    /// Memory in all and still to be had, bytes.
    pub memory_total_bytes: Option<f64>,
    /// Memory still to be had, bytes.
    pub memory_available_bytes: Option<f64>,
    /// Size of the state's file system, bytes.
    pub disk_total_bytes: Option<f64>,
    /// Space left on it, bytes.
    pub disk_available_bytes: Option<f64>,
    /// Inodes of it.
    pub disk_inodes_total: Option<f64>,
    /// Inodes left on it.
    pub disk_inodes_available: Option<f64>,
    /// The hottest sensor, degrees Celsius.
    pub temperature_celsius: Option<f64>,
    /// Whether Home Assistant answers; `None` where none is set up.
    pub home_assistant_answers: Option<bool>,
    /// Life left in the certificate by which the box proves itself, seconds; negative after its end.
    pub certificate_left_seconds: Option<f64>,
    /// The certificate's whole life, seconds.
    pub certificate_life_seconds: Option<f64>,
}

/// One finding of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What was found.
    pub reason: ReasonCode,
    /// How grave it is: `Degraded` or `Critical`.
    pub verdict: Verdict,
    /// One sentence with the figures.
    pub message: String,
}

/// Memory left below this share is low, and below the second exhausted. Home Assistant OS with 4 GB keeps 400 MB for caches.
const MEMORY_LOW_RATIO: f64 = 0.10;
const MEMORY_EXHAUSTED_RATIO: f64 = 0.03;
/// A Home Assistant backup needs about a tenth of a 32 GB disk; Postgres and SQLite fail for good below 2 %.
const DISK_NEARLY_FULL_RATIO: f64 = 0.10;
const DISK_FULL_RATIO: f64 = 0.02;
const INODES_NEARLY_FULL_RATIO: f64 = 0.05;
/// Small boxes slow themselves down at 80 to 85 degrees and stop near 100.
const TEMPERATURE_HIGH_CELSIUS: f64 = 80.0;
const TEMPERATURE_CRITICAL_CELSIUS: f64 = 95.0;
/// Above this nothing else gets a turn; a backup or an update may do so for a while, so it is a warning only.
const CPU_BUSY_RATIO: f64 = 0.95;
/// Tasks per core over a quarter of an hour.
const LOAD_HIGH_PER_CORE: f64 = 4.0;
/// A box asks for its next certificate when 30 to 40 % of the life of the one it has are left. With a fifth left, which is 6 of 30 days, it
/// has been refused or unheard for days.
const CERTIFICATE_OVERDUE_RATIO: f64 = 0.20;

/// A report older than this makes a box stale: four missed samples at the default interval.
pub const STALE_AFTER_MS: i64 = 60_000;

/// Applies all rules. The gravest finding comes first.
#[must_use]
pub fn assess(vitals: &Vitals) -> Vec<Finding> {
    let mut findings: Vec<Finding> = [
        disk(vitals),
        inodes(vitals),
        memory(vitals),
        temperature(vitals),
        home_assistant(vitals),
        certificate(vitals),
        cpu(vitals),
        load(vitals),
    ]
    .into_iter()
    .flatten()
    .collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    findings
}

/// The verdict over all findings.
#[must_use]
pub fn verdict(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok)
}

fn ratio(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    match (part, whole) {
        (Some(part), Some(whole)) if whole > 0.0 => Some(part / whole),
        (_, _) => None,
    }
}

fn degraded(reason: ReasonCode, message: String) -> Finding {
    Finding { reason, verdict: Verdict::Degraded, message }
}

fn critical(reason: ReasonCode, message: String) -> Finding {
    Finding { reason, verdict: Verdict::Critical, message }
}

fn disk(vitals: &Vitals) -> Option<Finding> {
    let free = ratio(vitals.disk_available_bytes, vitals.disk_total_bytes)?;
    let message = format!("{:.1} % of the disk is free.", free * 100.0);
    if free < DISK_FULL_RATIO {
        Some(critical(ReasonCode::DiskFull, message))
    } else if free < DISK_NEARLY_FULL_RATIO {
        Some(degraded(ReasonCode::DiskNearlyFull, message))
    } else {
        None
    }
}

fn inodes(vitals: &Vitals) -> Option<Finding> {
    let free = ratio(vitals.disk_inodes_available, vitals.disk_inodes_total)?;
    (free < INODES_NEARLY_FULL_RATIO).then(|| {
        degraded(ReasonCode::InodesNearlyFull, format!("{:.1} % of the disk's inodes are free.", free * 100.0))
    })
}

fn memory(vitals: &Vitals) -> Option<Finding> {
    let free = ratio(vitals.memory_available_bytes, vitals.memory_total_bytes)?;
    let message = format!("{:.1} % of the memory is free.", free * 100.0);
    if free < MEMORY_EXHAUSTED_RATIO {
        Some(critical(ReasonCode::MemoryExhausted, message))
    } else if free < MEMORY_LOW_RATIO {
        Some(degraded(ReasonCode::MemoryLow, message))
    } else {
        None
    }
}

fn temperature(vitals: &Vitals) -> Option<Finding> {
    let celsius = vitals.temperature_celsius?;
    let message = format!("The hottest sensor shows {celsius:.0} °C.");
    if celsius >= TEMPERATURE_CRITICAL_CELSIUS {
        Some(critical(ReasonCode::TemperatureCritical, message))
    } else if celsius >= TEMPERATURE_HIGH_CELSIUS {
        Some(degraded(ReasonCode::TemperatureHigh, message))
    } else {
        None
    }
}

fn home_assistant(vitals: &Vitals) -> Option<Finding> {
    (vitals.home_assistant_answers == Some(false))
        .then(|| critical(ReasonCode::HomeAssistantUnreachable, "Home Assistant does not answer.".to_owned()))
}

fn certificate(vitals: &Vitals) -> Option<Finding> {
    certificate_finding(vitals.certificate_left_seconds?, vitals.certificate_life_seconds?)
}

/// Whether a certificate should have been renewed long ago, or has run out. The server says the same of a box that is silent.
#[must_use]
pub fn certificate_finding(left_seconds: f64, life_seconds: f64) -> Option<Finding> {
    let words = |seconds: f64| {
        let hours = seconds / 3_600.0;
        if hours < 48.0 { format!("{:.0} h", hours.max(0.0)) } else { format!("{:.0} days", hours / 24.0) }
    };
    if left_seconds <= 0.0 {
        Some(critical(ReasonCode::CertificateExpired, format!("The certificate ran out {} ago.", words(-left_seconds))))
    } else if ratio(Some(left_seconds), Some(life_seconds))? < CERTIFICATE_OVERDUE_RATIO {
        let message = format!("The certificate runs out in {} and was not renewed in time.", words(left_seconds));
        Some(degraded(ReasonCode::CertificateExpiring, message))
    } else {
        None
    }
}

fn cpu(vitals: &Vitals) -> Option<Finding> {
    let busy = vitals.cpu_busy_ratio?;
    (busy > CPU_BUSY_RATIO)
        .then(|| degraded(ReasonCode::CpuBusy, format!("The processor is {:.0} % busy.", busy * 100.0)))
}

fn load(vitals: &Vitals) -> Option<Finding> {
    let per_core = ratio(vitals.load_15m, vitals.cpu_count)?;
    (per_core > LOAD_HIGH_PER_CORE).then(|| {
        degraded(ReasonCode::LoadHigh, format!("Over 15 minutes {per_core:.1} programs wanted to run on each core."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vitals: Vitals, expected_verdict: Verdict, expected: &[ReasonCode]) {
        let findings = assess(&vitals);
        assert_eq!(verdict(&findings), expected_verdict, "{vitals:?}");
        assert_eq!(findings.iter().map(|f| f.reason).collect::<Vec<_>>(), expected, "{vitals:?}");
    }

    fn disk_of(total: f64, available: f64) -> Vitals {
        Vitals { disk_total_bytes: Some(total), disk_available_bytes: Some(available), ..Vitals::default() }
    }

    #[test]
    fn rules_speak_only_of_what_was_measured() {
        check(Vitals::default(), Verdict::Ok, &[]);
        check(disk_of(0.0, 0.0), Verdict::Ok, &[]);
    }

    #[test]
    fn the_disk_has_two_thresholds() {
        check(disk_of(100.0, 10.0), Verdict::Ok, &[]);
        check(disk_of(100.0, 9.9), Verdict::Degraded, &[ReasonCode::DiskNearlyFull]);
        check(disk_of(100.0, 1.9), Verdict::Critical, &[ReasonCode::DiskFull]);
    }

    #[test]
    fn the_gravest_comes_first() {
        let vitals = Vitals {
            cpu_busy_ratio: Some(0.99),
            temperature_celsius: Some(82.0),
            home_assistant_answers: Some(false),
            ..Vitals::default()
        };
        check(
            vitals,
            Verdict::Critical,
            &[ReasonCode::HomeAssistantUnreachable, ReasonCode::TemperatureHigh, ReasonCode::CpuBusy],
        );
    }

    #[test]
    fn a_certificate_is_told_of_when_renewal_is_overdue() {
        let of = |days: f64| Vitals {
            certificate_left_seconds: Some(days * 86_400.0),
            certificate_life_seconds: Some(30.0 * 86_400.0),
            ..Vitals::default()
        };
        check(of(30.0), Verdict::Ok, &[]);
        check(of(9.0), Verdict::Ok, &[]);
        check(of(6.0), Verdict::Ok, &[]);
        check(of(5.9), Verdict::Degraded, &[ReasonCode::CertificateExpiring]);
        check(of(0.0), Verdict::Critical, &[ReasonCode::CertificateExpired]);
        check(of(-400.0), Verdict::Critical, &[ReasonCode::CertificateExpired]);
        let message = |days: f64| assess(&of(days)).first().map(|finding| finding.message.clone()).unwrap_or_default();
        assert_eq!(message(5.0), "The certificate runs out in 5 days and was not renewed in time.");
        assert_eq!(message(0.5), "The certificate runs out in 12 h and was not renewed in time.");
        assert_eq!(message(-3.0), "The certificate ran out 3 days ago.");
    }

    #[test]
    fn memory_and_load_are_relative() {
        let vitals = Vitals {
            memory_total_bytes: Some(4e9),
            memory_available_bytes: Some(1e8),
            load_15m: Some(9.0),
            cpu_count: Some(2.0),
            ..Vitals::default()
        };
        check(vitals, Verdict::Critical, &[ReasonCode::MemoryExhausted, ReasonCode::LoadHigh]);
    }
}
