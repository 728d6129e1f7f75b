//! What the person is called, and the address.

use crate::api::account;
use crate::components::form::{Field, Form, FormView};
use crate::model::field::{email_problem, name_problem, password_problem};
use crate::session::Session;
use leptos::prelude::*;

/// The name.
#[component]
pub(super) fn Name(name: String) -> impl IntoView {
    let session = expect_context::<Session>();
    let form = Form::new("name-");
    form.on_submit(move || {
        let name = form.text("name");
        if form.refuses("name", name_problem(&name, "your name")) {
            return;
        }
        form.send(async move {
            account::update(name).await?;
            session.ask();
            form.is_done("Saved.");
            Ok(())
        });
    });
    view! {
        <section class="card">
            <h2>"Name"</h2>
            <FormView form submit="Save" tone="">
                <Field form name="name" label="Your name" autocomplete="name" help="What others of your organizations and homes see." value=name/>
            </FormView>
        </section>
    }
}

/// The address. It changes when the mail at the new one was read.
#[component]
pub(super) fn Address(email: String, has_password: bool) -> impl IntoView {
    let form = Form::new("address-");
    form.on_submit(move || {
        let (new_email, password) = (form.text("new_email"), form.secret("password"));
        if form.refuses("new_email", email_problem(&new_email))
            || (has_password && form.refuses("password", password_problem(&password)))
        {
            return;
        }
        form.send(async move {
            account::request_address_change(new_email.clone(), password).await?;
            form.clear("password");
            form.is_done(&format!(
                "A mail is on its way to {new_email}. Until its link is used, your address stays as it is."
            ));
            Ok(())
        });
    });
    view! {
        <section class="card">
            <h2>"Email address"</h2>
            <FormView form submit="Send a mail there" tone="">
                <p class="quiet">{format!("You sign in with {email}.")}</p>
                <Field form name="new_email" label="Another address" kind="email" autocomplete="email"/>
                {has_password.then(|| view! { <Field form name="password" label="Your password" kind="password" autocomplete="current-password"/> })}
            </FormView>
        </section>
    }
}
