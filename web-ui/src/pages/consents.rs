//! Who of support may look into homes: to decide, to end, and what was. Mails to owners lead here.

use crate::api::consent;
use crate::browser::set_title;
use crate::clock::Clock;
use crate::components::consent::OpenConsentCards;
use crate::components::entry_list::{Entries, EntryList};
use crate::components::moving::{background, effect, memo, words};
use crate::consents::OpenConsents;
use crate::model::consent::headline;
use crate::model::entry::place::of_consent;
use crate::session::Session;
use kaliun_proto::fleet::v1::ConsentState;
use leptos::prelude::*;

/// The page: `/consents`.
#[component]
pub(crate) fn ConsentsPage() -> impl IntoView {
    set_title("Support access");
    let open = expect_context::<OpenConsents>();
    let clock = expect_context::<Clock>();
    let identity = expect_context::<Session>().identity();
    let entries = Entries::start(|token| async {
        let (consents, next) = consent::list(token).await?;
        let is_past = |state| !matches!(state, ConsentState::Waiting | ConsentState::Granted);
        Ok((consents.iter().filter(|consent| is_past(consent.state())).map(of_consent).collect(), next))
    });
    background(open.ask());
    // What was decided here is history a moment later.
    effect(move || {
        if open.done().with(Option::is_some) {
            entries.refresh();
        }
    });
    let title = memo(move || {
        if !open.is_known().get() {
            return "Looking for requests…".to_owned();
        }
        let now_ms = clock.server.get();
        open.list().with(|list| identity.with(|identity| headline(list, identity, now_ms)))
    });
    view! {
        <div class="narrow">
            <header class="answer">
                <h1 class="answer-line" aria-live="polite">{words(move || title.get())}</h1>
                <p class="answer-detail">"Support sees into a home only with its owner's yes, and only for the time that was asked for."</p>
            </header>
            <OpenConsentCards/>
            <section class="card">
                <h2>"What was"</h2>
                <EntryList entries label="Earlier requests" empty="Nobody has asked yet."/>
            </section>
        </div>
    }
}
