//! The frame of pages that stand alone, for people who are not signed in.

use super::shell::Logo;
use leptos::prelude::*;

/// Sign, title, a sentence, and what there is to do.
#[component]
pub(crate) fn Lone(
    title: &'static str,
    #[prop(into, default = String::new())] text: String,
    children: Children,
) -> impl IntoView {
    view! {
        <main class="lone">
            <div class="card lone-card">
                <Logo/>
                <h1>{title}</h1>
                {(!text.is_empty()).then(|| view! { <p class="quiet">{text}</p> })}
                {children()}
            </div>
        </main>
    }
}
