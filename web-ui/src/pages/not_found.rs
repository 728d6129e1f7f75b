//! There is no such page.

use crate::browser::set_title;
use leptos::prelude::*;

/// Says so and shows the way back.
#[component]
pub(crate) fn NotFoundPage() -> impl IntoView {
    set_title("Not found");
    view! {
        <section class="empty">
            <h1>"There is nothing at this address."</h1>
            <p>"The address may be mistyped, or what was here is gone."</p>
            <a class="button primary" href="/">"Go to the start"</a>
        </section>
    }
}
