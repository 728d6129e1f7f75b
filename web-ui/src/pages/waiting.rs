//! Boxes that came with a join token and wait for somebody's yes.

mod place_fields;

use crate::api::enrollment;
use crate::browser::set_title;
use crate::components::home_field::Homes;
use crate::components::moving::{Views, background, flag, memo, piece, pressed, submitted, words};
use crate::components::notice::FailureNotice;
use crate::components::shell::focus_main;
use crate::components::time::Ago;
use crate::model::claim::own_words;
use crate::model::enrollment::{about_decision, beyond, headline};
use crate::model::failure::Failure;
use crate::session::Session;
use crate::waiting::WaitingBoxes;
use kaliun_proto::fleet::v1::{ApproveEnrollmentRequest, Enrollment};
use leptos::prelude::*;
use place_fields::{Place, PlaceFields};

/// What the page shows. Apart from the list, so that a box that comes or goes leaves what is typed for the others alone.
#[derive(Debug, Clone, PartialEq)]
enum Screen {
    Loading,
    Failed(Failure),
    Nothing,
    Boxes,
}

/// The page: `/waiting`.
#[component]
pub(crate) fn WaitingPage() -> impl IntoView {
    set_title("Waiting boxes");
    let waiting = expect_context::<WaitingBoxes>();
    let homes = Homes::ask(expect_context::<Session>());
    let done = RwSignal::new(None::<String>);
    let problems = RwSignal::new(None::<(String, String)>);
    let boxes = memo(move || {
        waiting.known().with(|known| match known {
            Some(Ok(list)) => list.enrollments.clone(),
            Some(Err(_)) | None => Vec::new(),
        })
    });
    let screen = memo(move || {
        waiting.known().with(|known| match known {
            None => Screen::Loading,
            Some(Err(failure)) => Screen::Failed(failure.clone()),
            Some(Ok(list)) if list.enrollments.is_empty() => Screen::Nothing,
            Some(Ok(_)) => Screen::Boxes,
        })
    });
    let count = memo(move || waiting.count());
    let title = words(move || match screen.get() {
        Screen::Loading => "Looking for boxes that wait…".to_owned(),
        Screen::Failed(_) => "The waiting boxes could not be loaded.".to_owned(),
        Screen::Nothing | Screen::Boxes => headline(count.get()),
    });
    view! {
        <div class="narrow waiting-page">
            <header class="answer"><h1 class="answer-line" aria-live="polite">{title}</h1></header>
            <p class="done" role="status">{done}</p>
            {piece(move || match screen.get() {
                Screen::Failed(failure) => view! { <FailureNotice failure is_retried=true/> }.into_any(),
                Screen::Loading => view! { <div class="card skeleton-card" aria-busy="true"></div> }.into_any(),
                Screen::Nothing => view! {
                    <section class="empty">
                        <p>"Boxes that come with a join token which asks for approval wait here. A box that shows a code is added by its code."</p>
                        <a class="button primary" href="/claim">"Add a box by its code"</a>
                    </section>
                }.into_any(),
                // A box that says something else of itself is shown anew, so that nobody decides about what was there before.
                Screen::Boxes => view! {
                    <div class="waiting-boxes">
                        <For each=move || boxes.get() key=|waiting| (waiting.id.clone(), waiting.facts_hash.clone()) let:waiting>
                            <Waiting waiting homes done problems/>
                        </For>
                    </div>
                }.into_any(),
            })}
            <p class="quiet">{move || beyond(count.get(), boxes.with(Vec::len))}</p>
        </div>
    }
}

/// One box: what it says of itself, what it will be, and the decision. `problems` has the last decision that did not take, with the id
/// of its box.
#[component]
fn Waiting(
    waiting: Enrollment,
    homes: Homes,
    done: RwSignal<Option<String>>,
    problems: RwSignal<Option<(String, String)>>,
) -> impl IntoView {
    let session = expect_context::<Session>();
    let all = expect_context::<WaitingBoxes>();
    let place = Place::new();
    let is_busy = RwSignal::new(false);
    let facts = waiting.facts.clone().unwrap_or_default();
    let (id, name) = (waiting.id.clone(), waiting.name.clone());
    let facts_hash = waiting.facts_hash.clone();
    let problem = {
        let id = id.clone();
        memo(move || {
            problems.with(|last| last.as_ref().filter(|(about, _)| *about == id).map(|(_, problem)| problem.clone()))
        })
    };
    let decide = move |yes: Option<ApproveEnrollmentRequest>| {
        let (id, name) = (id.clone(), name.clone());
        is_busy.set(true);
        problems.set(None);
        background(async move {
            let outcome = match yes {
                Some(request) => enrollment::approve(request)
                    .await
                    .map(|taken| format!("{} is yours; it connects in some seconds.", taken.device_name)),
                None => enrollment::deny(id.clone()).await.map(|()| format!("{name} was turned away; it is told.")),
            };
            match outcome {
                Ok(sentence) => {
                    done.try_set(Some(sentence));
                    // The button that was pressed goes with its box.
                    focus_main();
                }
                Err(failure) => {
                    session.notice(&failure);
                    problems.try_set(about_decision(&failure).map(|problem| (id, problem)));
                }
            }
            all.ask().await;
            is_busy.try_set(false);
        });
    };
    let deny = decide.clone();
    let approve = {
        let id = waiting.id.clone();
        move || {
            let Some(chosen) = place.chosen() else { return };
            decide(Some(ApproveEnrollmentRequest {
                id: id.clone(),
                installation_id: chosen.home,
                name: chosen.name,
                labels: chosen.labels,
                facts_hash: facts_hash.clone(),
            }));
        }
    };
    view! {
        <form class="card own-words waiting-box" aria-label=waiting.name.clone() on:submit=submitted(approve) novalidate=true>
            <div class="card-head">
                <h2>{waiting.name.clone()}</h2>
                <span class="label">"its own words"</span>
            </div>
            <dl class="facts">
                {own_words(&facts).into_iter().map(|(title, text)| view! { <div class="fact"><dt>{title}</dt><dd>{text}</dd></div> }).views()}
                <div class="fact"><dt>"Key"</dt><dd class="mono">{waiting.key_fingerprint.clone()}</dd></div>
                <div class="fact"><dt>"Came from"</dt><dd>{waiting.source_address.clone()}<span class="quiet">" (seen by the server)"</span></dd></div>
                <div class="fact"><dt>"Join token"</dt><dd>{waiting.join_token_description.clone()}</dd></div>
                <div class="fact"><dt>"Asked"</dt><dd><Ago at_ms=waiting.asked_at_ms/></dd></div>
            </dl>
            <PlaceFields place homes id=waiting.id.clone() name=waiting.name.clone()/>
            <p class="field-problem" role="alert">{problem}</p>
            <div class="actions">
                <button class="button primary" type="submit" disabled=flag(move || is_busy.get())>"Approve this box"</button>
                <button class="button danger" type="button" disabled=flag(move || is_busy.get()) on:click=pressed(move || deny(None))>"Deny"</button>
            </div>
        </form>
    }
}
