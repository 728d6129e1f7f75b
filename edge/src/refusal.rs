//! What a gRPC status says: a reason code, a sentence, and when to come back.

use kaliun_types::reason::{ReasonCode, is_code};
use std::time::Duration;
use tonic::{Code, Status};

/// Metadata by which a server says when to come back, milliseconds.
const RETRY_AFTER: &str = "retry-after-ms";

/// Longest hint that is honoured: a box is never sent away for more than a day.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

/// Longest message kept, bytes: as long as a reason's message.
const MESSAGE_MAX_BYTES: usize = kaliun_types::limits::REASON_MESSAGE_MAX_BYTES;

/// A call that ended with a status, as far as it can be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status code.
    pub code: Code,
    /// The reason code in front of the message, if there is one that this version knows.
    pub reason: Option<ReasonCode>,
    /// Whether a reason code stood there at all: then the server spoke, not the network.
    pub is_spoken: bool,
    /// The sentence.
    pub message: String,
    /// When to come back at the earliest.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// Takes a status apart. The form is `<reason code>: <sentence>`; anything else is all sentence.
    #[must_use]
    pub fn from_status(status: &Status) -> Self {
        let (code_text, sentence) = split_reason(status.message());
        let retry_after = status
            .metadata()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(|milliseconds| Duration::from_millis(milliseconds).min(RETRY_AFTER_MAX));
        Self {
            code: status.code(),
            reason: code_text.and_then(ReasonCode::from_code),
            is_spoken: code_text.is_some(),
            message: crate::facts::clip(sentence, MESSAGE_MAX_BYTES).to_owned(),
            retry_after,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.reason {
            Some(reason) => write!(formatter, "{reason}: {}", self.message),
            None => write!(formatter, "{} ({:?})", self.message, self.code),
        }
    }
}

/// Splits `<reason code>: <sentence>`. A code has a dot, which keeps "error: …" of some library from passing as one.
fn split_reason(message: &str) -> (Option<&str>, &str) {
    match message.split_once(": ") {
        Some((code, sentence)) if is_code(code) && code.contains('.') => (Some(code), sentence),
        Some(_) | None => (None, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, reason: Option<ReasonCode>, is_spoken: bool, sentence: &str) {
        let refusal = Refusal::from_status(&Status::unauthenticated(message));
        assert_eq!(
            (refusal.reason, refusal.is_spoken, refusal.message.as_str()),
            (reason, is_spoken, sentence),
            "{message}"
        );
    }

    #[test]
    fn reasons_stand_in_front() {
        check("peer.device_deleted: Gone.", Some(ReasonCode::PeerDeviceDeleted), true, "Gone.");
        check("peer.from_the_future: New.", None, true, "New.");
        check("transport error: broken pipe", None, false, "transport error: broken pipe");
        check("error: broken pipe", None, false, "error: broken pipe");
        check("", None, false, "");
    }

    #[test]
    fn the_hint_is_read_and_bounded() {
        let hint = |text: &'static str| {
            let mut status = Status::unavailable("x");
            status.metadata_mut().insert(RETRY_AFTER, tonic::metadata::MetadataValue::from_static(text));
            Refusal::from_status(&status).retry_after
        };
        assert_eq!(hint("1500"), Some(Duration::from_millis(1500)));
        assert_eq!(hint("99999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(hint("soon"), None);
    }
}
