//! What the box says of itself, and the decision.

use super::Step;
use crate::api::claim;
use crate::browser::focus;
use crate::clock::Clock;
use crate::components::home_field::{HomeField, Homes};
use crate::components::moving::{Views, background, entered, flag, memo, piece, pressed, submitted, words};
use crate::components::notice::Notice;
use crate::components::time::Until;
use crate::model::access::{Start, start};
use crate::model::claim::{about_check, check_problem, grouped, has_ended, normalize_check, own_words};
use crate::model::failure::Failure;
use crate::model::mark::Tone;
use crate::model::placing::name_problem;
use crate::session::Session;
use kaliun_proto::fleet::v1::{ApproveClaimRequest, Claim};
use kaliun_types::name::DeviceName;
use leptos::prelude::*;
use std::collections::HashMap;

/// Facts, the key to compare, name and home, and two buttons.
#[component]
pub(crate) fn Decide(
    claim: Claim,
    code: String,
    step: RwSignal<Step>,
    look_again: impl Fn(String) + Send + 'static,
) -> impl IntoView {
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
        {is_silent.then(|| {
            let code = code.clone();
            view! {
                <Notice tone=Tone::Warning title="The box has not answered yet." text="Its screen shows no check characters. See whether it is switched on and online, then look again.">
                    <button class="button" type="button" on:click=pressed(move || look_again(code.clone()))>"Look again"</button>
                </Notice>
            }
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
                {own_words(&facts).into_iter().map(|(title, text)| view! { <div class="fact"><dt>{title}</dt><dd>{text}</dd></div> }).views()}
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
    // Who has to do with one home alone brings boxes in for that.
    let home = RwSignal::new(match session.identity().with_untracked(start) {
        Start::Home(id) => id,
        Start::Fleet | Start::Homes | Start::Nowhere => String::new(),
    });
    let homes = Homes::ask(session);
    let is_busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<String>);
    let check = RwSignal::new(String::new());
    let wrong_check = RwSignal::new(None::<String>);
    let fail = move |failure: Failure| {
        session.notice(&failure);
        // The box does not wait any more, so there is nothing left here to decide.
        if has_ended(&failure) || matches!(&failure, Failure::NotFound(sentence) if sentence.starts_with("No box")) {
            step.try_set(Step::Failed(failure));
            return;
        }
        is_busy.try_set(false);
        problem.try_set(Some(failure.advice()));
    };
    let name_problem = memo(move || name.with(|name| name_problem(name)));
    let approve = {
        let code = code.clone();
        move || {
            if let Some(missing) = check.with_untracked(|check| check_problem(check)) {
                focus("check");
                return wrong_check.set(Some(missing));
            }
            if name_problem.with_untracked(Option::is_some) {
                return focus("name");
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
                    Err(failure) => match about_check(&failure).filter(|_| !has_ended(&failure)) {
                        Some(wrong) => {
                            is_busy.try_set(false);
                            check.try_set(String::new());
                            wrong_check.try_set(Some(wrong));
                            focus("check");
                        }
                        None => fail(failure),
                    },
                }
            });
        }
    };
    let deny = move || {
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
        <form class="card" on:submit=submitted(approve) novalidate=true aria-labelledby="decide-title">
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
                    on:input=entered(move |text| {
                        wrong_check.set(None);
                        check.set(normalize_check(&text));
                    })
                />
                <p id="check-problem" class="field-problem reserve reserve-two" role="alert">{wrong_check}</p>
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
                    on:input=entered(move |text| name.set(text))
                />
                <p id="name-problem" class="field-problem reserve reserve-two" aria-live="polite">{name_problem}</p>
            </div>
            <HomeField id="home".to_owned() homes chosen=home/>
            <p class="quiet">"Approving gives this box a certificate of your organization. You can revoke the device later; then nothing that the box's key proves counts any more. Denying tells the box; it can ask again with a new code."</p>
            <p class="field-problem reserve reserve-two" role="alert">
                {piece(move || if has_expired.get() {
                    view! { "This code has run out. The box's screen shows a new one." }.into_any()
                } else {
                    view! { {problem} }.into_any()
                })}
            </p>
            <div class="actions">
                // In place of the button, so that nothing moves under a finger.
                {piece(move || if has_expired.get() {
                    view! { <a class="button primary" href="/claim">"Enter the new code"</a> }.into_any()
                } else {
                    view! { <button class="button primary" type="submit" disabled=flag(move || is_busy.get())>"Approve this box"</button> }.into_any()
                })}
                <button class="button danger" type="button" disabled=flag(move || is_busy.get()) on:click=pressed(deny)>"Deny"</button>
            </div>
        </form>
    }
}
