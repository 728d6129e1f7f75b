//! Who has a role in a home.

use crate::api::installation;
use crate::browser::leave_for;
use crate::components::entry_list::{Actions, Entries, EntryList};
use crate::components::moving::pressed;
use crate::components::question::Asker;
use crate::components::role_select::role_select;
use crate::model::entry::person::of_home_person;
use crate::model::role::{HOME_ROLES, home_role_of_word, home_role_word};
use crate::session::Session;
use leptos::prelude::*;
use std::sync::Arc;

/// The list; for who may change it with a role to choose and a way out for each, and for everybody a way out of their own.
#[component]
pub(super) fn People(id: String, may_change: bool) -> impl IntoView {
    let session = expect_context::<Session>();
    let identity = session.identity();
    let asker = expect_context::<Asker>();
    let home = StoredValue::new(id);
    let entries = Entries::start(move |token| async move {
        let (people, next) = installation::people(home.get_value(), token).await?;
        let rows =
            identity.with_untracked(|identity| people.iter().map(|person| of_home_person(person, identity)).collect());
        Ok((rows, next))
    });
    let words = HOME_ROLES.map(|role| home_role_word(role).to_owned());
    let actions: Actions = Arc::new(move |entry| {
        let (id, title, is_own) = (entry.id.clone(), entry.title.clone(), entry.is_own);
        if !may_change {
            return view! { <span class="quiet">{entry.value.clone()}</span> }.into_any();
        }
        let change = {
            let (id, title) = (id.clone(), title.clone());
            move |word: String| {
                let (id, done) = (id.clone(), format!("{title} is {word} now."));
                entries.act(async move {
                    installation::update_person(home.get_value(), id, home_role_of_word(&word)).await?;
                    if is_own {
                        session.ask();
                    }
                    Ok(done)
                });
            }
        };
        let remove = {
            let title = title.clone();
            move || {
                let (id, done) = (id.clone(), format!("{title} is out."));
                let question =
                    if is_own { "Leave this home?".to_owned() } else { format!("Remove {title} from this home?") };
                asker.ask(
                    question,
                    "They do not see the home any more. To undo it, invite them again.",
                    "Remove",
                    move || {
                        entries.act(async move {
                            installation::remove_person(home.get_value(), id).await?;
                            if is_own {
                                leave_for("/");
                            }
                            Ok(done)
                        });
                    },
                );
            }
        };
        view! {
            {role_select(format!("Role of {title}"), &entry.value, &words, Box::new(change))}
            <button class="button small" type="button" on:click=pressed(remove)>{if is_own { "Leave" } else { "Remove" }}</button>
        }
        .into_any()
    });
    view! {
        <section class="card" aria-labelledby="home-people-title">
            <h2 id="home-people-title">"People of this home"</h2>
            <EntryList entries label="People of this home" empty="Nobody yet: invite its owner." actions/>
        </section>
    }
}
