//! The end of an account.

use crate::api::account;
use crate::components::form::{Field, Form, FormView};
use crate::model::field::password_problem;
use crate::session::Session;
use leptos::prelude::*;

/// Says what will be lost, and wants the address and the password.
#[component]
pub(super) fn Delete(email: String, has_password: bool) -> impl IntoView {
    let session = expect_context::<Session>();
    let form = Form::new("delete-");
    let mine = email.clone();
    form.on_submit(move || {
        let (typed, password) = (form.text("email"), form.secret("password"));
        let is_other = !typed.eq_ignore_ascii_case(&mine);
        let problem = is_other.then(|| format!("Type {mine}, as a sign that you mean it."));
        if form.refuses("email", problem) || (has_password && form.refuses("password", password_problem(&password))) {
            return;
        }
        form.send(async move {
            account::delete(password, typed).await?;
            session.end_everywhere();
            Ok(())
        });
    });
    view! {
        <details class="card place delete">
            <summary>"Delete the account"</summary>
            <FormView form submit="Delete the account for good" tone="danger">
                <ul class="advice">
                    <li>"Your sessions, your roles in organizations and homes, and what records say of you are gone."</li>
                    <li>"Homes and boxes stay with their organizations. Whoever is the only administrator or the only owner hands that over first."</li>
                    <li>"It cannot be taken back. Download what is kept of you before."</li>
                </ul>
                <Field form name="email" label="Your address, as a sign that you mean it" kind="email" autocomplete="off"/>
                {has_password.then(|| view! { <Field form name="password" label="Your password" kind="password" autocomplete="current-password"/> })}
            </FormView>
        </details>
    }
}
