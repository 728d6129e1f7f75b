//! What a box proves itself with, as screens show it.

use super::mark::{Mark, Tone};
use super::standing::Standing;
use kaliun_proto::fleet::v1::{CertificateCause, Device, DeviceCertificate};
use kaliun_types::health::{Finding, Verdict, certificate_finding};
use kaliun_types::reason::ReasonCode;

/// How long a certificate lives, seconds.
const CERTIFICATE_LIFE_SECONDS: f64 = 30.0 * 24.0 * 3_600.0;

/// How a box's right to connect is, by the rule that boxes and server go by.
#[must_use]
pub fn mark(device: &Device, now_ms: i64) -> Mark {
    if Standing::of(device).ended_at_ms().is_some() {
        return Mark { tone: Tone::Absent, word: "Counts for nothing any more" };
    }
    match finding(device, now_ms).map(|finding| finding.verdict) {
        None => Mark { tone: Tone::Good, word: "Valid" },
        Some(Verdict::Critical) => Mark { tone: Tone::Bad, word: "Expired" },
        Some(Verdict::Ok | Verdict::Degraded | Verdict::Stale | Verdict::Unknown) => {
            Mark { tone: Tone::Warning, word: "Not renewed in time" }
        }
    }
}

/// Until when a box whose certificate has run out comes back by itself; none while it has a valid one or may not come back.
/// Milliseconds since the Unix epoch.
#[must_use]
pub fn returns_until_ms(device: &Device, now_ms: i64) -> Option<i64> {
    let has_expired = device.certificate_expires_at_ms <= now_ms && device.revoked_at_ms == 0;
    (has_expired && device.recoverable_until_ms > now_ms).then_some(device.recoverable_until_ms)
}

/// What to do about a certificate that is not as it should be; empty where there is nothing to do, or the box does it by itself.
#[must_use]
pub fn next_step(device: &Device, now_ms: i64) -> &'static str {
    if Standing::of(device).ended_at_ms().is_some() || returns_until_ms(device, now_ms).is_some() {
        return "";
    }
    match finding(device, now_ms).map(|finding| finding.verdict) {
        None => "",
        Some(Verdict::Critical) => ReasonCode::PeerRecoveryExpired.next_step(),
        Some(Verdict::Ok | Verdict::Degraded | Verdict::Stale | Verdict::Unknown) => {
            ReasonCode::CertificateExpiring.next_step()
        }
    }
}

fn finding(device: &Device, now_ms: i64) -> Option<Finding> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of ten thousand years are below 2^53")]
    let left_seconds = device.certificate_expires_at_ms.saturating_sub(now_ms) as f64 / 1_000.0;
    certificate_finding(left_seconds, CERTIFICATE_LIFE_SECONDS)
}

/// Why a box got a certificate, in words.
#[must_use]
pub fn cause(certificate: &DeviceCertificate) -> &'static str {
    match certificate.cause() {
        CertificateCause::Enrolled => "Enrolled",
        CertificateCause::GivenAgain => "Given again",
        CertificateCause::Renewed => "Renewed",
        CertificateCause::Recovered => "Recovered after it was away",
        CertificateCause::Unspecified => "Given",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn device(expires_at_ms: i64) -> Device {
        Device {
            certificate_expires_at_ms: expires_at_ms,
            recoverable_until_ms: expires_at_ms + 365 * DAY_MS,
            ..Device::default()
        }
    }

    #[test]
    fn the_mark_follows_the_shared_rule() {
        let now_ms = 1_000 * DAY_MS;
        let word = |days: i64| mark(&device(now_ms + days * DAY_MS), now_ms).word;
        assert_eq!([20, 7, 5, 0, -3].map(word), ["Valid", "Valid", "Not renewed in time", "Expired", "Expired"]);
        let revoked = Device { revoked_at_ms: 1, ..device(now_ms + 20 * DAY_MS) };
        assert_eq!(mark(&revoked, now_ms).word, "Counts for nothing any more");
    }

    #[test]
    fn a_box_that_was_away_comes_back_within_its_allowance() {
        let now_ms = 1_000 * DAY_MS;
        assert_eq!(returns_until_ms(&device(now_ms + DAY_MS), now_ms), None);
        assert_eq!(returns_until_ms(&device(now_ms - DAY_MS), now_ms), Some(now_ms + 364 * DAY_MS));
        assert_eq!(returns_until_ms(&device(now_ms - 366 * DAY_MS), now_ms), None);
        let revoked = Device { revoked_at_ms: 1, ..device(now_ms - DAY_MS) };
        assert_eq!(returns_until_ms(&revoked, now_ms), None);
    }

    #[test]
    fn a_certificate_that_is_late_has_a_next_step() {
        let now_ms = 1_000 * DAY_MS;
        let step = |days: i64| next_step(&device(now_ms + days * DAY_MS), now_ms);
        assert_eq!([step(20), step(-3)], ["", ""], "well, or coming back by itself");
        assert_eq!(step(5), ReasonCode::CertificateExpiring.next_step());
        assert_eq!(step(-366), ReasonCode::PeerRecoveryExpired.next_step());
        assert_eq!(next_step(&Device { revoked_at_ms: 1, ..device(now_ms) }, now_ms), "");
    }

    #[test]
    fn a_cause_of_a_newer_server_has_words_too() {
        assert_eq!(cause(&DeviceCertificate { cause: 99, ..DeviceCertificate::default() }), "Given");
        let recovered = CertificateCause::Recovered.into();
        let certificate = DeviceCertificate { cause: recovered, ..DeviceCertificate::default() };
        assert_eq!(cause(&certificate), "Recovered after it was away");
    }
}
