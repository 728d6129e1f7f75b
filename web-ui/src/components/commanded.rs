//! A text that may have commands in it.

use crate::components::moving::Views;
use crate::model::format::spans;
use leptos::prelude::*;

/// The text, with what stands between backticks as code.
#[component]
pub(crate) fn Commanded(#[prop(into)] text: String) -> impl IntoView {
    spans(&text)
        .into_iter()
        .map(|(is_code, span)| {
            let span = span.to_owned();
            if is_code { view! { <code>{span}</code> }.into_any() } else { span.into_any() }
        })
        .views()
}
