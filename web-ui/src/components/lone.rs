//! The frame of pages that stand alone, for people who are not signed in.

use super::shell::Logo;
use crate::browser::focus;
use crate::components::moving::effect;
use leptos::prelude::*;

/// Sign, title, a sentence, and what there is to do.
#[component]
pub(crate) fn Lone(
    title: &'static str,
    #[prop(into, default = String::new())] text: String,
    /// Whether it answers something that was sent, and has no field to begin in: then it is read out.
    #[prop(optional)]
    is_answer: bool,
    children: Children,
) -> impl IntoView {
    if is_answer {
        effect(|| focus("main"));
    }
    view! {
        <main id="main" class="lone" tabindex="-1">
            <div class="card lone-card">
                <Logo/>
                <h1>{title}</h1>
                {(!text.is_empty()).then(|| view! { <p class="quiet">{text}</p> })}
                {children()}
            </div>
        </main>
    }
}
