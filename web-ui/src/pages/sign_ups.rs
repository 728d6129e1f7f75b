//! People who wait for an account of this server, for those who run it.

use crate::api::sign_up;
use crate::browser::set_title;
use crate::components::entry_list::{Actions, Entries, EntryList};
use crate::components::moving::{pressed, words};
use crate::components::question::Asker;
use crate::model::entry::person::{of_sign_up, sign_ups_headline};
use leptos::prelude::*;
use std::sync::Arc;

/// The page: `/sign-ups`.
#[component]
pub(crate) fn SignUpsPage() -> impl IntoView {
    set_title("Sign-ups");
    let asker = expect_context::<Asker>();
    let entries = Entries::start(|token| async {
        let (sign_ups, next) = sign_up::list(token).await?;
        Ok((sign_ups.iter().map(of_sign_up).collect(), next))
    });
    let actions: Actions = Arc::new(move |entry| {
        let (id, title) = (entry.id.clone(), entry.title.clone());
        let approve = {
            let (id, title) = (id.clone(), title.clone());
            move || {
                let (id, done) = (id.clone(), format!("{title} has an account now. Tell them that they can sign in."));
                entries.act(async move {
                    sign_up::approve(id).await?;
                    Ok(done)
                });
            }
        };
        let deny = move || {
            let (id, done) = (id.clone(), format!("{title} is forgotten."));
            asker.ask(
                format!("Deny {title}?"),
                "What they asked for is forgotten, and they are not told. They can ask again.",
                "Deny",
                move || {
                    entries.act(async move {
                        sign_up::deny(id).await?;
                        Ok(done)
                    });
                },
            );
        };
        view! {
            <button class="button small primary" type="button" on:click=pressed(approve)>"Approve"</button>
            <button class="button small" type="button" on:click=pressed(deny)>"Deny"</button>
        }
        .into_any()
    });
    let title = words(move || {
        entries.known().with(|known| match known {
            Some(rows) => sign_ups_headline(rows.len(), entries.has_more()),
            None => "Looking for people who wait…".to_owned(),
        })
    });
    view! {
        <div class="narrow"><header class="answer">
            <h1 class="answer-line" aria-live="polite">{title}</h1>
            <p class="answer-detail">"Where mail is sent, people confirm their address themselves. Without it, your yes stands for that: say it only to whom you know."</p>
        </header>
        <section class="card"><EntryList entries label="People who wait" empty="When somebody asks for an account, they stand here." actions/></section></div>
    }
}
