//! What the box proves itself with: its key, its certificate, and those it had before.

use super::DeviceSignal;
use crate::api::certificate::certificates;
use crate::clock::Clock;
use crate::components::commanded::Commanded;
use crate::components::moving::{Views, background, effect, flag, memo, piece, pressed, words};
use crate::components::notice::FailureNotice;
use crate::components::state_mark::StateMark;
use crate::components::time::{Ago, Until};
use crate::model::failure::Failure;
use crate::model::identity::{cause, mark, next_step, returns_until_ms};
use crate::model::mark::{Mark, Tone};
use crate::model::standing::Standing;
use crate::session::Session;
use kaliun_proto::fleet::v1::{DeviceCertificate, ListDeviceCertificatesResponse};
use leptos::prelude::*;

/// The certificates that were asked for so far.
#[derive(Clone, Copy)]
struct Known {
    /// None until the first answer.
    list: RwSignal<Option<Vec<DeviceCertificate>>>,
    /// Where the older ones begin; empty when there are none.
    older: RwSignal<String>,
    failure: RwSignal<Option<Failure>>,
    is_asking: RwSignal<bool>,
    session: Session,
}

impl Known {
    /// Asks for the newest ones, or with a page token for those that follow.
    fn ask(self, id: String, page_token: String) {
        self.is_asking.set(true);
        background(async move {
            let follows = !page_token.is_empty();
            match certificates(id, page_token).await {
                Ok(page) => self.take(page, follows),
                Err(problem) => {
                    self.session.notice(&problem);
                    self.failure.try_set(Some(problem));
                }
            }
            self.is_asking.try_set(false);
        });
    }

    fn take(self, page: ListDeviceCertificatesResponse, follows: bool) {
        self.failure.try_set(None);
        self.older.try_set(page.next_page_token);
        self.list.try_update(|list| {
            let mut known = list.take().filter(|_| follows).unwrap_or_default();
            known.extend(page.certificates);
            *list = Some(known);
        });
    }
}

/// The key's fingerprint, the certificate's life, and the history. The history is asked for again when the certificate changes.
#[component]
pub(crate) fn Identity(device: DeviceSignal, id: String) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let known = Known {
        list: RwSignal::new(None),
        older: RwSignal::new(String::new()),
        failure: RwSignal::new(None),
        is_asking: RwSignal::new(false),
        session: expect_context::<Session>(),
    };
    let expires_at =
        memo(move || device.with(|device| device.as_deref().map_or(0, |device| device.certificate_expires_at_ms)));
    let fingerprint = memo(move || {
        device.with(|device| device.as_deref().map(|device| device.key_fingerprint.clone()).unwrap_or_default())
    });
    let state = memo(move || {
        let now_ms = clock.server.get();
        device.with(|device| {
            device.as_deref().map_or(Mark { tone: Tone::Unknown, word: "Unknown" }, |device| mark(device, now_ms))
        })
    });
    let returns_until = memo(move || {
        let now_ms = clock.server.get();
        device.with(|device| device.as_deref().and_then(|device| returns_until_ms(device, now_ms)))
    });
    let what_next = memo(move || {
        let now_ms = clock.server.get();
        device.with(|device| device.as_deref().map_or("", |device| next_step(device, now_ms)))
    });
    let ended = memo(move || {
        device.with(|device| {
            let standing = device.as_deref().map_or(Standing::InService, Standing::of);
            standing.ended_at_ms().zip(standing.mark()).map(|(at_ms, mark)| (mark.word, at_ms))
        })
    });
    let newest = memo(move || known.list.with(|list| list.as_ref().and_then(|list| list.first().copied())));
    let has_some = memo(move || known.list.with(|list| list.as_ref().is_none_or(|list| !list.is_empty())));
    {
        let id = id.clone();
        effect(move || {
            expires_at.track();
            known.ask(id.clone(), String::new());
        });
    }
    view! {
        <section class="card" aria-labelledby="identity-title">
            <h2 id="identity-title">"Identity"</h2>
            <dl class="facts">
                <div class="fact">
                    <dt>"Certificate"</dt>
                    <dd class="with-mark"><StateMark tone=Signal::derive(move || state.get().tone) class="mark-small"/>{words(move || state.get().word)}</dd>
                </div>
                {piece(move || match ended.get() {
                    Some((title, at_ms)) => view! { <div class="fact"><dt>{title}</dt><dd><Ago at_ms/></dd></div> }.into_any(),
                    None => view! { <div class="fact"><dt>"Runs out"</dt><dd><Until at_ms=expires_at/></dd></div> }.into_any(),
                })}
                {piece(move || Some(what_next.get()).filter(|step| !step.is_empty()).map(|step| view! {
                    <div class="fact"><dt>"What to do"</dt><dd><Commanded text=step/></dd></div>
                }))}
                {piece(move || returns_until.get().map(|at_ms| view! {
                    <div class="fact"><dt>"Comes back"</dt><dd>"by itself when it is switched on; its time for that ends "<Until at_ms/></dd></div>
                }))}
                // There before they are known, so that nothing moves then.
                {piece(move || has_some.get().then(|| view! {
                    <div class="fact"><dt>"Issued"</dt><dd>{piece(move || match newest.get() {
                        Some(newest) => view! { <Ago at_ms=newest.issued_at_ms/> }.into_any(),
                        None => "–".into_any(),
                    })}</dd></div>
                    <div class="fact"><dt>"Authority"</dt><dd>{words(move || newest.get().map_or_else(|| "–".to_owned(), |newest| newest.authority.to_string()))}</dd></div>
                }))}
                <div class="fact"><dt>"Key"</dt><dd class="mono">{fingerprint}</dd></div>
            </dl>
            <h3 class="card-part" id="certificates-title">"Certificates so far"</h3>
            <Certificates known id/>
        </section>
    }
}

/// The history, newest first.
#[component]
fn Certificates(known: Known, id: String) -> impl IntoView {
    let has_older = memo(move || !known.older.with(String::is_empty));
    let again = StoredValue::new(id.clone());
    let older = move || known.ask(id.clone(), known.older.get_untracked());
    // What failed was the first page, or the one after those that are known.
    let ask_again = move || known.ask(again.get_value(), known.older.get_untracked());
    view! {
        {piece(move || match known.list.get() {
            Some(list) if list.is_empty() => view! { <p class="quiet">"None was noted: this box was enrolled before that was done."</p> }.into_any(),
            Some(list) => view! {
                <ol class="events" aria-labelledby="certificates-title">
                    {list.into_iter().map(|certificate| view! {
                        <li class="event">
                            <span class="event-text">{cause(&certificate)}<span class="quiet">{format!(" · authority {}", certificate.authority)}</span></span>
                            <span class="quiet event-time"><Ago at_ms=certificate.issued_at_ms/></span>
                        </li>
                    }).views()}
                </ol>
            }.into_any(),
            None if known.failure.with(Option::is_some) => ().into_any(),
            None => view! { <p class="skeleton skeleton-line" aria-label="Loading"></p> }.into_any(),
        })}
        {piece(move || known.failure.get().map(|failure| view! {
            <FailureNotice failure>
                <button class="button" type="button" disabled=flag(move || known.is_asking.get()) on:click=pressed(ask_again)>"Try again"</button>
            </FailureNotice>
        }))}
        <button class="button wide card-part" type="button" class:is-hidden=flag(move || !has_older.get() || known.failure.with(Option::is_some)) disabled=flag(move || known.is_asking.get()) on:click=pressed(older)>
            "Show older ones"
        </button>
    }
}
