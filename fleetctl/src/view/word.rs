//! The contract's enums as lower-case words. A number from a newer server is `unrecognized`.

use kaliun_proto::fleet::v1::{ConsentState, HomeRole, LinkState, Role, SessionKind};
use kaliun_proto::telemetry::v1::{HealthVerdict, LightState, Metric};

/// What stands for a value that this fleetctl does not know.
const UNRECOGNIZED: &str = "unrecognized";

pub(super) fn link_state(number: i32) -> &'static str {
    match LinkState::try_from(number) {
        Ok(LinkState::Online) => "online",
        Ok(LinkState::Offline) => "offline",
        Ok(LinkState::Unspecified) | Err(_) => UNRECOGNIZED,
    }
}

pub(super) fn verdict(number: i32) -> &'static str {
    use kaliun_types::health::Verdict;
    match HealthVerdict::try_from(number) {
        Ok(HealthVerdict::Ok) => Verdict::Ok.word(),
        Ok(HealthVerdict::Degraded) => Verdict::Degraded.word(),
        Ok(HealthVerdict::Critical) => Verdict::Critical.word(),
        Ok(HealthVerdict::Stale) => Verdict::Stale.word(),
        Ok(HealthVerdict::Unknown) => Verdict::Unknown.word(),
        Ok(HealthVerdict::Unspecified) | Err(_) => UNRECOGNIZED,
    }
}

pub(super) fn light_state(number: i32) -> &'static str {
    match LightState::try_from(number) {
        Ok(LightState::On) => "on",
        Ok(LightState::Warning) => "warning",
        Ok(LightState::Off) => "off",
        Ok(LightState::NotConfigured) => "not_configured",
        Ok(LightState::Unknown) => "unknown",
        Ok(LightState::Unspecified) | Err(_) => UNRECOGNIZED,
    }
}

pub(super) fn role(number: i32) -> &'static str {
    match Role::try_from(number) {
        Ok(Role::Viewer) => "viewer",
        Ok(Role::Support) => "support",
        Ok(Role::Operator) => "operator",
        Ok(Role::Admin) => "admin",
        Ok(Role::Unspecified) | Err(_) => UNRECOGNIZED,
    }
}

/// A role in the whole organization; `None` for somebody who has none there.
pub(super) fn role_if_any(number: i32) -> Option<&'static str> {
    (number != i32::from(Role::Unspecified)).then(|| role(number))
}

pub(super) fn home_role(number: i32) -> &'static str {
    match HomeRole::try_from(number) {
        Ok(HomeRole::Member) => "member",
        Ok(HomeRole::Installer) => "installer",
        Ok(HomeRole::Owner) => "owner",
        Ok(HomeRole::Unspecified) | Err(_) => UNRECOGNIZED,
    }
}

pub(super) fn session_kind(number: i32) -> &'static str {
    match SessionKind::try_from(number) {
        Ok(SessionKind::Browser) => "browser",
        Ok(SessionKind::CommandLine) => "command_line",
        Ok(SessionKind::Unspecified) | Err(_) => UNRECOGNIZED,
    }
}

pub(super) fn consent_state(number: i32) -> &'static str {
    match ConsentState::try_from(number) {
        Ok(ConsentState::Waiting) => "waiting",
        Ok(ConsentState::Granted) => "granted",
        Ok(ConsentState::Denied) => "denied",
        Ok(ConsentState::Ended) => "ended",
        Ok(ConsentState::Expired) => "expired",
        Ok(ConsentState::Unspecified) | Err(_) => UNRECOGNIZED,
    }
}

/// A metric's name as in the contract, without the prefix and in small letters; `metric_99` for one not known.
pub(super) fn metric(number: i32) -> String {
    match Metric::try_from(number) {
        Ok(metric) => metric.as_str_name().trim_start_matches("METRIC_").to_ascii_lowercase(),
        Err(_) => format!("metric_{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_newer_server_are_shown_and_not_panicked_on() {
        assert_eq!(link_state(99), UNRECOGNIZED);
        assert_eq!(verdict(0), UNRECOGNIZED);
        assert_eq!(light_state(-1), UNRECOGNIZED);
        assert_eq!(role(77), UNRECOGNIZED);
        assert_eq!(role_if_any(77), Some(UNRECOGNIZED));
        assert_eq!(role_if_any(0), None);
        assert_eq!(home_role(9), UNRECOGNIZED);
        assert_eq!(session_kind(9), UNRECOGNIZED);
        assert_eq!(consent_state(9), UNRECOGNIZED);
        assert_eq!(metric(1), "cpu_busy_ratio");
        assert_eq!(metric(4711), "metric_4711");
    }
}
