//! What the box says of itself, and what people call it.

use super::DeviceSignal;
use crate::components::moving::{Views, memo, piece};
use crate::components::time::Ago;
use crate::model::device::{labels, value};
use crate::model::format::duration;
use kaliun_proto::fleet::v1::Device;
use kaliun_proto::telemetry::v1::Metric;
use leptos::prelude::*;

/// Facts as a list; what is not known is left out.
#[component]
pub(crate) fn FactList(device: DeviceSignal) -> impl IntoView {
    let facts = memo(move || device.with(|device| device.as_deref().map(lines).unwrap_or_default()));
    let labels = memo(move || device.with(|device| device.as_deref().map(labels).unwrap_or_default()));
    let enrolled_at = memo(move || device.with(|device| device.as_deref().map_or(0, |device| device.enrolled_at_ms)));
    let is_simulated = memo(move || {
        device.with(|device| {
            device.as_deref().and_then(|device| device.facts.as_ref()).is_some_and(|facts| facts.simulated)
        })
    });
    view! {
        <section class="card" aria-labelledby="facts-title">
            <div class="card-head">
                <h2 id="facts-title">"About this box"</h2>
                {piece(move || is_simulated.get().then(|| view! { <span class="label">"simulated"</span> }))}
            </div>
            <dl class="facts">
                {piece(move || facts.get().into_iter().map(|(title, text)| view! {
                    <div class="fact"><dt>{title}</dt><dd>{text}</dd></div>
                }).views())}
                <div class="fact"><dt>"Enrolled"</dt><dd><Ago at_ms=enrolled_at/></dd></div>
                {piece(move || {
                    let labels = labels.get();
                    (!labels.is_empty()).then(|| view! {
                        <div class="fact"><dt>"Labels"</dt><dd class="label-list">{labels.into_iter().map(|label| view! { <span class="label">{label}</span> }).views()}</dd></div>
                    })
                })}
            </dl>
        </section>
    }
}

fn lines(device: &Device) -> Vec<(&'static str, String)> {
    let facts = device.facts.clone().unwrap_or_default();
    let cores = match facts.cpu_count {
        0 => String::new(),
        1 => format!("{}, 1 core", facts.architecture),
        count => format!("{}, {count} cores", facts.architecture),
    };
    #[expect(clippy::cast_possible_truncation, reason = "a box is not switched on for 292 million years")]
    let uptime =
        value(device, Metric::UptimeSeconds).map(|seconds| duration((seconds * 1000.0) as i64)).unwrap_or_default();
    [
        ("Home", device.installation_name.clone()),
        ("Host name", facts.hostname),
        ("Model", facts.model),
        ("System", facts.operating_system),
        ("Kernel", facts.kernel),
        ("Processor", cores),
        ("Addresses", facts.addresses.join(", ")),
        ("Agent", facts.agent_version),
        ("Home Assistant", facts.home_assistant_version),
        ("Running for", uptime),
    ]
    .into_iter()
    .filter(|(_, text)| !text.is_empty())
    .collect()
}
