//! Something to be told: what is so, and what to do next.

use super::state_mark::StateMark;
use crate::model::failure::Failure;
use crate::model::mark::Tone;
use leptos::prelude::*;

/// A notice with a title and a sentence.
#[component]
pub(crate) fn Notice(
    tone: Tone,
    #[prop(into)] title: String,
    #[prop(into)] text: String,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="notice" role=if tone == Tone::Bad { "alert" } else { "status" }>
            <StateMark tone/>
            <div>
                <p class="notice-title">{title}</p>
                {(!text.is_empty()).then(|| view! { <p class="notice-text">{text}</p> })}
                {children.map(|children| view! { <div class="actions">{children()}</div> })}
            </div>
        </div>
    }
}

/// A notice about a call that failed. `is_retried` says that the page asks again by itself; a page that does not has a button for it.
#[component]
pub(crate) fn FailureNotice(
    failure: Failure,
    #[prop(optional)] is_retried: bool,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    let (title, text) = (failure.title(), failure.text(is_retried));
    match children {
        Some(children) => view! { <Notice tone=Tone::Bad title text>{children()}</Notice> }.into_any(),
        None => view! { <Notice tone=Tone::Bad title text/> }.into_any(),
    }
}
