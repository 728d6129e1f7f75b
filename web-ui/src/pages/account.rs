//! The person's own account.

mod delete;
mod details;
mod password;
mod sessions;

use crate::api::account;
use crate::browser::{save, set_title};
use crate::components::form::{Form, FormView};
use crate::session::Session;
use delete::Delete;
use details::{Address, Name};
use leptos::prelude::*;
use password::Password;
use sessions::Sessions;

/// The page: `/account`.
#[component]
pub(crate) fn AccountPage() -> impl IntoView {
    set_title("Your account");
    let identity = expect_context::<Session>().identity().get_untracked();
    view! {
        <header class="answer">
            <h1 class="answer-line">"Your account"</h1>
            <p class="answer-detail">{identity.email.clone()}</p>
        </header>
        <div class="columns">
            <div class="column">
                <Name name=identity.name.clone()/>
                <Address email=identity.email.clone() has_password=identity.has_password/>
                <Password email=identity.email.clone() has_password=identity.has_password/>
            </div>
            <div class="column">
                <Sessions/>
                <Export/>
                <Delete email=identity.email has_password=identity.has_password/>
            </div>
        </div>
    }
}

/// All that the server keeps of the person.
#[component]
fn Export() -> impl IntoView {
    let form = Form::new("export-");
    form.on_submit(move || {
        form.send(async move {
            save("kaliun-account.json", "application/json", &account::export().await?);
            form.is_done("The file is with your downloads.");
            Ok(())
        });
    });
    view! {
        <section class="card">
            <h2>"What is kept of you"</h2>
            <FormView form submit="Download it" tone="">
                <p class="quiet">"Your account, your organizations and homes, your sessions and the newest 10,000 records of what you did, as one JSON file."</p>
            </FormView>
        </section>
    }
}
