//! What a waiting box will be: its name, its home and its labels. All of it may be left to its join token.

use crate::browser::is_wide;
use crate::components::home_field::{HomeField, Homes};
use crate::components::moving::{entered, memo, words};
use crate::model::placing::{labels, name_problem};
use leptos::prelude::*;
use std::collections::HashMap;

/// What is typed. A handle: copies are the same thing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    name: RwSignal<String>,
    home: RwSignal<String>,
    labels: RwSignal<String>,
    is_open: RwSignal<bool>,
}

/// What was chosen; empty where it is left to the token.
pub(super) struct Chosen {
    pub(super) name: String,
    pub(super) home: String,
    pub(super) labels: HashMap<String, String>,
}

impl Place {
    /// Nothing is typed. On a phone the fields are folded, for most boxes need none of them.
    pub(super) fn new() -> Self {
        let text = || RwSignal::new(String::new());
        Self { name: text(), home: text(), labels: text(), is_open: RwSignal::new(is_wide()) }
    }

    /// What was chosen; nothing while something that was typed cannot be. The fields that say so are unfolded then.
    pub(super) fn chosen(self) -> Option<Chosen> {
        let labels = self.labels.with_untracked(|text| labels(text)).ok();
        let name = self.name.with_untracked(|name| name_problem(name).is_none().then(|| name.trim().to_owned()));
        let chosen = name.zip(labels).map(|(name, labels)| Chosen { name, home: self.home.get_untracked(), labels });
        if chosen.is_none() {
            self.is_open.set(true);
        }
        chosen
    }
}

/// The fields. `id` makes those of several boxes on a page different; `name` is what the box will be called without another.
#[component]
pub(super) fn PlaceFields(place: Place, homes: Homes, id: String, name: String) -> impl IntoView {
    let Place { name: typed_name, home, labels: typed_labels, is_open } = place;
    let wrong_name = memo(move || typed_name.with(|name| name_problem(name)));
    let wrong_labels = memo(move || typed_labels.with(|text| labels(text).err()));
    let [name_id, home_id, labels_id] = ["name", "home", "labels"].map(|field| format!("{field}-{id}"));
    let [about_name, about_labels] = [&name_id, &labels_id].map(|field| format!("{field}-problem"));
    view! {
        <details class="place" prop:open=move || is_open.get() on:toggle=move |event| is_open.set(is_unfolded(&event))>
            <summary>"Name, home and labels"</summary>
            <div class="place-fields">
                <div class="field">
                    <label for=name_id.clone()>"Name"</label>
                    <input
                        id=name_id
                        autocapitalize="none"
                        autocomplete="off"
                        spellcheck="false"
                        maxlength="63"
                        placeholder=name
                        aria-describedby=about_name.clone()
                        aria-invalid=words(move || wrong_name.with(|problem| problem.is_some().to_string()))
                        prop:value=words(move || typed_name.get())
                        on:input=entered(move |text| typed_name.set(text))
                    />
                    <p id=about_name class="field-problem" aria-live="polite">{wrong_name}</p>
                </div>
                <HomeField id=home_id homes chosen=home/>
                <div class="field">
                    <label for=labels_id.clone()>"Labels besides those of its token"</label>
                    <input
                        id=labels_id
                        autocapitalize="none"
                        autocomplete="off"
                        spellcheck="false"
                        maxlength="1024"
                        placeholder="site=graz, env=lab"
                        aria-describedby=about_labels.clone()
                        aria-invalid=words(move || wrong_labels.with(|problem| problem.is_some().to_string()))
                        prop:value=words(move || typed_labels.get())
                        on:input=entered(move |text| typed_labels.set(text))
                    />
                    <p id=about_labels class="field-problem" aria-live="polite">{wrong_labels}</p>
                </div>
            </div>
        </details>
    }
}

/// Whether the folding element of an event shows what is in it.
fn is_unfolded(event: &web_sys::Event) -> bool {
    event_target::<web_sys::Element>(event).has_attribute("open")
}
