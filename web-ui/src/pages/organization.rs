//! The organization: its people, its tokens, its name.

mod api_tokens;
mod people;

use super::invite::Invitations;
use crate::api::organization;
use crate::browser::{leave_for, set_title};
use crate::components::form::{Field, Form, FormView};
use crate::components::moving::words;
use crate::components::question::Asker;
use crate::model::access::{administers, operates};
use crate::model::field::name_problem;
use crate::model::role::{role_sentence, role_word};
use crate::organization as chosen;
use crate::session::Session;
use api_tokens::ApiTokens;
use kaliun_proto::fleet::v1::Role;
use leptos::prelude::*;
use people::People;

/// The page: `/organization`.
#[component]
pub(crate) fn OrganizationPage() -> impl IntoView {
    set_title("Organization");
    let identity = expect_context::<Session>().identity();
    let (role, is_admin, is_operator) =
        identity.with_untracked(|identity| (identity.role(), administers(identity), operates(identity)));
    let detail = match role {
        Role::Unspecified => "You have to do with single homes of it.".to_owned(),
        Role::Viewer | Role::Support | Role::Operator | Role::Admin => {
            format!("You are {}. {}", role_word(role), role_sentence(role))
        }
    };
    view! {
        <header class="answer">
            <h1 class="answer-line">{words(move || identity.with(|identity| identity.organization_name.clone()))}</h1>
            <p class="answer-detail">{detail}</p>
        </header>
        {if is_admin {
            view! {
                <div class="columns">
                    <div class="column"><People may_change=true/><Invitations/></div>
                    <div class="column"><ApiTokens/><Name/><Leave/></div>
                </div>
            }.into_any()
        } else {
            view! { <div class="narrow">{is_operator.then(|| view! { <People may_change=false/> })}<Leave/></div> }.into_any()
        }}
    }
}

#[component]
fn Name() -> impl IntoView {
    let session = expect_context::<Session>();
    let name = session.identity().with_untracked(|identity| identity.organization_name.clone());
    let form = Form::new("organization-");
    form.on_submit(move || {
        let name = form.text("name");
        if form.refuses("name", name_problem(&name, "a name")) {
            return;
        }
        form.send(async move {
            organization::update(name).await?;
            session.ask();
            form.is_done("Saved.");
            Ok(())
        });
    });
    view! {
        <section class="card">
            <h2>"Name"</h2>
            <FormView form submit="Save" tone="">
                <Field form name="name" label="Name of the organization" autocomplete="organization" value=name/>
            </FormView>
        </section>
    }
}

#[component]
fn Leave() -> impl IntoView {
    let asker = expect_context::<Asker>();
    let name = expect_context::<Session>().identity().with_untracked(|identity| identity.organization_name.clone());
    let form = Form::new("leave-");
    form.on_submit(move || {
        asker.ask(
            format!("Leave {name}?"),
            "You lose your roles in it and in its homes at once. To come back, somebody has to invite you. Its boxes and homes stay.",
            "Leave",
            move || {
                form.send(async move {
                    organization::leave().await?;
                    chosen::forget();
                    leave_for("/");
                    Ok(())
                });
            },
        );
    });
    view! {
        <section class="card">
            <h2>"Leave the organization"</h2>
            <FormView form submit="Leave…" tone="danger">
                <p class="quiet">"You lose what you may do in it. Its only administrator makes somebody else one first."</p>
            </FormView>
        </section>
    }
}
