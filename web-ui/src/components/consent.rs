//! Support's requests: the banner on every page of an owner, and the cards that decide.

use crate::clock::Clock;
use crate::components::icon::{Icon, IconView};
use crate::components::moving::{Views, flag, memo, piece, pressed};
use crate::components::time::{Ago, Until};
use crate::consents::OpenConsents;
use crate::model::access::owns;
use crate::model::consent::{holding, is_open, question};
use crate::model::route::Route;
use crate::navigation::Navigation;
use crate::session::Session;
use kaliun_proto::fleet::v1::{Consent, ConsentState};
use leptos::prelude::*;

/// Says on every page of an owner that a request waits, but for the one that decides it. Takes no room while none does.
#[component]
pub(crate) fn ConsentBanner() -> impl IntoView {
    let open = expect_context::<OpenConsents>();
    let clock = expect_context::<Clock>();
    let identity = expect_context::<Session>().identity();
    let route = expect_context::<Navigation>().route();
    let first = memo(move || {
        // There it is to be seen anyway.
        if route.get() == Route::Consents {
            return None;
        }
        let now_ms = clock.server.get();
        let identity = identity.get();
        open.list().with(|list| {
            let waits = |asked: &&Consent| {
                is_open(asked, ConsentState::Waiting, now_ms) && owns(&identity, &asked.installation_id)
            };
            let asked = list.iter().find(waits)?;
            Some((question(asked, &identity.organization_name), asked.reason.clone()))
        })
    });
    piece(move || {
        first.get().map(|(question, reason)| {
            view! {
                <div class="consent-banner" role="status">
                    <p><IconView icon=Icon::Bell/><span><b>{question}</b>" “"{reason}"”"</span></p>
                    <a class="button small primary" href="/consents">"Decide"</a>
                </div>
            }
        })
    })
}

/// What is open, in all homes or in one: to decide about, to end, to wait for.
#[component]
pub(crate) fn OpenConsentCards(#[prop(default = String::new())] installation_id: String) -> impl IntoView {
    let open = expect_context::<OpenConsents>();
    let clock = expect_context::<Clock>();
    // Drawn anew when something of it changes, or runs out.
    let shown = memo(move || {
        let now_ms = clock.server.get();
        open.list().with(|list| {
            let is_here = |consent: &&Consent| installation_id.is_empty() || consent.installation_id == installation_id;
            list.iter().filter(is_here).filter(|consent| consent.until_ms > now_ms).cloned().collect::<Vec<_>>()
        })
    });
    view! {
        <p class="entry-done" role="status">{open.done()}</p>
        <p class="field-problem entry-problem" role="alert">{open.problem()}</p>
        {piece(move || shown.get().into_iter().map(|consent| match consent.state() {
            ConsentState::Waiting => waiting(consent),
            ConsentState::Granted => granted(consent),
            ConsentState::Unspecified | ConsentState::Denied | ConsentState::Ended | ConsentState::Expired => ().into_any(),
        }).views())}
    }
}

fn waiting(asked: Consent) -> AnyView {
    let open = expect_context::<OpenConsents>();
    let identity = expect_context::<Session>().identity().get_untracked();
    let decide = |is_yes: bool| {
        let id = asked.id.clone();
        move || open.decide(id.clone(), is_yes)
    };
    let (approve, deny) = (decide(true), decide(false));
    let is_busy = move || flag(move || open.is_busy().get());
    let sentence = question(&asked, &identity.organization_name);
    let decision = if owns(&identity, &asked.installation_id) {
        view! {
            <p class="quiet">"It ends by itself, you can end it at any time, and all that they do meanwhile is on record."</p>
            <div class="actions">
                <button class="button primary" type="button" disabled=is_busy() on:click=pressed(approve)>"Let them in"</button>
                <button class="button" type="button" disabled=is_busy() on:click=pressed(deny)>"No"</button>
            </div>
        }
        .into_any()
    } else {
        view! { <p class="quiet">"An owner of the home has to say yes. They got a mail, and see it on every page."</p> }
            .into_any()
    };
    view! {
        <article class="card consent" data-consent=asked.id.clone()>
            <h2>{sentence}</h2>
            <p class="consent-reason">"“"{asked.reason.clone()}"”"</p>
            <p class="quiet">{asked.asked_by.clone()}" · asked "<Ago at_ms=asked.asked_at_ms/>" · runs out "<Until at_ms=asked.until_ms/></p>
            {decision}
        </article>
    }
    .into_any()
}

fn granted(held: Consent) -> AnyView {
    let open = expect_context::<OpenConsents>();
    let identity = expect_context::<Session>().identity().get_untracked();
    let id = held.id.clone();
    let may_end = owns(&identity, &held.installation_id) || held.asked_by == identity.email;
    view! {
        <article class="card consent" data-consent=held.id.clone()>
            <h2>{holding(&held, &identity)}</h2>
            <p>"Ends "<Until at_ms=held.until_ms/>"."</p>
            <p class="quiet">"“"{held.reason.clone()}"” · "{held.asked_by.clone()}</p>
            {may_end.then(|| view! {
                <div class="actions"><button class="button" type="button" disabled=flag(move || open.is_busy().get()) on:click=pressed(move || open.end(id.clone()))>"End it now"</button></div>
            })}
        </article>
    }
    .into_any()
}
