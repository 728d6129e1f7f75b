//! A forgotten password: asking for the mail, and setting another one with its link.

use super::confirm::IncompleteLink;
use crate::api::account;
use crate::browser::set_title;
use crate::components::form::{Field, Form, FormView};
use crate::components::lone::Lone;
use crate::components::moving::piece;
use crate::model::field::{email_problem, new_password_problem};
use crate::navigation::Navigation;
use crate::session::Session;
use leptos::prelude::*;

/// Asking for the mail: `/forgot`. It says the same whether there is such an account or not.
#[component]
pub(crate) fn ForgotPage() -> impl IntoView {
    set_title("Forgot your password?");
    let sent_to = RwSignal::new(None::<String>);
    let form = Form::new("");
    form.on_submit(move || {
        let email = form.text("email");
        if form.refuses("email", email_problem(&email)) {
            return;
        }
        form.send(async move {
            account::request_password_reset(email.clone()).await?;
            sent_to.try_set(Some(email));
            Ok(())
        });
    });
    piece(move || {
        match sent_to.get() {
        None => view! {
            <Lone title="Forgot your password?" text="We send a link to your address with which you set another one.">
                <FormView form submit="Send the link" is_wide=true>
                    <Field form name="email" label="Email" kind="email" autocomplete="username" autofocus=true/>
                </FormView>
                <p class="lone-links"><a href="/sign-in">"Back to the sign-in"</a></p>
            </Lone>
        }
        .into_any(),
        Some(email) => view! {
            <Lone title="Look into your mail" text=format!("If {email} has an account, a mail with a link is on its way.") is_answer=true>
                <ul class="advice">
                    <li>"Nothing after some minutes? Look into the folder for unwanted mail, and see whether the address is right."</li>
                </ul>
                <p class="lone-links"><a href="/sign-in">"Back to the sign-in"</a></p>
            </Lone>
        }
        .into_any(),
    }
    })
}

/// Setting another one: `/reset#SECRET`.
#[component]
pub(crate) fn ResetPage() -> impl IntoView {
    set_title("Set another password");
    let session = expect_context::<Session>();
    let navigation = expect_context::<Navigation>();
    let is_done = RwSignal::new(false);
    let form = Form::new("");
    form.on_submit(move || {
        let password = form.secret("new_password");
        if form.refuses("new_password", new_password_problem(&password)) {
            return;
        }
        let secret = navigation.secret().get_untracked();
        form.send(async move {
            account::reset_password(secret, password).await?;
            is_done.try_set(true);
            // All sessions of the account are over; whether one of them was this browser's, the server knows.
            session.ask();
            Ok(())
        });
    });
    if navigation.secret().with_untracked(String::is_empty) {
        return view! { <IncompleteLink/> }.into_any();
    }
    piece(move || {
        if is_done.get() {
            return view! {
                <Lone title="Your password is set." text="Everywhere you were signed in you are signed out now." is_answer=true>
                    <a class="button primary wide" href="/sign-in">"Sign in"</a>
                </Lone>
            }
            .into_any();
        }
        view! {
            <Lone title="Set another password" text="Everywhere you are signed in you will be signed out.">
                <FormView form submit="Set the password" is_wide=true>
                    <Field form name="new_password" label="New password" kind="password" autocomplete="new-password" help="At least 12 characters. A sentence is fine." autofocus=true/>
                </FormView>
                <p class="lone-links"><a href="/forgot">"Ask for another mail"</a></p>
            </Lone>
        }
        .into_any()
    })
    .into_any()
}
