//! The choice of a role in a row of people.

use crate::components::icon::{Icon, IconView};
use crate::components::moving::{Views, entered};
use leptos::prelude::*;

/// A choice of words. `label` says whose role it is, for who does not see the row.
pub(crate) fn role_select(label: String, value: &str, words: &[String], on_change: Box<dyn Fn(String)>) -> AnyView {
    let options = words.iter().map(|word| {
        let is_chosen = word == value;
        view! { <option value=word.clone() selected=is_chosen>{word.clone()}</option> }
    });
    view! {
        <span class="select small-select">
            <select aria-label=label on:change=entered(on_change)>{options.views()}</select>
            <IconView icon=Icon::Down/>
        </span>
    }
    .into_any()
}
