//! Asking for an account, and what comes then.

use super::invitation::Invited;
use crate::api::account;
use crate::browser::set_title;
use crate::components::form::{Field, Form, FormView};
use crate::components::lone::Lone;
use crate::model::field::{email_problem, name_problem, new_password_problem};
use crate::navigation::{History, Navigation};
use kaliun_proto::fleet::v1::{SignUpRequest, SignUpStep};
use leptos::prelude::*;

/// What somebody who asked waits for: the address, and what comes next. Known to the page that asked, until it is loaded anew.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked(RwSignal<Option<(String, SignUpStep)>>);

impl Asked {
    /// Nobody has asked yet.
    pub(crate) fn start() -> Self {
        Self(RwSignal::new(None))
    }
}

/// The form: `/sign-up`.
#[component]
pub(crate) fn SignUpPage() -> impl IntoView {
    set_title("Create an account");
    let navigation = expect_context::<Navigation>();
    let asked = expect_context::<Asked>();
    let invited = Invited::known();
    let form = Form::new("");
    let email = invited.email.clone();
    form.on_submit(move || {
        let (name, email, password) = (form.text("name"), form.text("email"), form.secret("password"));
        if form.refuses("name", name_problem(&name, "your name"))
            || form.refuses("email", email_problem(&email))
            || form.refuses("password", new_password_problem(&password))
        {
            return;
        }
        let request = SignUpRequest { email: email.clone(), name, password, invitation_secret: invited.secret.clone() };
        invited.keep();
        form.send(async move {
            let next = account::sign_up(request).await?;
            asked.0.set(Some((email, next)));
            navigation.go("/sign-up/sent", History::Keep);
            Ok(())
        });
    });
    view! {
        <Lone title="Create an account">
            <FormView form submit="Create the account" is_wide=true>
                <Field form name="name" label="Your name" autocomplete="name" help="What others of your organization or home see." autofocus=true/>
                <Field form name="email" label="Email" kind="email" autocomplete="username" value=email/>
                <Field form name="password" label="Password" kind="password" autocomplete="new-password" help="At least 12 characters. A sentence is fine."/>
            </FormView>
            <p class="lone-links"><a href="/sign-in">"I have an account"</a></p>
        </Lone>
    }
}

/// What comes next: `/sign-up/sent`.
#[component]
pub(crate) fn SignUpSentPage() -> impl IntoView {
    let asked = expect_context::<Asked>().0.get_untracked();
    let needs_admin = asked.as_ref().is_some_and(|(_, next)| *next == SignUpStep::Admin);
    let title = if needs_admin { "Almost there" } else { "Look into your mail" };
    set_title(title);
    let what = match asked {
        Some((email, SignUpStep::Admin)) => format!(
            "This server cannot send mail, so an admin of this server has to say yes to {email}. Tell them that you wait; then sign in with \
             your address and your password."
        ),
        Some((email, SignUpStep::Mail | SignUpStep::Unspecified)) => {
            format!(
                "A mail is on its way to {email}. Open its link within 24 hours to finish; it asks for your password once more."
            )
        }
        None => "Open the link of the mail within 24 hours to finish; it asks for your password once more.".to_owned(),
    };
    view! {
        <Lone title text=what is_answer=true>
            {(!needs_admin).then(|| view! {
                <ul class="advice">
                    <li>"Nothing after some minutes? Look into the folder for unwanted mail."</li>
                    <li>"If you have an account already, the mail says so: sign in, or set your password anew."</li>
                    <li>"A mistyped address? Create the account once more."</li>
                </ul>
            })}
            <p class="lone-links"><a href="/sign-in">"Sign in"</a><a href="/sign-up">"Create it once more"</a></p>
        </Lone>
    }
}
