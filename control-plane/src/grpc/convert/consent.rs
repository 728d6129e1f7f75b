//! Consents, in and out.

use crate::clock;
use crate::grpc::status;
use kaliun_domain::consent::{ConsentState, DURATION_DEFAULT, DURATION_MAX, DURATION_MIN, REASON_MAX_CHARS};
use kaliun_proto::fleet::v1 as proto;
use kaliun_store::ConsentRow;
use std::time::Duration;
use tonic::Status;

pub(crate) fn consent_to_proto(row: ConsentRow) -> proto::Consent {
    let state = match row.times.state(row.read_at) {
        ConsentState::Waiting => proto::ConsentState::Waiting,
        ConsentState::Granted => proto::ConsentState::Granted,
        ConsentState::Denied => proto::ConsentState::Denied,
        ConsentState::Ended => proto::ConsentState::Ended,
        ConsentState::Expired => proto::ConsentState::Expired,
    };
    proto::Consent {
        id: row.id.to_string(),
        installation_id: row.home.to_string(),
        installation_name: row.home_name,
        asked_by: row.asked_by,
        asked_by_name: row.asked_by_name,
        reason: row.reason,
        duration_seconds: u32::try_from(row.duration.as_secs()).unwrap_or(u32::MAX),
        state: state.into(),
        asked_at_ms: clock::to_ms(row.asked_at),
        decided_at_ms: row.times.decided_at().map_or(0, clock::to_ms),
        decided_by: row.decided_by,
        until_ms: row.times.until(row.read_at).map_or(0, clock::to_ms),
    }
}

/// Why somebody wants to be let in. It is shown to the owner and mailed, so it is one text without control characters but line ends.
pub(crate) fn reason(text: &str) -> Result<&str, Status> {
    let text = text.trim();
    let length = text.chars().count();
    if !(1..=REASON_MAX_CHARS).contains(&length) {
        return Err(status::invalid("reason", format!("must have 1 to {REASON_MAX_CHARS} characters, not {length}")));
    }
    if text.chars().any(|character| character.is_control() && character != '\n') {
        return Err(status::invalid("reason", "must have no control characters but line ends"));
    }
    Ok(text)
}

/// For how long. Nothing means four hours.
pub(crate) fn duration(seconds: u32) -> Result<Duration, Status> {
    if seconds == 0 {
        return Ok(DURATION_DEFAULT);
    }
    let duration = Duration::from_secs(seconds.into());
    if (DURATION_MIN..=DURATION_MAX).contains(&duration) {
        return Ok(duration);
    }
    let (least, most) = (DURATION_MIN.as_secs(), DURATION_MAX.as_secs());
    Err(status::invalid("duration_seconds", format!("must be {least} to {most}, or 0 for four hours")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_words_and_a_duration_bounds() {
        assert_eq!(reason("  the heating\nis off ").unwrap(), "the heating\nis off");
        for bad in ["", "  ", "a\u{7}b", "a\rb", &"x".repeat(501)] {
            assert!(reason(bad).unwrap_err().message().starts_with("reason: "), "{bad:?}");
        }
        assert_eq!(duration(0).unwrap(), Duration::from_secs(14_400));
        for good in [900, 604_800] {
            assert_eq!(duration(good).unwrap(), Duration::from_secs(good.into()));
        }
        for bad in [1, 899, 604_801, u32::MAX] {
            assert!(duration(bad).unwrap_err().message().starts_with("duration_seconds: "), "{bad}");
        }
    }
}
