//! A device as the control plane knows it.

use crate::lifecycle::Standing;
use kaliun_types::health::{STALE_AFTER_MS, Verdict};
use kaliun_types::id::{DeviceId, InstallationId, SessionEpoch};
use kaliun_types::label::Labels;
use kaliun_types::reason::ReasonCode;
use std::time::{Duration, SystemTime};

/// One box with its own key, and what is observed of it.
#[derive(Debug, Clone)]
pub struct Device {
    /// Who it is.
    pub id: DeviceId,
    /// Unique in its organization.
    pub name: String,
    /// What people and fleets call it by.
    pub labels: Labels,
    /// The home it serves.
    pub installation: Option<(InstallationId, String)>,
    /// SHA-256 of its public key's SubjectPublicKeyInfo.
    pub key_hash: Vec<u8>,
    /// End of its certificate's validity.
    pub certificate_expires_at: SystemTime,
    /// Until when it may recover though its allowance is used up, as somebody set it.
    pub recovery_extended_until: Option<SystemTime>,
    /// Since when it may not connect any more.
    pub revoked_at: Option<SystemTime>,
    /// Since when its service has ended for good.
    pub decommissioned_at: Option<SystemTime>,
    /// When it got its first certificate.
    pub enrolled_at: SystemTime,
    /// Grows with each change by a person.
    pub version: i64,
    /// Since when two boxes seem to use its identity, and nobody has chosen.
    pub parked_at: Option<SystemTime>,
    /// Its connection.
    pub link: Link,
    /// Version of its agent, as it said when it connected last; empty before.
    pub agent_version: String,
    /// Its newest sample.
    pub report: Option<Report>,
    /// What it says of itself: an encoded `kaliun.telemetry.v1.Facts`.
    pub facts: Option<Vec<u8>>,
}

impl Device {
    /// Why it may not connect any more, as it is told; none while it may.
    #[must_use]
    pub const fn refusal(&self) -> Option<ReasonCode> {
        Standing {
            deleted: false,
            revoked: self.revoked_at.is_some(),
            decommissioned: self.decommissioned_at.is_some(),
            wipe_identity: false,
        }
        .refusal()
    }
}

/// A device's connection to the control plane.
#[derive(Debug, Clone)]
pub struct Link {
    /// Whether there is one.
    pub online: bool,
    /// Since when.
    pub since: SystemTime,
    /// A reason code.
    pub reason: String,
}

/// The newest sample of a device.
#[derive(Debug, Clone)]
pub struct Report {
    /// By the box's clock.
    pub sampled_at: SystemTime,
    /// By the server's clock.
    pub stored_at: SystemTime,
    /// An encoded `kaliun.telemetry.v1.SampleValues`.
    pub values: Vec<u8>,
    /// What the box concluded.
    pub verdict: Verdict,
    /// Why: an encoded `kaliun.telemetry.v1.Health`.
    pub health: Vec<u8>,
}

/// The verdict as of now: what the box said last, unless that is too old.
#[must_use]
pub fn effective_verdict(report: Option<&Report>, now: SystemTime) -> Verdict {
    let Some(report) = report else { return Verdict::Unknown };
    let stale_after = Duration::from_millis(STALE_AFTER_MS.unsigned_abs());
    // A clock that was set back makes the age negative; then the report is fresh.
    let age = now.duration_since(report.stored_at).unwrap_or_default();
    if age > stale_after { Verdict::Stale } else { report.verdict }
}

/// The number a verdict is stored as.
#[must_use]
pub const fn verdict_number(verdict: Verdict) -> i16 {
    match verdict {
        Verdict::Ok => 1,
        Verdict::Degraded => 2,
        Verdict::Critical => 3,
        Verdict::Stale => 4,
        Verdict::Unknown => 5,
    }
}

/// Reads a stored verdict: only those that a box can give.
#[must_use]
pub const fn verdict_from_number(number: i16) -> Option<Verdict> {
    match number {
        1 => Some(Verdict::Ok),
        2 => Some(Verdict::Degraded),
        3 => Some(Verdict::Critical),
        _ => None,
    }
}

/// A session as it is when it begins.
#[derive(Debug, Clone)]
pub struct SessionStart {
    /// Whether two boxes seem to use the identity: the session is for state only, and takes nothing that is stored.
    pub parked: bool,
    /// Its number.
    pub epoch: SessionEpoch,
    /// How far the samples are stored: the spool's id and the last sequence.
    pub samples: Option<SpoolMark>,
    /// How far the events are stored.
    pub events: Option<SpoolMark>,
    /// SHA-256 of the facts that are held.
    pub facts_hash: Option<Vec<u8>>,
    /// How the box shall report.
    pub settings: Option<ReportSettings>,
}

/// A place in one life of a spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolMark {
    /// Names this life of the spool.
    pub spool_id: Vec<u8>,
    /// Everything up to and with this sequence is stored.
    pub sequence: i64,
}

/// How the boxes of an organization report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSettings {
    /// Grows with each change.
    pub generation: i64,
    /// An encoded `kaliun.link.v1.SettingsDocument`.
    pub document: Vec<u8>,
}

/// Counts over a set of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// All.
    pub total: i64,
    /// Those with a link.
    pub online: i64,
    /// By effective verdict.
    pub ok: i64,
    /// By effective verdict.
    pub degraded: i64,
    /// By effective verdict.
    pub critical: i64,
    /// By effective verdict.
    pub stale: i64,
    /// By effective verdict.
    pub unknown: i64,
    /// Those that may not connect any more: nobody waits for what they say, so they are in no other count but the first.
    pub revoked: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(age: Duration, verdict: Verdict, now: SystemTime) -> Report {
        Report { sampled_at: now - age, stored_at: now - age, values: Vec::new(), verdict, health: Vec::new() }
    }

    #[test]
    fn an_old_report_is_stale_and_none_is_unknown() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        assert_eq!(effective_verdict(None, now), Verdict::Unknown);
        let fresh = report(Duration::from_secs(60), Verdict::Degraded, now);
        assert_eq!(effective_verdict(Some(&fresh), now), Verdict::Degraded);
        let old = report(Duration::from_secs(61), Verdict::Ok, now);
        assert_eq!(effective_verdict(Some(&old), now), Verdict::Stale);
        let clock_set_back = report(Duration::ZERO, Verdict::Ok, now + Duration::from_secs(3600));
        assert_eq!(effective_verdict(Some(&clock_set_back), now), Verdict::Ok);
    }
}
