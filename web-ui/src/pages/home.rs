//! One home: is it well, who lives there, who may look in.

mod boxes;
mod people;
mod settings;

use super::invite::Invitations;
use crate::api::installation;
use crate::browser::set_title;
use crate::components::ask_access::AskAccess;
use crate::components::consent::OpenConsentCards;
use crate::components::icon::{Icon, IconView};
use crate::components::moving::{background, effect, memo, piece, pressed};
use crate::components::notice::FailureNotice;
use crate::model::access::{Start, asks_owners, changes_home, changes_home_people, home_role, operates, owns, start};
use crate::model::failure::Failure;
use crate::session::Session;
use boxes::Boxes;
use kaliun_proto::fleet::v1::{HomeRole, Installation};
use leptos::prelude::*;
use people::People;
use settings::Settings;

/// The page of the home with this id: `/homes/{id}`, and the start of somebody who has to do with one home.
#[component]
pub(crate) fn HomePage(id: String) -> impl IntoView {
    set_title("Home");
    let session = expect_context::<Session>();
    // None until the answer; empty when there is no such home.
    let known = RwSignal::new(None::<Vec<Installation>>);
    let failure = RwSignal::new(None::<Failure>);
    let id = StoredValue::new(id);
    let ask = move || {
        failure.set(None);
        background(async move {
            match installation::find(&id.get_value()).await {
                Ok(found) => {
                    known.try_set(Some(found.into_iter().collect()));
                }
                Err(problem) => {
                    session.notice(&problem);
                    failure.try_set(Some(problem));
                }
            }
        });
    };
    ask();
    let name = memo(move || {
        known.with(|known| known.iter().flatten().map(|home| home.name.clone()).next().unwrap_or_default())
    });
    let is_answered = memo(move || known.with(Option::is_some));
    let is_there = memo(move || known.with(|known| known.as_ref().is_some_and(|known| !known.is_empty())));
    effect(move || name.with(|name| set_title(if name.is_empty() { "Home" } else { name })));
    let is_start = session.identity().with_untracked(|identity| matches!(start(identity), Start::Home(_)));
    view! {
        {(!is_start).then(|| view! { <nav class="crumbs" aria-label="Back"><a href="/homes"><IconView icon=Icon::Back/>"All homes"</a></nav> })}
        {piece(move || match (is_there.get(), is_answered.get(), failure.get()) {
            (true, ..) => view! { <Known id=id.get_value() known name/> }.into_any(),
            (false, true, _) => view! { <Gone/> }.into_any(),
            (false, false, Some(failure)) => view! {
                <header class="answer"><h1 class="answer-line">"The home could not be loaded."</h1></header>
                <FailureNotice failure><button class="button" type="button" on:click=pressed(ask)>"Try again"</button></FailureNotice>
            }.into_any(),
            (false, false, None) => view! {
                <header class="answer" aria-busy="true"><p class="answer-line"><span class="skeleton skeleton-title"></span></p></header>
                <div class="card skeleton-card"></div>
            }.into_any(),
        })}
    }
}

#[component]
fn Known(id: String, known: RwSignal<Option<Vec<Installation>>>, name: Memo<String>) -> impl IntoView {
    let identity = expect_context::<Session>().identity().get_untracked();
    let (changes, changes_people) = (changes_home(&identity, &id), changes_home_people(&identity, &id));
    let is_mine = owns(&identity, &id);
    let sees_people = changes_people || operates(&identity) || home_role(&identity, &id) != HomeRole::Unspecified;
    let (settings_id, people_id, invitations_id) = (id.clone(), id.clone(), id.clone());
    view! {
        <Boxes id=id.clone() name/>
        <div class="columns">
            <div class="column">
                {asks_owners(&identity).then(|| view! { <AskAccess installation_id=id.clone()/> })}
                {is_mine.then(|| view! { <OpenConsentCards installation_id=id.clone()/> })}
                {sees_people.then(|| view! { <People id=people_id may_change=changes_people/> })}
                {changes_people.then(|| view! { <Invitations home=invitations_id/> })}
            </div>
            <div class="column">
                {is_mine.then(|| view! {
                    <section class="card"><h2>"Support access"</h2><p class="quiet">"Nobody of support sees into the home without your yes."</p><a class="button card-part" href="/consents">"Show who asked"</a></section>
                })}
                {changes.then(|| view! { <Settings id=settings_id known may_delete=operates(&identity)/> })}
            </div>
        </div>
    }
}

#[component]
fn Gone() -> impl IntoView {
    view! {
        <section class="empty">
            <h1>"There is no such home."</h1>
            <p>"It may have been deleted, or you have nothing to do with it."</p>
            <a class="button primary" href="/homes">"Show all homes"</a>
        </section>
    }
}
