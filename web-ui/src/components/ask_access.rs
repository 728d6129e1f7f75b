//! Asking the owners of a home, for support: the request, and how it stands.

use crate::api::consent;
use crate::clock::Clock;
use crate::components::consent::OpenConsentCards;
use crate::components::form::{Choice, Field, Form, FormView};
use crate::components::moving::{background, memo, piece};
use crate::consents::OpenConsents;
use crate::model::consent::{DURATION_USUAL, DURATIONS, reason_problem};
use crate::session::Session;
use kaliun_proto::fleet::v1::{Consent, RequestConsentRequest};
use leptos::prelude::*;

/// A card for a home. While a request of the person waits or holds, it shows that in place of the form.
#[component]
pub(crate) fn AskAccess(installation_id: String) -> impl IntoView {
    let open = expect_context::<OpenConsents>();
    let clock = expect_context::<Clock>();
    let identity = expect_context::<Session>().identity();
    let form = Form::new("ask-");
    let home = installation_id.clone();
    let has_one = memo(move || {
        let now_ms = clock.server.get();
        let email = identity.with(|identity| identity.email.clone());
        let is_mine = |consent: &Consent| {
            consent.asked_by == email && consent.installation_id == home && consent.until_ms > now_ms
        };
        open.list().with(|list| list.iter().any(is_mine))
    });
    let id = installation_id.clone();
    form.on_submit(move || {
        let reason = form.text("reason");
        if form.refuses("reason", reason_problem(&reason)) {
            return;
        }
        let duration_seconds = form.text("duration_seconds").parse().unwrap_or(DURATION_USUAL);
        let request = RequestConsentRequest { installation_id: id.clone(), reason, duration_seconds };
        form.send(async move {
            consent::request(request).await?;
            open.ask().await;
            Ok(())
        });
    });
    background(open.ask());
    let durations = DURATIONS.iter().map(|(seconds, words)| (seconds.to_string(), (*words).to_owned())).collect();
    let durations = StoredValue::<Vec<(String, String)>>::new(durations);
    view! {
        <OpenConsentCards installation_id/>
        {piece(move || (!has_one.get()).then(|| view! {
            <section class="card">
                <h2>"Ask for access"</h2>
                <FormView form submit="Ask the owner">
                    <p class="quiet">"The owners of the home get a mail and see it on their pages. With their yes you may act on its boxes until the time is over."</p>
                    <Field form name="reason" label="Why" help="The owner reads it: what is wrong, and what you will do."/>
                    <Choice form name="duration_seconds" label="For how long" options=durations.get_value() value=DURATION_USUAL.to_string()/>
                </FormView>
            </section>
        }))}
    }
}
