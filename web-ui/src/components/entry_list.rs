//! Lists of rows, page after page, with what can be done with each.

use crate::components::icon::{Icon, IconView};
use crate::components::moving::{Views, background, flag, memo, piece, pressed};
use crate::components::notice::FailureNotice;
use crate::components::time::Until;
use crate::model::entry::Entry;
use crate::model::failure::Failure;
use crate::model::field::about;
use crate::session::Session;
use leptos::prelude::*;
use std::pin::Pin;
use std::sync::Arc;

/// A page of a list: its rows, and where the next page begins.
type Page = Result<(Vec<Entry>, String), Failure>;
/// Asks for the page that begins at a token.
type Ask = Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = Page>>> + Send + Sync>;
/// What stands at the end of a row.
pub(crate) type Actions = Arc<dyn Fn(&Entry) -> AnyView + Send + Sync>;

/// A list that is asked for page by page. A handle: copies are the same thing.
#[derive(Clone, Copy)]
pub(crate) struct Entries {
    ask: StoredValue<Ask>,
    /// None until the first answer.
    known: RwSignal<Option<Vec<Entry>>>,
    next_page_token: RwSignal<String>,
    failure: RwSignal<Option<Failure>>,
    is_asking: RwSignal<bool>,
    /// What came of the last thing that was done with a row.
    done: RwSignal<Option<String>>,
    problem: RwSignal<Option<String>>,
    session: Session,
}

impl Entries {
    /// Asks for the first page.
    pub(crate) fn start<F>(ask: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Page> + 'static,
    {
        let ask: Ask = Arc::new(move |token| Box::pin(ask(token)));
        Self::start_boxed(ask)
    }

    fn start_boxed(ask: Ask) -> Self {
        let entries = Self {
            ask: StoredValue::new(ask),
            known: RwSignal::new(None),
            next_page_token: RwSignal::new(String::new()),
            failure: RwSignal::new(None),
            is_asking: RwSignal::new(false),
            done: RwSignal::new(None),
            problem: RwSignal::new(None),
            session: expect_context::<Session>(),
        };
        entries.refresh();
        entries
    }

    /// What is known of it; nothing before the first answer.
    pub(crate) fn known(self) -> RwSignal<Option<Vec<Entry>>> {
        self.known
    }

    /// Whether there is more of it than is known.
    pub(crate) fn has_more(self) -> bool {
        !self.next_page_token.with(String::is_empty)
    }

    /// Asks for it from its beginning; what is known stays on the screen meanwhile.
    pub(crate) fn refresh(self) {
        self.go_on(String::new());
    }

    /// Says that something is done.
    pub(crate) fn say(self, sentence: String) {
        self.done.try_set(Some(sentence));
    }

    /// Does something with a row, says what came of it, and asks for the list anew.
    pub(crate) fn act(self, call: impl Future<Output = Result<String, Failure>> + 'static) {
        self.act_boxed(Box::pin(call));
    }

    fn act_boxed(self, call: Pin<Box<dyn Future<Output = Result<String, Failure>>>>) {
        self.is_asking.set(true);
        self.done.set(None);
        self.problem.set(None);
        background(async move {
            match call.await {
                Ok(sentence) => self.say(sentence),
                Err(failure) => {
                    self.session.notice(&failure);
                    self.problem.try_set(Some(about(&failure, &["role"]).1));
                }
            }
            if self.is_asking.try_get_untracked().is_some() {
                self.refresh();
            }
        });
    }

    fn go_on(self, token: String) {
        self.is_asking.set(true);
        let follows = !token.is_empty();
        let answer = self.ask.with_value(|ask| ask(token));
        background(async move {
            match answer.await {
                Ok((rows, next)) => {
                    self.failure.try_set(None);
                    self.next_page_token.try_set(next);
                    self.known.try_update(|known| {
                        let mut all = known.take().filter(|_| follows).unwrap_or_default();
                        all.extend(rows);
                        *known = Some(all);
                    });
                }
                Err(failure) => {
                    self.session.notice(&failure);
                    self.failure.try_set(Some(failure));
                }
            }
            self.is_asking.try_set(false);
        });
    }
}

/// The list. `label` is for who does not see it, `empty` what is said when there is nothing.
#[component]
pub(crate) fn EntryList(
    entries: Entries,
    label: &'static str,
    empty: &'static str,
    #[prop(optional)] actions: Option<Actions>,
) -> impl IntoView {
    let has_more = memo(move || entries.has_more() && entries.failure.with(Option::is_none));
    let more = move || entries.go_on(entries.next_page_token.get_untracked());
    view! {
        <p class="entry-done" role="status">{entries.done}</p>
        <p class="field-problem entry-problem" role="alert">{entries.problem}</p>
        {piece(move || entries.known.with(|known| match known {
            Some(rows) if rows.is_empty() => view! { <p class="quiet entry-empty">{empty}</p> }.into_any(),
            Some(rows) => {
                let rows = rows.iter().map(|row| entry_row(row, actions.as_ref())).views();
                view! { <ul class="entries" aria-label=label>{rows}</ul> }.into_any()
            }
            None if entries.failure.with(Option::is_some) => ().into_any(),
            None => view! {
                <div class="entries" aria-busy="true" aria-label="Loading">
                    <p class="entry"><span class="skeleton skeleton-line"></span></p>
                    <p class="entry"><span class="skeleton skeleton-line"></span></p>
                </div>
            }.into_any(),
        }))}
        {piece(move || entries.failure.get().map(|failure| view! {
            <FailureNotice failure>
                <button class="button" type="button" disabled=flag(move || entries.is_asking.get()) on:click=pressed(move || entries.refresh())>"Try again"</button>
            </FailureNotice>
        }))}
        <button class="button wide card-part" type="button" class:is-hidden=flag(move || !has_more.get()) disabled=flag(move || entries.is_asking.get()) on:click=pressed(more)>
            "Show more"
        </button>
    }
}

fn entry_row(entry: &Entry, actions: Option<&Actions>) -> AnyView {
    let title = if entry.href.is_empty() {
        view! { <span class="entry-title">{entry.title.clone()}</span> }.into_any()
    } else {
        view! { <a class="entry-title" href=entry.href.clone()>{entry.title.clone()}<IconView icon=Icon::Next/></a> }
            .into_any()
    };
    let label = (!entry.label.is_empty()).then(|| view! { <span class="label">{entry.label.clone()}</span> });
    let text = (!entry.text.is_empty()).then(|| view! { <span class="entry-text">{entry.text.clone()}</span> });
    let moments = (!entry.moments.is_empty()).then(|| {
        let each = |moment: &crate::model::entry::Moment| {
            view! { <span>{moment.words}" "<Until at_ms=moment.at_ms/></span> }
        };
        view! { <span class="entry-moments">{entry.moments.iter().map(each).views()}</span> }
    });
    let actions = actions.map(|actions| view! { <span class="entry-actions">{actions(entry)}</span> });
    let class = if entry.is_over { "entry is-over" } else { "entry" };
    view! {
        <li class=class data-entry=entry.title.clone()>
            <span class="entry-words"><span class="entry-head">{title}{label}</span>{text}{moments}</span>
            {actions}
        </li>
    }
    .into_any()
}
