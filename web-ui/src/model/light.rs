//! The three lights of a box: link, remote access, Home Assistant. Never merged into one.

use super::device::{self, ReasonLine};
use super::mark::{Mark, Tone};
use super::standing::Standing;
use kaliun_proto::fleet::v1::Device;
use kaliun_proto::telemetry::v1::{Light, LightState};

/// One light as it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LightView {
    /// What it is about.
    pub title: &'static str,
    /// Colour, shape and word.
    pub mark: Mark,
    /// Since when. Milliseconds since the Unix epoch; 0 when unknown.
    pub since_ms: i64,
    /// Why it is not on, and what to do.
    pub reason: Option<ReasonLine>,
}

/// All three, in the order in which they depend on each other.
#[must_use]
pub fn of_device(device: &Device) -> [LightView; 3] {
    let online = device::is_online(device);
    let facts = device.facts.as_ref();
    [
        link(device, online),
        reported("Remote access", facts.and_then(|facts| facts.remote_access.as_ref()), online),
        reported("Home Assistant", facts.and_then(|facts| facts.home_assistant.as_ref()), online),
    ]
}

fn link(device: &Device, online: bool) -> LightView {
    let ended = Standing::of(device);
    if ended.ended_at_ms().is_some() {
        // The head of the page says what can be done.
        let reason = ended.reason().map(|reason| ReasonLine { next_step: "", ..reason });
        let mark = device::link_mark(device);
        return LightView { title: "Link", mark, since_ms: device::link_since_ms(device), reason };
    }
    let code = device.link.as_ref().map_or("", |link| link.reason.as_str());
    let mark = if online {
        Mark { tone: Tone::Good, word: "Connected" }
    } else {
        Mark { tone: Tone::Bad, word: "Not connected" }
    };
    let reason = (!online).then(|| ReasonLine {
        sentence: link_sentence(code),
        next_step: device::next_step(code),
        since_ms: device::link_since_ms(device),
    });
    LightView { title: "Link", mark, since_ms: device::link_since_ms(device), reason }
}

/// What a link's reason means, where the code alone would be too short.
fn link_sentence(code: &str) -> String {
    match code {
        "" | "link.never_connected" => "It has never connected.".to_owned(),
        "link.closed" => "The box ended the connection.".to_owned(),
        "link.lost" => "The connection broke.".to_owned(),
        "link.timeout" => "Nothing has been heard for too long.".to_owned(),
        "link.server_stopped" => "The server was stopped.".to_owned(),
        "device.clone_suspected" => "Two boxes seem to use its identity.".to_owned(),
        "link.server_lost" => "The server ended without a word.".to_owned(),
        other => device::words_of_code(other),
    }
}

/// A light that the box itself reports. While the box is away nobody can say.
fn reported(title: &'static str, light: Option<&Light>, online: bool) -> LightView {
    let state = light.map_or(LightState::Unspecified, Light::state);
    let since_ms = light.map_or(0, |light| light.since_ms);
    if state == LightState::NotConfigured {
        let reason = light.and_then(|light| light.reason.as_ref());
        let reason = reason.map(|reason| ReasonLine { since_ms: 0, ..ReasonLine::new(reason) });
        return LightView { title, mark: Mark { tone: Tone::Absent, word: "Not set up" }, since_ms: 0, reason };
    }
    if !online {
        let sentence = match state {
            LightState::On => "It worked when the box was last heard.",
            LightState::Warning => "It worked, with a warning, when the box was last heard.",
            LightState::Off => "It did not work when the box was last heard.",
            LightState::Unspecified | LightState::Unknown | LightState::NotConfigured => {
                "The box has not said anything about it."
            }
        };
        let reason = ReasonLine { sentence: sentence.to_owned(), next_step: "", since_ms: 0 };
        return LightView {
            title,
            mark: Mark { tone: Tone::Unknown, word: "Unknown" },
            since_ms: 0,
            reason: Some(reason),
        };
    }
    let mark = match state {
        LightState::On => Mark { tone: Tone::Good, word: "Works" },
        LightState::Warning => Mark { tone: Tone::Warning, word: "Works, with a warning" },
        LightState::Off => Mark { tone: Tone::Bad, word: "Does not work" },
        LightState::NotConfigured | LightState::Unspecified | LightState::Unknown => {
            Mark { tone: Tone::Unknown, word: "Unknown" }
        }
    };
    let reason = light.and_then(|light| light.reason.as_ref()).map(ReasonLine::new);
    LightView { title, mark, since_ms, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_proto::fleet::v1::{Link, LinkState};
    use kaliun_proto::telemetry::v1::{Facts, Reason};

    fn a_box(link: LinkState, home_assistant: LightState) -> Device {
        Device {
            link: Some(Link { state: link.into(), since_ms: 9, reason: "link.timeout".to_owned() }),
            facts: Some(Facts {
                home_assistant: Some(Light { state: home_assistant.into(), reason: None, since_ms: 3 }),
                remote_access: Some(Light {
                    state: LightState::NotConfigured.into(),
                    reason: Some(Reason { code: "remote.not_configured".to_owned(), ..Reason::default() }),
                    since_ms: 0,
                }),
                ..Facts::default()
            }),
            ..Device::default()
        }
    }

    fn words(device: &Device) -> [&'static str; 3] {
        of_device(device).map(|light| light.mark.word)
    }

    #[test]
    fn each_light_has_its_own_state() {
        assert_eq!(words(&a_box(LinkState::Online, LightState::On)), ["Connected", "Not set up", "Works"]);
        assert_eq!(words(&a_box(LinkState::Online, LightState::Off)), ["Connected", "Not set up", "Does not work"]);
    }

    #[test]
    fn the_link_of_a_revoked_box_is_no_fault() {
        let revoked = Device { revoked_at_ms: 7, ..a_box(LinkState::Offline, LightState::On) };
        let [link, _, home_assistant] = of_device(&revoked);
        assert_eq!((link.mark.word, link.mark.tone, link.since_ms), ("Cut off", Tone::Absent, 7));
        assert!(link.reason.is_some_and(|reason| reason.sentence.contains("may not connect")));
        assert_eq!(home_assistant.mark.word, "Unknown");
    }

    #[test]
    fn what_a_silent_box_said_is_old() {
        let [link, _, home_assistant] = of_device(&a_box(LinkState::Offline, LightState::On));
        assert_eq!(link.mark.tone, Tone::Bad);
        assert!(link.reason.is_some_and(|reason| reason.next_step.contains("power")));
        assert_eq!(home_assistant.mark.word, "Unknown");
        assert!(home_assistant.reason.is_some_and(|reason| reason.sentence.contains("worked when")));
    }
}
