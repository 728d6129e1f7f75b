//! People with a role in the whole organization.

use crate::api::organization;
use crate::components::entry_list::{Actions, Entries, EntryList};
use crate::components::moving::pressed;
use crate::components::question::Asker;
use crate::components::role_select::role_select;
use crate::model::entry::person::of_member;
use crate::model::role::{ROLES, role_of_word, role_word};
use crate::session::Session;
use leptos::prelude::*;
use std::sync::Arc;

/// The list; for who may change it with a role to choose and a way out for each.
#[component]
pub(super) fn People(may_change: bool) -> impl IntoView {
    let session = expect_context::<Session>();
    let identity = session.identity();
    let asker = expect_context::<Asker>();
    let entries = Entries::start(move |token| async move {
        let (members, next) = organization::members(token).await?;
        Ok((
            identity.with_untracked(|identity| members.iter().map(|member| of_member(member, identity)).collect()),
            next,
        ))
    });
    let words = ROLES.map(|role| role_word(role).to_owned());
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
                    organization::update_member(id, role_of_word(&word)).await?;
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
                asker.ask(
                    format!("Remove {title}?"),
                    "They lose their roles in the organization and in all its homes, and what they watch stops within seconds. Their account \
                     stays. To undo it, invite them again.",
                    "Remove",
                    move || {
                        entries.act(async move {
                            organization::remove_member(id).await?;
                            Ok(done)
                        });
                    },
                );
            }
        };
        view! {
            {role_select(format!("Role of {title}"), &entry.value, &words, Box::new(change))}
            {(!is_own).then(|| view! { <button class="button small" type="button" on:click=pressed(remove)>"Remove"</button> })}
        }
        .into_any()
    });
    view! {
        <section class="card" aria-labelledby="people-title">
            <h2 id="people-title">"People"</h2>
            <EntryList entries label="People" empty="Nobody." actions/>
        </section>
    }
}
