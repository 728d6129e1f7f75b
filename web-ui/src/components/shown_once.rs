//! A secret that is shown once: to be copied and kept.

use crate::browser::{copy, select_field};
use crate::components::moving::{background, pressed};
use leptos::prelude::*;

/// The secret in a field of its own, with a button that copies it. `id` is the field's.
#[component]
pub(crate) fn ShownOnce(
    id: &'static str,
    #[prop(into)] title: String,
    #[prop(into)] text: String,
    secret: String,
) -> impl IntoView {
    let told = RwSignal::new(None::<String>);
    let label = title.clone();
    let copy_it = {
        let secret = secret.clone();
        move || {
            let secret = secret.clone();
            background(async move {
                let sentence = if copy(&secret).await {
                    "Copied."
                } else {
                    select_field(id);
                    "The browser does not let this page copy. The text is selected: copy it by hand."
                };
                told.try_set(Some(sentence.to_owned()));
            });
        }
    };
    view! {
        <div class="shown-once" role="group" aria-label=label>
            <p class="notice-title">{title}</p>
            <p class="quiet">{text}</p>
            <div class="copy">
                <input id=id class="mono" readonly=true value=secret spellcheck="false" aria-label="To copy" on:focus=move |_| select_field(id)/>
                <button class="button" type="button" on:click=pressed(copy_it)>"Copy"</button>
            </div>
            <p class="quiet" role="status">{told}</p>
        </div>
    }
}
