//! What the box says of itself, and the decision.

use super::Step;
use crate::api::{claim, installation};
use crate::clock::Clock;
use crate::components::icon::{Icon, IconView};
use crate::components::moving::{background, flag, memo, piece, words};
use crate::components::notice::Notice;
use crate::components::time::Until;
use crate::model::claim::{about_check, check_problem, grouped, normalize_check, own_words};
use crate::model::failure::Failure;
use crate::model::mark::Tone;
use crate::session::Session;
use kaliun_proto::fleet::v1::{ApproveClaimRequest, Claim, Installation};
use kaliun_types::name::DeviceName;
use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use std::collections::HashMap;

/// Facts, the key to compare, name and home, and two buttons.
#[component]
pub(crate) fn Decide(claim: Claim, code: String, step: RwSignal<Step>) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let facts = claim.facts.clone().unwrap_or_default();
    let expires_at = claim.expires_at_ms;
    let is_silent = !claim.shows_check;
    let has_expired = memo(move || expires_at > 0 && clock.server.get() >= expires_at);
    view! {
        <header class="answer">
            <h1 class="answer-line">"Is this your box?"</h1>
            <p class="answer-detail">"Code "<span class="mono">{grouped(&code)}</span>" · runs out "<Until at_ms=expires_at/></p>
        </header>
        {piece(move || has_expired.get().then(|| view! {
            <Notice tone=Tone::Warning title="This code has run out." text="Use the new code on the box's screen."/>
        }))}
        {is_silent.then(|| view! {
            <Notice tone=Tone::Warning title="The box has not answered yet." text="Its screen shows no check characters. See whether it is switched on and online, then load this page again."/>
        })}
        <section class="card" aria-labelledby="key-title">
            <h2 id="key-title">"Compare the key"</h2>
            <p class="key mono">{claim.key_fingerprint.clone()}</p>
            <p class="quiet">"The box's screen shows the same digits. If they differ, it is another box: do not approve."</p>
        </section>
        <section class="card own-words" aria-labelledby="words-title">
            <div class="card-head">
                <h2 id="words-title">"What the box says of itself"</h2>
                <span class="label">"its own words"</span>
            </div>
            <p class="quiet">"Nobody has checked this."</p>
            <dl class="facts">
                {own_words(&facts).into_iter().map(|(title, text)| view! { <div class="fact"><dt>{title}</dt><dd>{text}</dd></div> }).collect_view()}
                <div class="fact"><dt>"Came from"</dt><dd>{claim.source_address.clone()}<span class="quiet">" (seen by the server)"</span></dd></div>
            </dl>
        </section>
        <DecisionForm code suggested=DeviceName::from_hostname(&facts.hostname).to_string() step has_expired/>
    }
}

#[component]
fn DecisionForm(code: String, suggested: String, step: RwSignal<Step>, has_expired: Memo<bool>) -> impl IntoView {
    let session = expect_context::<Session>();
    let name = RwSignal::new(suggested);
    let home = RwSignal::new(String::new());
    let homes = RwSignal::new(None::<Vec<Installation>>);
    let homes_problem = RwSignal::new(None::<String>);
    let is_busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<String>);
    let check = RwSignal::new(String::new());
    let wrong_check = RwSignal::new(None::<String>);
    background(async move {
        match installation::list().await {
            Ok(list) => {
                homes.try_set(Some(list));
            }
            Err(failure) => {
                session.notice(&failure);
                homes_problem.try_set(Some(format!(
                    "The homes could not be loaded: {} A home can be chosen later.",
                    failure.sentence()
                )));
            }
        }
    });
    let fail = move |failure: Failure| {
        session.notice(&failure);
        is_busy.try_set(false);
        problem.try_set(Some(format!("{} {}", failure.sentence(), failure.next_step())));
    };
    let name_problem =
        memo(move || name.with(|name| DeviceName::parse(name.trim()).err().map(|invalid| format!("{invalid}."))));
    let approve = {
        let code = code.clone();
        move |event: SubmitEvent| {
            event.prevent_default();
            if let Some(missing) = check.with_untracked(|check| check_problem(check)) {
                return wrong_check.set(Some(missing));
            }
            if name_problem.with_untracked(Option::is_some) {
                return problem.set(Some("Change the name first.".to_owned()));
            }
            is_busy.set(true);
            problem.set(None);
            let request = ApproveClaimRequest {
                code: code.clone(),
                installation_id: home.get_untracked(),
                name: name.with_untracked(|name| name.trim().to_owned()),
                labels: HashMap::new(),
                check: check.get_untracked(),
            };
            background(async move {
                match claim::approve(request).await {
                    Ok(taken) => {
                        step.try_set(Step::Approved { id: taken.device_id, name: taken.device_name });
                    }
                    // What was typed is wrong, and the person looks at the screen once more.
                    Err(failure) => match about_check(&failure) {
                        Some(wrong) => {
                            is_busy.try_set(false);
                            check.try_set(String::new());
                            wrong_check.try_set(Some(wrong));
                        }
                        None => fail(failure),
                    },
                }
            });
        }
    };
    let deny = move |_| {
        is_busy.set(true);
        let code = code.clone();
        background(async move {
            match claim::deny(code).await {
                Ok(()) => {
                    step.try_set(Step::Denied);
                }
                Err(failure) => fail(failure),
            }
        });
    };
    view! {
        <form class="card" on:submit=approve novalidate=true aria-labelledby="decide-title">
            <h2 id="decide-title">"Now look at the box's screen"</h2>
            <p class="quiet" id="check-help">"It shows four check characters since you entered the code. Type them here. If it shows none, this is another box: do not approve."</p>
            <div class="field">
                <label for="check">"Check characters"</label>
                <input
                    id="check"
                    class="code-input"
                    autocapitalize="characters"
                    autocomplete="off"
                    spellcheck="false"
                    maxlength="6"
                    placeholder="XXXX"
                    aria-describedby="check-help check-problem"
                    aria-invalid=words(move || wrong_check.with(|problem| problem.is_some().to_string()))
                    prop:value=words(move || check.get())
                    on:input=move |event| {
                        wrong_check.set(None);
                        check.set(normalize_check(&event_target_value(&event)));
                    }
                />
                <p id="check-problem" class="field-problem reserve" role="alert">{wrong_check}</p>
            </div>
            <div class="field">
                <label for="name">"Name"</label>
                <input
                    id="name"
                    autocapitalize="none"
                    autocomplete="off"
                    spellcheck="false"
                    maxlength="63"
                    aria-describedby="name-problem"
                    aria-invalid=words(move || name_problem.with(|problem| problem.is_some().to_string()))
                    prop:value=words(move || name.get())
                    on:input=move |event| name.set(event_target_value(&event))
                />
                <p id="name-problem" class="field-problem reserve">{name_problem}</p>
            </div>
            <div class="field">
                <label for="home">"Home"</label>
                <div class="select">
                    <select id="home" prop:value=words(move || home.get()) on:change=move |event| home.set(event_target_value(&event))>
                        <option value="">"No home yet"</option>
                        {piece(move || homes.get().unwrap_or_default().into_iter().map(|home| view! { <option value=home.id>{home.name}</option> }).collect_view())}
                    </select>
                    <IconView icon=Icon::Down/>
                </div>
                <p class="field-problem">{homes_problem}</p>
            </div>
            <p class="quiet">"Approving gives this box a certificate of your organization. You can revoke the device later; then nothing that the box's key proves counts any more. Denying tells the box; it can ask again with a new code."</p>
            <p class="field-problem reserve" role="alert">{problem}</p>
            <div class="actions">
                <button class="button primary" type="submit" disabled=flag(move || is_busy.get() || has_expired.get())>"Approve this box"</button>
                <button class="button danger" type="button" disabled=flag(move || is_busy.get()) on:click=deny>"Deny"</button>
            </div>
        </form>
    }
}
