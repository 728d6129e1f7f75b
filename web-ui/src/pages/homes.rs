//! The homes.

use crate::api::installation;
use crate::browser::{set_title, time_zone};
use crate::components::entry_list::{Entries, EntryList};
use crate::components::form::{Field, Form, FormView};
use crate::components::time_zone::TimeZoneField;
use crate::model::access::operates;
use crate::model::entry::place::of_home;
use crate::model::field::name_problem;
use crate::navigation::{History, Navigation};
use crate::session::Session;
use leptos::prelude::*;

/// The page: `/homes`.
#[component]
pub(crate) fn HomesPage() -> impl IntoView {
    set_title("Homes");
    let identity = expect_context::<Session>().identity();
    let entries = Entries::start(move |token| async move {
        let (homes, next) = installation::list(token).await?;
        Ok((identity.with_untracked(|identity| homes.iter().map(|home| of_home(home, identity)).collect()), next))
    });
    let may_add = identity.with_untracked(operates);
    view! {
        <div class="narrow">
            <header class="answer"><h1 class="answer-line">"Homes"</h1></header>
            <section class="card"><EntryList entries label="Homes" empty="There is no home here that you may see."/></section>
            {may_add.then(|| view! { <AddHome/> })}
        </div>
    }
}

#[component]
fn AddHome() -> impl IntoView {
    let navigation = expect_context::<Navigation>();
    let form = Form::new("");
    form.on_submit(move || {
        let (name, zone) = (form.text("name"), form.text("time_zone"));
        if form.refuses("name", name_problem(&name, "a name")) {
            return;
        }
        form.send(async move {
            let made = installation::create(name, zone).await?;
            navigation.go(&format!("/homes/{}", made.id), History::Keep);
            Ok(())
        });
    });
    view! {
        <details class="card place">
            <summary>"Add a home"</summary>
            <FormView form submit="Add it">
                <Field form name="name" label="Name" help="No other home of the organization has it."/>
                <TimeZoneField form name="time_zone" value=time_zone()/>
            </FormView>
        </details>
    }
}
