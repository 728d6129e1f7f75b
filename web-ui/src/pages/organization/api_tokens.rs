//! Tokens for automation.

use crate::api::api_token;
use crate::clock::Clock;
use crate::components::entry_list::{Actions, Entries, EntryList};
use crate::components::form::{Choice, Field, Form, FormView};
use crate::components::home_field::{HomeField, Homes};
use crate::components::moving::{piece, pressed};
use crate::components::question::Asker;
use crate::components::shown_once::ShownOnce;
use crate::model::entry::key::{LIFETIME_USUAL, LIFETIMES, of_api_token, token_name_problem};
use crate::model::role::{ROLES, capital, role_of_word, role_word};
use crate::session::Session;
use kaliun_proto::fleet::v1::{CreateApiTokenRequest, Role};
use leptos::prelude::*;
use std::sync::Arc;

/// The list, and the form for a new one.
#[component]
pub(super) fn ApiTokens() -> impl IntoView {
    let asker = expect_context::<Asker>();
    let clock = expect_context::<Clock>();
    let entries = Entries::start(move |token| async move {
        let (tokens, next) = api_token::list(token).await?;
        let now_ms = clock.server.get_untracked();
        Ok((tokens.iter().map(|token| of_api_token(token, now_ms)).collect(), next))
    });
    let actions: Actions = Arc::new(move |entry| {
        if entry.is_over {
            return ().into_any();
        }
        let (id, title) = (entry.id.clone(), entry.title.clone());
        let revoke = move || {
            let (id, done) = (id.clone(), format!("The token “{title}” counts for nothing any more."));
            asker.ask(
                format!("Revoke “{title}”?"),
                "What uses it is refused from now on. It cannot be taken back; make another token instead.",
                "Revoke",
                move || {
                    entries.act(async move {
                        api_token::revoke(id).await?;
                        Ok(done)
                    });
                },
            );
        };
        view! { <button class="button small" type="button" on:click=pressed(revoke)>"Revoke"</button> }.into_any()
    });
    view! {
        <section class="card" aria-labelledby="tokens-title">
            <h2 id="tokens-title">"API tokens"</h2>
            <p class="quiet card-text">"For programs, in place of a password."</p>
            <EntryList entries label="API tokens" empty="None yet." actions/>
            <NewToken entries/>
        </section>
    }
}

#[component]
fn NewToken(entries: Entries) -> impl IntoView {
    let homes = Homes::ask(expect_context::<Session>());
    let home = RwSignal::new(String::new());
    let made = RwSignal::new(None::<(String, String)>);
    let form = Form::new("token-");
    form.on_submit(move || {
        let name = form.text("name");
        if form.refuses("name", token_name_problem(&name)) {
            return;
        }
        let request = CreateApiTokenRequest {
            name,
            role: role_of_word(&form.text("role")).into(),
            lifetime_seconds: form.text("lifetime_seconds").parse().unwrap_or(LIFETIME_USUAL),
            installation_ids: Some(home.get_untracked()).filter(|home| !home.is_empty()).into_iter().collect(),
        };
        made.set(None);
        form.send(async move {
            let answer = api_token::create(request).await?;
            let name = answer.api_token.map(|token| token.name).unwrap_or_default();
            form.clear("name");
            made.try_set(Some((name, answer.secret)));
            entries.refresh();
            Ok(())
        });
    });
    let roles = ROLES.into_iter().rev().map(|role| (role_word(role).to_owned(), capital(role_word(role)))).collect();
    let lifetimes = LIFETIMES.iter().map(|(seconds, words)| (seconds.to_string(), (*words).to_owned())).collect();
    view! {
        <h3 class="card-part">"Make a token"</h3>
        <FormView form submit="Make it">
            <Field form name="name" label="What it is for"/>
            <Choice form name="role" label="It may do what this role may" options=roles value=role_word(Role::Viewer)/>
            <HomeField id="token-home".to_owned() homes chosen=home label="Where" none="The whole organization"/>
            <Choice form name="lifetime_seconds" label="For how long" options=lifetimes value=LIFETIME_USUAL.to_string()/>
        </FormView>
        {piece(move || made.get().map(|(name, secret)| view! {
            <ShownOnce id="token-secret" title=format!("The token “{name}”") text="It is shown once and kept nowhere. Put it where the program reads it." secret/>
        }))}
    }
}
