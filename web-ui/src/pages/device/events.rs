//! What happened to the box lately.

use super::DeviceSignal;
use crate::api::history::events;
use crate::components::moving::{Views, background, effect, memo, piece, pressed};
use crate::components::notice::FailureNotice;
use crate::components::time::Ago;
use crate::model::device::{is_online, mark, words_of_code};
use crate::model::failure::Failure;
use crate::session::Session;
use kaliun_proto::fleet::v1::Event;
use leptos::prelude::*;

/// The newest events; asked for again when the box's link or verdict changes.
#[component]
pub(crate) fn Events(device: DeviceSignal, id: String) -> impl IntoView {
    let session = expect_context::<Session>();
    let list = RwSignal::new(None::<Vec<Event>>);
    let failure = RwSignal::new(None::<Failure>);
    let changes =
        memo(move || device.with(|device| device.as_deref().map(|device| (is_online(device), mark(device).word))));
    let asked_again = RwSignal::new(());
    effect(move || {
        changes.track();
        asked_again.track();
        let id = id.clone();
        background(async move {
            match events(id).await {
                Ok(events) => {
                    list.try_set(Some(events));
                    failure.try_set(None);
                }
                Err(problem) => {
                    session.notice(&problem);
                    failure.try_set(Some(problem));
                }
            }
        });
    });
    view! {
        <section class="card" aria-labelledby="events-title">
            <h2 id="events-title">"Recent events"</h2>
            {piece(move || match list.get() {
                Some(events) if events.is_empty() => view! { <p class="quiet">"Nothing has happened yet."</p> }.into_any(),
                Some(events) => view! {
                    <ol class="events">
                        {events.into_iter().map(|event| {
                            let text = if event.message.is_empty() { words_of_code(&event.code) } else { event.message };
                            view! {
                                <li class="event">
                                    <span class="event-text">{text}</span>
                                    <span class="quiet event-time"><Ago at_ms=event.happened_at_ms/></span>
                                </li>
                            }
                        }).views()}
                    </ol>
                }.into_any(),
                None if failure.with(Option::is_some) => ().into_any(),
                None => view! { <p class="skeleton skeleton-line" aria-label="Loading"></p> }.into_any(),
            })}
            {piece(move || failure.get().map(|failure| view! {
                <FailureNotice failure><button class="button" type="button" on:click=pressed(move || asked_again.set(()))>"Try again"</button></FailureNotice>
            }))}
        </section>
    }
}
