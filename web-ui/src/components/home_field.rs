//! The choice of a home.

use crate::api::installation;
use crate::components::icon::{Icon, IconView};
use crate::components::moving::{Views, background, entered, memo, piece, words};
use crate::session::Session;
use kaliun_proto::fleet::v1::Installation;
use leptos::prelude::*;

/// The homes that there are to choose from, asked for once. A handle: copies are the same thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Homes {
    list: RwSignal<Vec<Installation>>,
    problem: RwSignal<Option<String>>,
}

impl Homes {
    /// Asks for them.
    pub(crate) fn ask(session: Session) -> Self {
        let homes = Self { list: RwSignal::new(Vec::new()), problem: RwSignal::new(None) };
        background(async move {
            match installation::choices().await {
                Ok(list) => {
                    homes.list.try_set(list);
                }
                Err(failure) => {
                    session.notice(&failure);
                    homes.problem.try_set(Some(format!(
                        "The homes could not be loaded: {} Load this page again to choose one.",
                        failure.sentence()
                    )));
                }
            }
        });
        homes
    }
}

/// The field. `id` is the element's; `chosen` is a home's id, or empty, for which `none` stands.
#[component]
pub(crate) fn HomeField(
    id: String,
    homes: Homes,
    chosen: RwSignal<String>,
    #[prop(default = "Home")] label: &'static str,
    #[prop(default = "No home yet")] none: &'static str,
) -> impl IntoView {
    let problem_id = format!("{id}-problem");
    let has_problem = memo(move || homes.problem.with(Option::is_some));
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <div class="select">
                <select id=id aria-describedby=problem_id.clone() prop:value=words(move || chosen.get()) on:change=entered(move |home| chosen.set(home))>
                    <option value="">{none}</option>
                    {piece(move || homes.list.get().into_iter().map(|home| {
                        let is_chosen = chosen.with_untracked(|chosen| *chosen == home.id);
                        view! { <option value=home.id selected=is_chosen>{home.name}</option> }
                    }).views())}
                </select>
                <IconView icon=Icon::Down/>
            </div>
            <p id=problem_id class="field-problem" class:is-hidden=move || !has_problem.get()>{homes.problem}</p>
        </div>
    }
}
