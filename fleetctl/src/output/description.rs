//! All about one device, for a person: first how it is and what to do, then what it is.

use super::amount;
use super::style::{Tone, paint};
use super::text::clean;
use super::time::Time;
use crate::view::certificate::Certificate;
use crate::view::device::{Device, Facts, link_tone, verdict_tone};
use crate::view::event::Event;
use crate::view::label_text;
use crate::view::sample::{Light, Reason, Sample};
use kaliun_types::reason::ReasonCode;

/// Characters before a value.
const NAME_WIDTH: usize = 18;

/// A text that grows line by line.
struct Page {
    text: String,
    now_ms: i64,
    color: bool,
}

/// Describes a device.
pub(crate) fn device(
    device: &Device,
    certificates: &[Certificate],
    events: &[Event],
    now_ms: i64,
    color: bool,
) -> String {
    let mut page = Page { text: String::new(), now_ms, color };
    page.field("Name", &device.name);
    page.field("Id", &device.id);
    page.field("Labels", &label_text(&device.labels));
    page.field("Installation", device.installation.as_ref().map_or("", |installation| &installation.name));
    page.field("Enrolled", &page.time(device.enrolled_at));
    page.field("Certificate until", &page.time(device.certificate_expires_at));
    page.field("Key", device.key_fingerprint.as_deref().unwrap_or_default());

    page.heading("Lights");
    let link_reason = device.link.reason.as_ref().map(|code| Reason { code: code.clone(), message: None, since: None });
    page.light("Link", device.link.state, link_tone(device.link.state), device.link.since, link_reason.as_ref());
    page.named_light("Remote access", device.remote_access.as_ref());
    page.named_light("Home Assistant", device.home_assistant.as_ref());

    page.heading("Health");
    page.toned_field("Verdict", device.health.verdict, verdict_tone(device.health.verdict));
    for reason in &device.health.reasons {
        page.reason(reason);
    }
    if let Some(facts) = &device.facts {
        page.facts(facts, device.agent_version.as_deref());
    }
    if let Some(sample) = &device.last_sample {
        page.sample(sample);
    }
    page.certificates(certificates);
    page.events(events);
    page.text
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn heading(&mut self, heading: &str) {
        let heading = paint(heading, Tone::Heading, self.color);
        self.line("");
        self.line(&heading);
    }

    fn field(&mut self, name: &str, value: &str) {
        self.toned_field(name, value, Tone::Plain);
    }

    fn toned_field(&mut self, name: &str, value: &str, tone: Tone) {
        let value = if value.is_empty() { "-" } else { value };
        let value = paint(&clean(value), tone, self.color);
        self.line(&format!("{:<NAME_WIDTH$} {value}", format!("{name}:")));
    }

    fn time(&self, time: Option<Time>) -> String {
        time.map_or(String::new(), |time| format!("{time} ({})", self.distance(time)))
    }

    fn distance(&self, time: Time) -> String {
        let distance = time.relative(self.now_ms);
        if distance.starts_with("in ") { distance } else { format!("{distance} ago") }
    }

    fn named_light(&mut self, name: &str, light: Option<&Light>) {
        match light {
            None => self.light(name, "unknown", Tone::Faint, None, None),
            Some(light) => {
                let tone = match light.state {
                    "on" => Tone::Good,
                    "warning" => Tone::Warning,
                    "off" => Tone::Bad,
                    _ => Tone::Faint,
                };
                self.light(name, light.state, tone, light.since, light.reason.as_ref());
            }
        }
    }

    fn light(&mut self, name: &str, state: &str, tone: Tone, since: Option<Time>, reason: Option<&Reason>) {
        let mut value = paint(&clean(&state.replace('_', " ")), tone, self.color);
        if let Some(since) = since {
            value.push_str(&format!(" for {}", since.relative(self.now_ms)));
        }
        self.line(&format!("{:<NAME_WIDTH$} {value}", format!("{name}:")));
        if let Some(reason) = reason {
            self.reason(reason);
        }
    }

    /// A reason, and what a person can do about it where this fleetctl knows the code.
    fn reason(&mut self, reason: &Reason) {
        let mut line = format!("{:NAME_WIDTH$} {}", "", clean(&reason.code));
        if let Some(message) = &reason.message {
            line.push_str(&format!(": {}", clean(message)));
        }
        if let Some(since) = reason.since {
            line.push_str(&format!(" (for {})", since.relative(self.now_ms)));
        }
        self.line(&line);
        // Nothing is said twice, and "nothing to do" not at all.
        let said = [Some(ReasonCode::LinkConnected.next_step()), reason.message.as_deref()];
        let known = ReasonCode::from_code(&reason.code);
        if let Some(code) = known.filter(|code| !said.contains(&Some(code.next_step()))) {
            self.line(&format!("{:NAME_WIDTH$} next: {}", "", code.next_step()));
        }
    }

    fn facts(&mut self, facts: &Facts, agent_version: Option<&str>) {
        self.heading("The box, in its own words");
        self.field("Host name", facts.hostname.as_deref().unwrap_or_default());
        self.field("Model", facts.model.as_deref().unwrap_or_default());
        self.field("System", facts.operating_system.as_deref().unwrap_or_default());
        self.field("Kernel", facts.kernel.as_deref().unwrap_or_default());
        self.field("Architecture", facts.architecture.as_deref().unwrap_or_default());
        self.field("Cores", &facts.cpu_count.map(|count| count.to_string()).unwrap_or_default());
        self.field("Addresses", &facts.addresses.join(", "));
        self.field("Agent", agent_version.unwrap_or_default());
        self.field("Home Assistant", facts.home_assistant_version.as_deref().unwrap_or_default());
        if facts.simulated {
            self.field("Simulated", "yes");
        }
    }

    fn sample(&mut self, sample: &Sample) {
        self.heading("Last sample");
        self.field("Taken", &self.time(sample.time));
        let width = sample.values.keys().map(|name| name.chars().count() + 1).max().unwrap_or_default();
        let width = width.max(NAME_WIDTH);
        for (name, value) in &sample.values {
            self.line(&format!("{:<width$} {}", format!("{name}:"), amount::metric(name, value.0)));
        }
    }

    /// The newest is the one that counts, or will as soon as the box has used it.
    fn certificates(&mut self, certificates: &[Certificate]) {
        if certificates.is_empty() {
            return;
        }
        self.heading("Certificates, newest first");
        for certificate in certificates {
            let time = certificate.issued_at.map(|time| self.distance(time)).unwrap_or_default();
            let ended = certificate.expires_at.is_some_and(|time| time.relative(self.now_ms).starts_with("in "));
            let until = if ended { "runs out" } else { "ran out" };
            let expires = certificate.expires_at.map(|time| self.distance(time)).unwrap_or_default();
            let cause = certificate.cause.replace('_', " ");
            self.line(&format!(
                "{time:<NAME_WIDTH$} {cause:<12} by authority {}, {until} {expires}",
                certificate.authority
            ));
        }
    }

    fn events(&mut self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        self.heading("Latest events");
        let width = events.iter().map(|event| event.code.chars().count()).max().unwrap_or_default();
        for event in events {
            let time = event.happened_at.map(|time| self.distance(time)).unwrap_or_default();
            let message = event.message.as_deref().unwrap_or_default();
            let line = format!("{time:<NAME_WIDTH$} {:<width$}  {}", clean(&event.code), clean(message));
            self.line(line.trim_end());
        }
    }
}
