//! Making an organization; also what somebody without one begins with.

use super::invitation::Invited;
use crate::api::organization::create;
use crate::browser::{leave_for, set_title, time_zone};
use crate::components::form::{Field, Form, FormView};
use crate::components::time_zone::TimeZoneField;
use crate::model::field::name_problem;
use crate::organization;
use crate::session::Session;
use kaliun_proto::fleet::v1::CreateOrganizationRequest;
use leptos::prelude::*;

/// The page: `/organizations/new`.
#[component]
pub(crate) fn NewOrganizationPage() -> impl IntoView {
    let is_first =
        expect_context::<Session>().identity().with_untracked(|identity| identity.organization_id.is_empty());
    let title = if is_first { "You are in. Now make an organization." } else { "Make an organization" };
    set_title("Make an organization");
    let form = Form::new("");
    form.on_submit(move || {
        let (name, home_name) = (form.text("name"), form.text("home_name"));
        if form.refuses("name", name_problem(&name, "a name")) {
            return;
        }
        let request = CreateOrganizationRequest { name, home_name, home_time_zone: form.text("home_time_zone") };
        form.send(async move {
            let made = create(request).await?;
            organization::choose(&made.id);
            leave_for("/");
            Ok(())
        });
    });
    view! {
        <div class="narrow">
            <header class="answer">
                <h1 class="answer-line">{title}</h1>
                <p class="answer-detail">
                    {if is_first { "Boxes, homes and people belong to an organization: a company, or your household. Were you invited to one? Then open the link of that mail instead." } else { "Boxes, homes and people belong to an organization: a company, or a household." }}
                </p>
            </header>
            {(is_first && !Invited::known().secret.is_empty()).then(|| view! {
                <a class="button primary wide" href="/invitation">"Open your invitation"</a>
            })}
            <FormView form submit="Make it" class="card form" is_wide=true>
                <Field form name="name" label="Name of the organization" autocomplete="organization" help="Such as your company, or “The Gruber family”."/>
                <Field form name="home_name" label="Name of its first home" help="Where the first box will be. “Home” when you leave it empty."/>
                <TimeZoneField form name="home_time_zone" value=time_zone()/>
            </FormView>
        </div>
    }
}
