//! Another password, or a first one.

use crate::api::account;
use crate::components::form::{Field, Form, FormView};
use crate::model::field::{new_password_problem, password_problem};
use crate::session::Session;
use leptos::prelude::*;

/// The password. `email` is there for password managers, which need to know whose it is.
#[component]
pub(super) fn Password(email: String, has_password: bool) -> impl IntoView {
    let session = expect_context::<Session>();
    let form = Form::new("password-");
    form.on_submit(move || {
        let (current, new) = (form.secret("current_password"), form.secret("new_password"));
        if (has_password && form.refuses("current_password", password_problem(&current)))
            || form.refuses("new_password", new_password_problem(&new))
        {
            return;
        }
        form.send(async move {
            account::change_password(current, new).await?;
            form.clear("current_password");
            form.clear("new_password");
            form.is_done("Your password is set. Everywhere else you are signed out.");
            session.ask();
            Ok(())
        });
    });
    let text = if has_password {
        "Everywhere else you will be signed out."
    } else {
        "You sign in through a provider. With a password you can sign in without it, too."
    };
    view! {
        <section class="card">
            <h2>"Password"</h2>
            <FormView form submit=if has_password { "Change it" } else { "Set it" } tone="">
                <p class="quiet">{text}</p>
                <input class="visually-hidden" type="email" name="username" autocomplete="username" value=email readonly=true tabindex="-1" aria-hidden="true"/>
                {has_password.then(|| view! { <Field form name="current_password" label="Present password" kind="password" autocomplete="current-password"/> })}
                <Field form name="new_password" label="New password" kind="password" autocomplete="new-password" help="At least 12 characters. A sentence is fine."/>
            </FormView>
        </section>
    }
}
