//! The list of boxes, live.

mod filter_bar;
mod pager;
mod row;

use crate::browser::set_title;
use crate::components::icon::{Icon, IconView};
use crate::components::moving::{effect, flag, memo, piece};
use crate::components::notice::FailureNotice;
use crate::components::state_mark::StateMark;
use crate::live::{Followed, Live, Shown};
use crate::model::answer::{Answer, of_fleet};
use crate::model::failure::Failure;
use crate::model::filter::Filter;
use crate::model::mark::Tone;
use crate::navigation::Navigation;
use filter_bar::FilterBar;
use kaliun_proto::fleet::v1::subscription::What;
use leptos::prelude::*;
use pager::Pager;
use row::{DeviceRow, SkeletonRows};

/// The list page. Filter and order stand in the address, so that they can be kept and shared.
#[component]
pub(crate) fn DevicesPage() -> impl IntoView {
    set_title("Boxes");
    let live = expect_context::<Live>();
    let navigation = expect_context::<Navigation>();
    let filter = memo(move || Filter {
        text: navigation.query_value("q"),
        link_state: Filter::link_state_from(&navigation.query_value("state")),
        order: Filter::order_from(&navigation.query_value("sort")),
    });
    // Tokens of the pages before this one, the newest last; the first page has none.
    let pages = RwSignal::new(Vec::<String>::new());
    Effect::watch(move || filter.get(), move |_, _, _| pages.set(Vec::new()), false);
    let shown = follow_list(live, filter, pages);

    let problem = memo(move || shown.get().and_then(|shown| shown.problem.get()));
    let is_complete = memo(move || shown.get().is_some_and(|shown| shown.is_complete.get()));
    let rows = memo(move || shown.get().map(|shown| shown.rows.get()).unwrap_or_default());
    let next_page_token = memo(move || shown.get().map(|shown| shown.next_page_token.get()).unwrap_or_default());
    let is_selected = move || filter.with(Filter::narrows);
    let summary = memo(move || shown.get().and_then(|shown| shown.summary.get()));
    let answer = memo(move || summary.get().map(|summary| of_fleet(&summary, is_selected())));
    let is_fleet_empty = memo(move || {
        is_complete.get() && !filter.with(Filter::narrows) && rows.with(Vec::is_empty) && pages.with(Vec::is_empty)
    });
    view! {
        <AnswerHead answer/>
        <div class:is-hidden=flag(move || is_fleet_empty.get())>
            <FilterBar filter/>
        </div>
        {piece(move || {
            if let Some(problem) = problem.get() {
                view! {
                    <FailureNotice failure=Failure::Refused(problem)><a class="button" href="/">"Show all boxes"</a></FailureNotice>
                }.into_any()
            } else if !is_complete.get() {
                view! { <SkeletonRows/> }.into_any()
            } else if is_fleet_empty.get() {
                view! { <NoBoxes/> }.into_any()
            } else if rows.with(Vec::is_empty) {
                view! { <NothingMatches/> }.into_any()
            } else {
                view! {
                    <ul class="rows" aria-label="Boxes">
                        <For each=move || rows.get() key=String::clone let:id>
                            <DeviceRow device=live.device(&id)/>
                        </For>
                    </ul>
                }.into_any()
            }
        })}
        <Pager pages next_page_token/>
    }
}

/// Follows the list that filter and page ask for. While a new one is on its way the old one stays on the screen.
fn follow_list(live: Live, filter: Memo<Filter>, pages: RwSignal<Vec<String>>) -> RwSignal<Option<Shown>> {
    let shown = RwSignal::new(None::<Shown>);
    let asked = memo(move || {
        let page_token = pages.with(|pages| pages.last().cloned().unwrap_or_default());
        filter.with(|filter| filter.subscription(&page_token))
    });
    let coming = RwSignal::new(None::<Shown>);
    Effect::new(move |before: Option<Option<Followed>>| {
        // Not well formed: the field says so, and the list stays as it was. Where there was none, nothing is searched for.
        let unsearched = || Filter { text: String::new(), ..filter.get_untracked() }.subscription("");
        let Some(list) = asked.get().or_else(|| before.is_none().then(unsearched).flatten()) else {
            return before.flatten();
        };
        let followed = live.follow(What::DeviceList(list));
        coming.set(Some(followed.shown.clone()));
        Some(followed)
    });
    effect(move || {
        if let Some(next) = coming.get()
            && (next.is_complete.get() || next.problem.with(Option::is_some) || shown.with_untracked(Option::is_none))
        {
            shown.set(Some(next));
        }
    });
    shown
}

#[component]
fn AnswerHead(answer: Memo<Option<Answer>>) -> impl IntoView {
    let tone = Signal::derive(move || answer.with(|answer| answer.as_ref().map_or(Tone::Absent, |answer| answer.tone)));
    view! {
        <header class="answer">
            <h1 class="answer-line" aria-live="polite">
                {piece(move || match answer.get() {
                    Some(answer) => view! { <StateMark tone class="mark-large"/><span id="answer">{answer.sentence}</span> }.into_any(),
                    None => view! { <span class="skeleton skeleton-title" aria-label="Loading"></span> }.into_any(),
                })}
            </h1>
            <p class="answer-detail">{piece(move || answer.with(|answer| answer.as_ref().map(|answer| answer.detail.clone())))}</p>
        </header>
    }
}

#[component]
fn NoBoxes() -> impl IntoView {
    view! {
        <section class="empty">
            <h2>"Add your first box"</h2>
            <ol class="steps">
                <li>"Start the box and connect it to the network."</li>
                <li>"Its screen shows a code of eight characters and a QR code."</li>
                <li>"Scan the QR code with your phone, or enter the code here."</li>
            </ol>
            <a class="button primary" href="/claim"><IconView icon=Icon::Plus/>"Enter a code"</a>
        </section>
    }
}

#[component]
fn NothingMatches() -> impl IntoView {
    view! {
        <section class="empty">
            <h2>"No box matches."</h2>
            <p>"Other boxes may be hidden by what you are looking for."</p>
            <a class="button" href="/">"Show all boxes"</a>
        </section>
    }
}
