//! Where the person is signed in.

use crate::api::account;
use crate::components::entry_list::{Actions, Entries, EntryList};
use crate::components::moving::pressed;
use crate::components::question::Asker;
use crate::model::entry::key::of_session;
use leptos::prelude::*;
use std::sync::Arc;

/// The sessions, with a way to end each.
#[component]
pub(super) fn Sessions() -> impl IntoView {
    let asker = expect_context::<Asker>();
    let entries = Entries::start(|token| async {
        let (sessions, next) = account::sessions(token).await?;
        Ok((sessions.iter().map(of_session).collect(), next))
    });
    let actions: Actions = Arc::new(move |entry| {
        if entry.is_own {
            return ().into_any();
        }
        let (id, title) = (entry.id.clone(), entry.title.clone());
        let end = move || {
            let id = id.clone();
            let done = format!("{title} is signed out.");
            entries.act(async move {
                account::revoke_session(id).await?;
                Ok(done)
            });
        };
        view! { <button class="button small" type="button" on:click=pressed(end)>"Sign out"</button> }.into_any()
    });
    let end_others = move || {
        asker.ask(
            "Sign out everywhere else?".to_owned(),
            "Every other browser and every fleetctl of yours has to sign in again. This session stays.",
            "Sign out the others",
            move || {
                entries.act(async {
                    let count = account::revoke_other_sessions().await?;
                    Ok(match count {
                        0 => "There was no other session.".to_owned(),
                        1 => "One other session was ended.".to_owned(),
                        count => format!("{count} other sessions were ended."),
                    })
                });
            },
        );
    };
    view! {
        <section class="card" aria-labelledby="sessions-title">
            <div class="card-head">
                <h2 id="sessions-title">"Sessions"</h2>
                <button class="button small" type="button" on:click=pressed(end_others)>"Sign out everywhere else"</button>
            </div>
            <p class="quiet card-text">"What browsers and machines say of themselves. One that you do not know: sign it out, and change your password."</p>
            <EntryList entries label="Sessions" empty="None." actions/>
        </section>
    }
}
