//! What the box proves itself with.

use super::DeviceSignal;
use crate::clock::Clock;
use crate::components::moving::{memo, words};
use crate::components::state_mark::StateMark;
use crate::components::time::Until;
use crate::model::device::CERTIFICATE_SHORT_MS;
use crate::model::mark::{Mark, Tone};
use leptos::prelude::*;

/// The certificate's life and the key's fingerprint.
#[component]
pub(crate) fn Certificate(device: DeviceSignal) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let expires_at =
        memo(move || device.with(|device| device.as_deref().map_or(0, |device| device.certificate_expires_at_ms)));
    let fingerprint = memo(move || {
        device.with(|device| device.as_deref().map(|device| device.key_fingerprint.clone()).unwrap_or_default())
    });
    let state = memo(move || mark(expires_at.get() - clock.server.get()));
    view! {
        <section class="card" aria-labelledby="certificate-title">
            <h2 id="certificate-title">"Certificate"</h2>
            <dl class="facts">
                <div class="fact">
                    <dt>"State"</dt>
                    <dd class="with-mark"><StateMark tone=Signal::derive(move || state.get().tone) class="mark-small"/>{words(move || state.get().word)}</dd>
                </div>
                <div class="fact"><dt>"Runs out"</dt><dd><Until at_ms=expires_at/></dd></div>
                <div class="fact"><dt>"Key"</dt><dd class="mono">{fingerprint}</dd></div>
            </dl>
        </section>
    }
}

fn mark(left_ms: i64) -> Mark {
    if left_ms <= 0 {
        Mark { tone: Tone::Bad, word: "Expired" }
    } else if left_ms < CERTIFICATE_SHORT_MS {
        Mark { tone: Tone::Warning, word: "Runs out soon" }
    } else {
        Mark { tone: Tone::Good, word: "Valid" }
    }
}
