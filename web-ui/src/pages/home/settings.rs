//! Name and time zone of a home, and its end.

use crate::api::installation;
use crate::components::form::{Field, Form, FormView};
use crate::components::question::Asker;
use crate::components::time_zone::TimeZoneField;
use crate::model::field::name_problem;
use crate::navigation::{History, Navigation};
use kaliun_proto::fleet::v1::Installation;
use leptos::prelude::*;

/// The form, and for who runs the fleet the way to delete the home.
#[component]
pub(super) fn Settings(id: String, known: RwSignal<Option<Vec<Installation>>>, may_delete: bool) -> impl IntoView {
    let asker = expect_context::<Asker>();
    let navigation = expect_context::<Navigation>();
    let form = Form::new("home-");
    let deletion = Form::new("delete-");
    let present = known.with_untracked(|known| known.iter().flatten().next().cloned()).unwrap_or_default();
    let name = present.name.clone();
    let home_id = id.clone();
    form.on_submit(move || {
        let (id, name, zone) = (home_id.clone(), form.text("name"), form.text("time_zone"));
        if form.refuses("name", name_problem(&name, "a name")) {
            return;
        }
        form.send(async move {
            let home = installation::update(id, name, zone).await?;
            known.try_set(Some(vec![home]));
            form.is_done("Saved.");
            Ok(())
        });
    });
    deletion.on_submit(move || {
        let id = id.clone();
        asker.ask(
            format!("Delete {name}?"),
            "The home is gone with its people's roles and its history, for good. A home that a box serves is kept: give the box another home first.",
            "Delete the home",
            move || {
                deletion.send(async move {
                    installation::delete(id).await?;
                    navigation.go("/homes", History::Replace);
                    Ok(())
                });
            },
        );
    });
    view! {
        <section class="card">
            <h2>"Name and time zone"</h2>
            <FormView form submit="Save" tone="">
                <Field form name="name" label="Name" value=present.name/>
                <TimeZoneField form name="time_zone" value=present.time_zone/>
            </FormView>
        </section>
        {may_delete.then(|| view! {
            <section class="card">
                <h2>"Delete the home"</h2>
                <FormView form=deletion submit="Delete…" tone="danger">
                    <p class="quiet">"Only a home that no box serves can be deleted."</p>
                </FormView>
            </section>
        })}
    }
}
