//! Finishing a sign-up, with the link of its mail.

use crate::api::account;
use crate::browser::set_title;
use crate::components::form::{Field, Form, FormView};
use crate::components::lone::Lone;
use crate::model::field::password_problem;
use crate::navigation::{History, Navigation};
use crate::session::Session;
use leptos::prelude::*;

/// The page: `/confirm#SECRET`. It asks for the password, so that whoever else reads the mail has no account.
#[component]
pub(crate) fn ConfirmPage() -> impl IntoView {
    set_title("Finish signing up");
    let session = expect_context::<Session>();
    let navigation = expect_context::<Navigation>();
    let form = Form::new("");
    form.on_submit(move || {
        let password = form.secret("password");
        if form.refuses("password", password_problem(&password)) {
            return;
        }
        let secret = navigation.secret().get_untracked();
        form.send(async move {
            let identity = account::confirm_sign_up(secret, password).await?;
            navigation.go("/", History::Replace);
            session.begin(identity);
            Ok(())
        });
    });
    let has_secret = navigation.secret().with_untracked(|secret| !secret.is_empty());
    if !has_secret {
        return view! { <IncompleteLink/> }.into_any();
    }
    view! {
        <Lone title="Finish signing up" text="Type the password that you chose, and the account is yours.">
            <FormView form submit="Finish" is_wide=true>
                <Field form name="password" label="Password" kind="password" autocomplete="current-password" autofocus=true/>
            </FormView>
            <p class="lone-links"><a href="/sign-up">"Create it once more"</a></p>
        </Lone>
    }
    .into_any()
}

/// In place of a page that came without its secret.
#[component]
pub(crate) fn IncompleteLink() -> impl IntoView {
    view! {
        <Lone title="This link is not whole." text="The part behind “#” is missing; it is also gone when this page was loaded anew. Open the link from the mail once more, or copy all of it.">
            <p class="lone-links"><a href="/">"Go to the start"</a></p>
        </Lone>
    }
}
