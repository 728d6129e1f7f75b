//! One of the three lights.

use super::commanded::Commanded;
use super::state_mark::StateMark;
use super::time::Lasting;
use crate::components::moving::{memo, piece, words};
use crate::model::light::LightView;
use leptos::prelude::*;

/// A light with its word, its reason and the next step.
#[component]
pub(crate) fn LightCard(light: Memo<LightView>) -> impl IntoView {
    let tone = Signal::derive(move || light.with(|light| light.mark.tone));
    let since = memo(move || light.with(|light| light.since_ms));
    let reason = memo(move || light.with(|light| light.reason.clone()));
    view! {
        <li class="light">
            <StateMark tone/>
            <div class="light-text">
                <p class="light-title">{words(move || light.with(|light| light.title))}</p>
                <p class="light-word">
                    {words(move || light.with(|light| light.mark.word))}
                    {piece(move || (since.get() > 0).then(|| view! { <span class="quiet">" · "<Lasting at_ms=since/></span> }))}
                </p>
                {piece(move || reason.get().map(|reason| view! {
                    <p class="light-reason">{reason.sentence}</p>
                    {(!reason.next_step.is_empty()).then(|| view! { <p class="light-step"><Commanded text=reason.next_step/></p> })}
                }))}
            </div>
        </li>
    }
}
