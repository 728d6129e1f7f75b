//! What the box says of itself, within the contract's bounds.

use crate::homeassistant::HomeAssistantView;
use kaliun_proto::telemetry::v1::{Facts, Light, LightState, Reason};
use kaliun_types::limits::FACTS_ADDRESSES_MAX;
use kaliun_types::reason::ReasonCode;

/// Version of the agent.
pub const AGENT_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Bounds of the contract, bytes.
const HOSTNAME_MAX: usize = 253;
const TEXT_MAX: usize = 128;
const SHORT_TEXT_MAX: usize = 64;
const ARCHITECTURE_MAX: usize = 32;

/// What the machine is, as its host says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machine {
    /// As the operating system gives it.
    pub hostname: String,
    /// For example "Debian GNU/Linux 12 (bookworm)".
    pub operating_system: String,
    /// Kernel release.
    pub kernel: String,
    /// As the firmware gives it; empty where it gives none.
    pub model: String,
    /// Serial number as the firmware gives it; empty where it gives none.
    pub serial: String,
    /// Logical cores.
    pub cpu_count: u32,
    /// Addresses on its networks, without loopback and link-local ones.
    pub addresses: Vec<String>,
    /// True for a box of the simulator.
    pub simulated: bool,
}

/// Makes the facts out of the machine and what is known of its Home Assistant.
#[must_use]
pub fn facts(machine: &Machine, home_assistant: &HomeAssistantView) -> Facts {
    Facts {
        hostname: clip(&machine.hostname, HOSTNAME_MAX).to_owned(),
        operating_system: clip(&machine.operating_system, TEXT_MAX).to_owned(),
        kernel: clip(&machine.kernel, TEXT_MAX).to_owned(),
        architecture: clip(std::env::consts::ARCH, ARCHITECTURE_MAX).to_owned(),
        model: clip(&machine.model, TEXT_MAX).to_owned(),
        cpu_count: machine.cpu_count.clamp(1, 4096),
        addresses: machine.addresses.iter().take(FACTS_ADDRESSES_MAX).cloned().collect(),
        agent_version: clip(AGENT_VERSION, SHORT_TEXT_MAX).to_owned(),
        remote_access: Some(remote_access()),
        home_assistant: Some(home_assistant.light()),
        home_assistant_version: clip(home_assistant.version(), SHORT_TEXT_MAX).to_owned(),
        simulated: machine.simulated,
        serial: clip(&machine.serial, SHORT_TEXT_MAX).to_owned(),
    }
}

/// No agent of this version sets remote access up.
fn remote_access() -> Light {
    Light {
        state: LightState::NotConfigured.into(),
        reason: Some(Reason {
            code: ReasonCode::RemoteAccessNotConfigured.code().to_owned(),
            message: "This version of the agent has no remote access yet.".to_owned(),
            since_ms: 0,
        }),
        since_ms: 0,
    }
}

/// The longest beginning of a text that has at most so many bytes.
#[must_use]
pub(crate) fn clip(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_clipped_between_characters() {
        assert_eq!(clip("abc", 5), "abc");
        assert_eq!(clip("abcdef", 3), "abc");
        assert_eq!(clip("ä€", 4), "ä");
        assert_eq!(clip("", 0), "");
    }

    #[test]
    fn facts_keep_the_bounds() {
        let machine =
            Machine { hostname: "x".repeat(1000), addresses: vec!["10.0.0.1".to_owned(); 40], ..Machine::default() };
        let facts = facts(&machine, &HomeAssistantView::default());
        assert_eq!(facts.hostname.len(), HOSTNAME_MAX);
        assert_eq!(facts.addresses.len(), FACTS_ADDRESSES_MAX);
        assert_eq!(facts.cpu_count, 1);
        assert_eq!(facts.remote_access.unwrap().state(), LightState::NotConfigured);
    }
}
