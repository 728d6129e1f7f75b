//! The shape of a state. Always beside its word, so it is hidden from screen readers.

use crate::components::moving::{piece, words};
use crate::model::mark::Tone;
use leptos::prelude::*;

/// A shape of its own for each tone, so that nobody needs to tell colours apart.
#[component]
pub(crate) fn StateMark(#[prop(into)] tone: Signal<Tone>, #[prop(default = "")] class: &'static str) -> impl IntoView {
    view! {
        <svg class=words(move || format!("mark tone-{} {class}", tone.get().class())) viewBox="0 0 20 20" aria-hidden="true" focusable="false">
            {piece(move || match tone.get() {
                Tone::Good => view! {
                    <circle class="fill" cx="10" cy="10" r="8.5"></circle>
                    <path class="cut" d="m6.2 10.3 2.6 2.6 5-5.4"></path>
                }.into_any(),
                Tone::Warning => view! {
                    <path class="fill" d="M8.5 2.3a1.75 1.75 0 0 1 3 0l7.2 12.5a1.75 1.75 0 0 1-1.5 2.6H2.8a1.75 1.75 0 0 1-1.5-2.6z"></path>
                    <path class="cut" d="M10 7v4.2M10 14.2v.1"></path>
                }.into_any(),
                Tone::Bad => view! {
                    <path class="fill" d="M6.5 1.5h7l5 5v7l-5 5h-7l-5-5v-7z"></path>
                    <path class="cut" d="m7.2 7.2 5.6 5.6m0-5.6-5.6 5.6"></path>
                }.into_any(),
                Tone::Unknown => view! {
                    <circle class="broken" cx="10" cy="10" r="7.5"></circle>
                    <path class="stroke" d="M7.9 8a2.1 2.1 0 1 1 3.2 1.8c-.7.4-1.1.8-1.1 1.6M10 14v.1"></path>
                }.into_any(),
                Tone::Absent => view! { <circle class="ring" cx="10" cy="10" r="7.5"></circle><path class="stroke" d="M7 10h6"></path> }.into_any(),
            })}
        </svg>
    }
}
