//! Inviting somebody: to the organization, or to a home.

use crate::api::invitation;
use crate::components::entry_list::{Actions, Entries, EntryList};
use crate::components::form::{Field, Form, FormView, Options};
use crate::components::home_field::{HomeField, Homes};
use crate::components::moving::{piece, pressed};
use crate::components::question::Asker;
use crate::components::shown_once::ShownOnce;
use crate::model::entry::person::of_invitation;
use crate::model::field::email_problem;
use crate::model::role::{
    HOME_ROLES, ROLES, capital, home_role_of_word, home_role_sentence, home_role_word, role_of_word, role_sentence,
    role_word,
};
use crate::session::Session;
use kaliun_proto::fleet::v1::CreateInvitationRequest;
use leptos::prelude::*;
use std::sync::Arc;

/// The invitations that nobody has accepted, and the form. With the id of a home only those to it; without, of the whole organization and
/// all its homes.
#[component]
pub(super) fn Invitations(#[prop(default = String::new())] home: String) -> impl IntoView {
    let asker = expect_context::<Asker>();
    let only = home.clone();
    let entries = Entries::start(move |token| {
        let only = only.clone();
        async move {
            let (invitations, next) = invitation::list(token).await?;
            let is_here = |invitation: &&kaliun_proto::fleet::v1::Invitation| {
                only.is_empty() || invitation.installation_id == only
            };
            Ok((invitations.iter().filter(is_here).map(of_invitation).collect(), next))
        }
    });
    let actions: Actions = Arc::new(move |entry| {
        let (id, email) = (entry.id.clone(), entry.title.clone());
        let revoke = move || {
            let (id, done) = (id.clone(), format!("The invitation of {email} counts for nothing any more."));
            asker.ask(
                format!("Take the invitation of {email} back?"),
                "Its link stops working. You can invite them again.",
                "Take it back",
                move || {
                    entries.act(async move {
                        invitation::revoke(id).await?;
                        Ok(done)
                    });
                },
            );
        };
        view! { <button class="button small" type="button" on:click=pressed(revoke)>"Take back"</button> }.into_any()
    });
    view! {
        <section class="card" aria-labelledby="invitations-title">
            <h2 id="invitations-title">"Invitations"</h2>
            <EntryList entries label="Invitations" empty="None waits to be accepted." actions/>
            <InviteForm home entries/>
        </section>
    }
}

/// The form. What the answer has for a server that cannot send mail is shown once.
#[component]
fn InviteForm(home: String, entries: Entries) -> impl IntoView {
    let session = expect_context::<Session>();
    let homes = home.is_empty().then(|| Homes::ask(session));
    let chosen = RwSignal::new(home);
    let made = RwSignal::new(None::<(String, String)>);
    let form = Form::new("invite-");
    form.on_submit(move || {
        let (email, word) = (form.text("email"), form.text("role"));
        if form.refuses("email", email_problem(&email)) {
            return;
        }
        let installation_id = chosen.get_untracked();
        let request = CreateInvitationRequest {
            email,
            role: role_of_word(if installation_id.is_empty() { &word } else { "" }).into(),
            home_role: home_role_of_word(if installation_id.is_empty() { "" } else { &word }).into(),
            installation_id,
        };
        made.set(None);
        form.send(async move {
            let answer = invitation::create(request).await?;
            let email = answer.invitation.map(|invitation| invitation.email).unwrap_or_default();
            form.clear("email");
            if answer.link.is_empty() {
                form.is_done(&format!("A mail is on its way to {email}."));
            } else {
                made.try_set(Some((email, answer.link)));
            }
            entries.refresh();
            Ok(())
        });
    });
    let roles = move || -> Vec<(&'static str, String, &'static str)> {
        if chosen.with(String::is_empty) {
            let line = |role| (role_word(role), capital(role_word(role)), role_sentence(role));
            ROLES.into_iter().rev().map(line).collect()
        } else {
            let line = |role| (home_role_word(role), capital(home_role_word(role)), home_role_sentence(role));
            HOME_ROLES.into_iter().rev().map(line).collect()
        }
    };
    view! {
        <h3 class="card-part">"Invite somebody"</h3>
        <FormView form submit="Invite">
            <Field form name="email" label="Email" kind="email"/>
            {homes.map(|homes| view! { <HomeField id="invite-home".to_owned() homes chosen label="To" none="The whole organization"/> })}
            {piece(move || view! { <Options form name="role" label="As" options=roles()/> })}
        </FormView>
        {piece(move || made.get().map(|(email, link)| view! {
            <ShownOnce
                id="invitation-link"
                title=format!("Hand this link to {email}.")
                text="This server cannot send mail. The link is shown once, is good for seven days, and works for this address only."
                secret=link
            />
        }))}
    }
}
