//! Signing in. Stands in place of whatever page was asked for, which comes when it succeeds.

use crate::api::account;
use crate::browser::set_title;
use crate::components::form::{Field, Form, FormView};
use crate::components::lone::Lone;
use crate::model::field::{email_problem, password_problem};
use crate::session::Session;
use leptos::prelude::*;

/// The sign-in form. `has_ended` says that a session was open a moment ago.
#[component]
pub(crate) fn SignInPage(has_ended: bool) -> impl IntoView {
    set_title("Sign in");
    let session = expect_context::<Session>();
    let form = Form::new("");
    form.on_submit(move || {
        let (email, password) = (form.text("email"), form.secret("password"));
        if form.refuses("email", email_problem(&email)) || form.refuses("password", password_problem(&password)) {
            return;
        }
        form.send(async move {
            match account::sign_in(email, password).await {
                Ok(identity) => session.begin(identity),
                Err(failure) => form.say("password", failure.sign_in_sentence()),
            }
            Ok(())
        });
    });
    let text =
        if has_ended { "You are signed out. Sign in to go on where you were." } else { "To see how your boxes are." };
    view! {
        <Lone title="Sign in" text>
            <FormView form submit="Sign in" is_wide=true>
                <Field form name="email" label="Email" kind="email" autocomplete="username" autofocus=true/>
                <Field form name="password" label="Password" kind="password" autocomplete="current-password"/>
            </FormView>
            <p class="lone-links"><a href="/forgot">"Forgot your password?"</a><a href="/sign-up">"Create an account"</a></p>
        </Lone>
    }
}
