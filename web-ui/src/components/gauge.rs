//! A live figure with a bar.

use crate::components::moving::{piece, words};
use crate::model::gauge::Gauge;
use crate::model::mark::Tone;
use leptos::prelude::*;

/// One gauge. The figure is what a screen reader says; the bar repeats it for the eye.
#[component]
pub(crate) fn GaugeView(gauge: Memo<Gauge>) -> impl IntoView {
    let tone = move || gauge.with(|gauge| gauge.tone.class());
    view! {
        <div class=words(move || format!("gauge tone-{}", tone()))>
            <dt class="gauge-title">{words(move || gauge.with(|gauge| gauge.title))}</dt>
            <dd class="gauge-figure">
                {words(move || gauge.with(|gauge| gauge.figure.clone()))}
                {piece(move || gauge.with(|gauge| matches!(gauge.tone, Tone::Warning | Tone::Bad)).then(|| view! { <span class="gauge-word">" high"</span> }))}
            </dd>
            <dd class="gauge-bar" aria-hidden="true">
                <svg viewBox="0 0 100 6" preserveAspectRatio="none" focusable="false">
                    <rect class="gauge-track" x="0" y="0" width="100" height="6"></rect>
                    <rect class="gauge-fill" x="0" y="0" height="6" width=words(move || gauge.with(|gauge| format!("{:.1}", gauge.fill.unwrap_or(0.0) * 100.0)))></rect>
                </svg>
            </dd>
            <dd class="gauge-detail">{words(move || gauge.with(|gauge| gauge.detail.clone()))}</dd>
        </div>
    }
}
