//! Light, dark, or as the system has it.

use crate::browser::{document, store, stored};
use crate::components::moving::{Views, entered, flag};
use leptos::prelude::*;

/// Where the choice is kept; the boot script reads it before the first paint.
const STORED: &str = "kaliun.theme";

/// A choice of three.
#[component]
pub(crate) fn ThemeChoice() -> impl IntoView {
    let chosen = RwSignal::new(stored(STORED).filter(|theme| theme == "light" || theme == "dark").unwrap_or_default());
    let choose = move |theme: &'static str| {
        chosen.set(theme.to_owned());
        store(STORED, (!theme.is_empty()).then_some(theme));
        if let Some(root) = document().and_then(|document| document.document_element()) {
            // An attribute of an existing element can always be set and removed.
            let _set = if theme.is_empty() {
                root.remove_attribute("data-theme")
            } else {
                root.set_attribute("data-theme", theme)
            };
        }
    };
    let options = [("", "Auto"), ("light", "Light"), ("dark", "Dark")];
    view! {
        <fieldset class="segments">
            <legend class="segments-legend">"Theme"</legend>
            {options
                .into_iter()
                .map(|(theme, label)| {
                    view! {
                        <label class="segment">
                            <input
                                type="radio"
                                name="theme"
                                prop:checked=flag(move || chosen.get() == theme)
                                on:change=entered(move |_| choose(theme))
                            />
                            <span>{label}</span>
                        </label>
                    }
                })
                .views()}
        </fieldset>
    }
}
