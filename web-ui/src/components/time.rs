//! Times as people say them, with the exact one behind.

use crate::browser::{date_time_text, machine_time_text};
use crate::clock::Clock;
use crate::components::moving::{memo, words};
use crate::model::format::{ago, duration, until};
use leptos::prelude::*;

/// How long ago something was; it moves by itself.
#[component]
pub(crate) fn Ago(#[prop(into)] at_ms: Signal<i64>) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let text = memo(move || ago(at_ms.get(), clock.server.get()));
    view! { <Exact at_ms text/> }
}

/// For how long something has been so, for example "for 2 h".
#[component]
pub(crate) fn Lasting(#[prop(into)] at_ms: Signal<i64>) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let text = memo(move || format!("for {}", duration(clock.server.get() - at_ms.get())));
    view! { <Exact at_ms text/> }
}

/// How long until something.
#[component]
pub(crate) fn Until(#[prop(into)] at_ms: Signal<i64>) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let text = memo(move || until(at_ms.get(), clock.server.get()));
    view! { <Exact at_ms text/> }
}

#[component]
fn Exact(at_ms: Signal<i64>, text: Memo<String>) -> impl IntoView {
    view! {
        <time datetime=words(move || machine_time_text(at_ms.get())) title=words(move || date_time_text(at_ms.get()))>{text}</time>
    }
}
