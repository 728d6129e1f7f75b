//! Boxes that came with a join token and wait for somebody's yes.

use crate::api::enrollment;
use crate::browser::set_title;
use crate::components::moving::{background, flag, memo, piece};
use crate::components::notice::FailureNotice;
use crate::components::time::Ago;
use crate::model::claim::own_words;
use crate::model::enrollment::{beyond, headline};
use crate::model::failure::Failure;
use crate::session::Session;
use crate::waiting::WaitingBoxes;
use kaliun_proto::fleet::v1::Enrollment;
use leptos::prelude::*;

/// The page: `/waiting`.
#[component]
pub(crate) fn WaitingPage() -> impl IntoView {
    set_title("Waiting boxes");
    let waiting = expect_context::<WaitingBoxes>();
    let done = RwSignal::new(None::<String>);
    let boxes = memo(move || {
        waiting.known().with(|known| match known {
            Some(Ok(list)) => list.enrollments.clone(),
            Some(Err(_)) | None => Vec::new(),
        })
    });
    let failure =
        memo(move || waiting.known().with(|known| known.as_ref().and_then(|known| known.as_ref().err().cloned())));
    let is_known = memo(move || waiting.known().with(Option::is_some));
    let count = memo(move || waiting.count());
    view! {
        <div class="narrow">
            <header class="answer"><h1 class="answer-line">{move || headline(count.get())}</h1></header>
            <p class="quiet" role="status">{done}</p>
            {piece(move || match (is_known.get(), failure.get()) {
                (_, Some(failure)) => view! { <FailureNotice failure/> }.into_any(),
                (false, None) => view! { <div class="card skeleton-card" aria-busy="true"></div> }.into_any(),
                (true, None) if boxes.with(Vec::is_empty) => view! {
                    <section class="empty">
                        <p>"Boxes that come with a join token which asks for approval wait here. A box that shows a code is added by its code."</p>
                        <a class="button primary" href="/claim">"Add a box by its code"</a>
                    </section>
                }.into_any(),
                (true, None) => view! {
                    <For each=move || boxes.get() key=|waiting| waiting.id.clone() let:waiting><Waiting waiting done/></For>
                }.into_any(),
            })}
            <p class="quiet">{move || beyond(count.get(), boxes.with(Vec::len))}</p>
        </div>
    }
}

/// One box: what it says of itself, and the decision.
#[component]
fn Waiting(waiting: Enrollment, done: RwSignal<Option<String>>) -> impl IntoView {
    let session = expect_context::<Session>();
    let all = expect_context::<WaitingBoxes>();
    let is_busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<String>);
    let facts = waiting.facts.clone().unwrap_or_default();
    let (id, name) = (waiting.id.clone(), waiting.name.clone());
    let facts_hash = waiting.facts_hash.clone();
    let decide = move |is_yes: bool| {
        let (id, name, facts_hash) = (id.clone(), name.clone(), facts_hash.clone());
        is_busy.set(true);
        problem.set(None);
        background(async move {
            let outcome = if is_yes {
                enrollment::approve(id, facts_hash)
                    .await
                    .map(|taken| format!("{} is yours; it connects in some seconds.", taken.device_name))
            } else {
                enrollment::deny(id).await.map(|()| format!("{name} was turned away; it is told."))
            };
            match outcome {
                Ok(sentence) => {
                    done.try_set(Some(sentence));
                }
                Err(failure) => {
                    session.notice(&failure);
                    // Somebody else was faster: the list says so.
                    if !matches!(failure, Failure::NotFound(_)) {
                        problem.try_set(Some(format!("{} {}", failure.sentence(), failure.next_step())));
                    }
                }
            }
            all.ask().await;
            is_busy.try_set(false);
        });
    };
    let deny = decide.clone();
    view! {
        <section class="card own-words waiting-box" aria-label=waiting.name.clone()>
            <div class="card-head">
                <h2>{waiting.name.clone()}</h2>
                <span class="label">"its own words"</span>
            </div>
            <dl class="facts">
                {own_words(&facts).into_iter().map(|(title, text)| view! { <div class="fact"><dt>{title}</dt><dd>{text}</dd></div> }).collect_view()}
                <div class="fact"><dt>"Key"</dt><dd class="mono">{waiting.key_fingerprint.clone()}</dd></div>
                <div class="fact"><dt>"Came from"</dt><dd>{waiting.source_address.clone()}<span class="quiet">" (seen by the server)"</span></dd></div>
                <div class="fact"><dt>"Join token"</dt><dd>{waiting.join_token_description.clone()}</dd></div>
                <div class="fact"><dt>"Asked"</dt><dd><Ago at_ms=waiting.asked_at_ms/></dd></div>
            </dl>
            <p class="field-problem" role="alert">{problem}</p>
            <div class="actions">
                <button class="button primary" type="button" disabled=flag(move || is_busy.get()) on:click=move |_| decide(true)>"Approve this box"</button>
                <button class="button danger" type="button" disabled=flag(move || is_busy.get()) on:click=move |_| deny(false)>"Deny"</button>
            </div>
        </section>
    }
}
