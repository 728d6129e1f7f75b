//! Says when what is on the screen is no longer live. Floats, so that nothing jumps.

use crate::clock::Clock;
use crate::live::Live;
use leptos::prelude::*;

/// The banner; takes no room while all is current.
#[component]
pub(crate) fn LiveBanner() -> impl IntoView {
    let live = expect_context::<Live>();
    let clock = expect_context::<Clock>();
    let warning = Memo::new(move |_| live.liveness().get().warning(clock.browser.get()));
    let is_broken = Memo::new(move |_| warning.with(Option::is_some));
    view! {
        <div class="live-banner" class:is-shown=move || is_broken.get() data-live=move || if is_broken.get() { "broken" } else { "current" }>
            // Read out once when it breaks, not every second.
            <p class="visually-hidden" role="status">
                {move || is_broken.get().then_some("Live updates stopped. Reconnecting.")}
            </p>
            <p class="live-banner-text" aria-hidden="true"><span class="live-banner-dot"></span>{warning}</p>
        </div>
    }
}
