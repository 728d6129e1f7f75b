//! Signing in. Stands in place of whatever page was asked for, which comes when it succeeds.

use crate::api::account;
use crate::browser::set_title;
use crate::components::moving::{background, flag, words};
use crate::components::shell::Logo;
use crate::live::Live;
use crate::session::Session;
use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;

/// The sign-in form. `has_ended` says that a session was open a moment ago.
#[component]
pub(crate) fn SignInPage(has_ended: bool) -> impl IntoView {
    set_title("Sign in");
    let session = expect_context::<Session>();
    let live = expect_context::<Live>();
    let email = NodeRef::<Input>::new();
    let password = NodeRef::<Input>::new();
    let is_busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<String>);

    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let (Some(email_field), Some(password_field)) = (email.get_untracked(), password.get_untracked()) else {
            return;
        };
        let (email_text, password_text) = (email_field.value().trim().to_owned(), password_field.value());
        if email_text.is_empty() || password_text.is_empty() {
            problem.set(Some("Enter your email address and your password.".to_owned()));
            return;
        }
        is_busy.set(true);
        problem.set(None);
        background(async move {
            match account::sign_in(email_text, password_text).await {
                Ok(identity) => {
                    session.begin(identity);
                    live.signed_in();
                }
                Err(failure) => {
                    problem.try_set(Some(failure.sign_in_sentence()));
                    is_busy.try_set(false);
                    // Focusing an element of the page cannot fail.
                    let _focused = password_field.focus();
                    password_field.select();
                }
            }
        });
    };
    view! {
        <main class="lone">
            <form class="card sign-in" on:submit=submit novalidate=true>
                <Logo/>
                <h1>"Sign in"</h1>
                <p class="quiet">
                    {if has_ended { "You are signed out. Sign in to go on where you were." } else { "To see how your boxes are." }}
                </p>
                <div class="field">
                    <label for="email">"Email"</label>
                    <input id="email" name="email" type="email" autocomplete="username" autocapitalize="none" spellcheck="false" required=true autofocus=true node_ref=email/>
                </div>
                <div class="field">
                    <label for="password">"Password"</label>
                    <input id="password" name="password" type="password" autocomplete="current-password" required=true node_ref=password/>
                </div>
                <p class="field-problem reserve" role="alert">{problem}</p>
                <button class="button primary wide" type="submit" disabled=flag(move || is_busy.get())>
                    {words(move || if is_busy.get() { "Signing in…" } else { "Sign in" })}
                </button>
            </form>
        </main>
    }
}
