//! Says when what is on the screen is no longer live. Floats, so that nothing jumps.

use crate::clock::Clock;
use crate::components::moving::{flag, memo, piece, words};
use crate::live::Live;
use leptos::prelude::*;

/// The banner; takes no room while all is current.
#[component]
pub(crate) fn LiveBanner() -> impl IntoView {
    let live = expect_context::<Live>();
    let clock = expect_context::<Clock>();
    let warning = memo(move || live.liveness().get().warning(clock.browser.get()));
    let is_broken = memo(move || warning.with(Option::is_some));
    view! {
        <div class="live-banner" class:is-shown=flag(move || is_broken.get()) data-live=words(move || if is_broken.get() { "broken" } else { "current" })>
            // Read out once when it breaks, not every second.
            <p class="visually-hidden" role="status">
                {piece(move || is_broken.get().then(|| live.liveness().get_untracked().warning_read_out()))}
            </p>
            <p class="live-banner-text" aria-hidden="true"><span class="live-banner-dot"></span>{warning}</p>
        </div>
    }
}
