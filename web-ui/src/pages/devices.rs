//! The list of boxes, live.

mod filter_bar;
mod pager;
pub(crate) mod row;

use crate::browser::set_title;
use crate::components::icon::{Icon, IconView};
use crate::components::moving::{background, effect, flag, memo, piece};
use crate::components::notice::FailureNotice;
use crate::components::state_mark::StateMark;
use crate::live::{Followed, Live, Shown};
use crate::model::access::adds_boxes;
use crate::model::answer::{Answer, of_fleet};
use crate::model::failure::Failure;
use crate::model::filter::{Filter, is_selection};
use crate::model::mark::Tone;
use crate::model::rows::draw_some;
use crate::navigation::Navigation;
use crate::session::Session;
use filter_bar::FilterBar;
use gloo_timers::future::TimeoutFuture;
use kaliun_proto::fleet::v1::subscription::What;
use leptos::prelude::*;
use pager::Pager;
use row::{DeviceRow, SkeletonRows};

/// Rows drawn at once: what a screen shows. Those below its edge must not keep anybody waiting.
const ROWS_AT_ONCE: usize = 16;
/// What passes before more rows are drawn, milliseconds: a frame, so that the first ones are seen meanwhile.
const NEXT_ROWS_MS: u32 = 16;

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
    let list = follow_list(live, filter, pages);

    let problem = memo(move || list.get().and_then(|list| list.shown.problem.get()));
    let is_complete = memo(move || list.get().is_some_and(|list| list.shown.is_complete.get()));
    let rows = memo(move || list.get().map(|list| list.shown.rows.get()).unwrap_or_default());
    let next_page_token = memo(move || list.get().map(|list| list.shown.next_page_token.get()).unwrap_or_default());
    let answer = memo(move || {
        let list = list.get()?;
        list.shown.summary.get().map(|summary| of_fleet(&summary, list.is_selection))
    });
    let is_fleet_empty = memo(move || {
        is_complete.get() && !filter.with(Filter::narrows) && rows.with(Vec::is_empty) && pages.with(Vec::is_empty)
    });
    let drawn = draw_in_steps(rows);
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
                view! { <SkeletonRows count=6/> }.into_any()
            } else if is_fleet_empty.get() {
                view! { <NoBoxes/> }.into_any()
            } else if rows.with(Vec::is_empty) {
                view! { <NothingMatches/> }.into_any()
            } else {
                view! {
                    <ul class="rows" aria-label="Boxes">
                        <For each=move || drawn.get() key=String::clone let:id>
                            <DeviceRow device=live.device(&id)/>
                        </For>
                    </ul>
                }.into_any()
            }
        })}
        <Pager pages next_page_token/>
    }
}

/// The list on the screen.
#[derive(Clone)]
struct List {
    shown: Shown,
    /// Whether it leaves boxes out.
    is_selection: bool,
}

/// Follows the list that filter and page ask for. While a new one is on its way the old one stays on the screen.
fn follow_list(live: Live, filter: Memo<Filter>, pages: RwSignal<Vec<String>>) -> RwSignal<Option<List>> {
    let on_screen = RwSignal::new(None::<List>);
    let asked = memo(move || {
        let page_token = pages.with(|pages| pages.last().cloned().unwrap_or_default());
        filter.with(|filter| filter.subscription(&page_token))
    });
    let coming = RwSignal::new(None::<List>);
    Effect::new(move |before: Option<Option<Followed>>| {
        // Not well formed: the field says so, and the list stays as it was. Where there was none, nothing is searched for.
        let unsearched = || Filter { text: String::new(), ..filter.get_untracked() }.subscription("");
        let Some(list) = asked.get().or_else(|| before.is_none().then(unsearched).flatten()) else {
            return before.flatten();
        };
        let is_selection = is_selection(&list);
        let followed = live.follow(What::DeviceList(list));
        coming.set(Some(List { shown: followed.shown.clone(), is_selection }));
        Some(followed)
    });
    effect(move || {
        if let Some(next) = coming.get()
            && (next.shown.is_complete.get()
                || next.shown.problem.with(Option::is_some)
                || on_screen.with_untracked(Option::is_none))
        {
            on_screen.set(Some(next));
        }
    });
    on_screen
}

/// The rows that are drawn. The first list comes some rows at a time, so that nobody waits for those below the screen's edge; one
/// that takes its place comes whole, so that what stands below does not jump.
fn draw_in_steps(rows: Memo<Vec<String>>) -> RwSignal<Vec<String>> {
    let drawn = RwSignal::new(Vec::new());
    let turn = RwSignal::new(0_u32);
    let steps = StoredValue::new(Steps::NotBegun);
    effect(move || {
        turn.track();
        let at_once = if steps.get_value() == Steps::Over { usize::MAX } else { ROWS_AT_ONCE };
        let (next, is_all) = rows.with(|rows| drawn.with_untracked(|drawn| draw_some(drawn, rows, at_once)));
        let is_empty = next.is_empty();
        drawn.set(next);
        let waits = steps.get_value() == Steps::Waiting;
        match (is_all, is_empty) {
            (true, true) => {}
            (true, false) => steps.set_value(Steps::Over),
            // A step is on its way already; the list only changed meanwhile.
            (false, _) if waits => {}
            (false, _) => {
                steps.set_value(Steps::Waiting);
                background(async move {
                    TimeoutFuture::new(NEXT_ROWS_MS).await;
                    // The page may be gone by now.
                    let _gone = steps.try_set_value(Steps::Begun);
                    let _gone = turn.try_update(|turn| *turn = turn.wrapping_add(1));
                });
            }
        }
    });
    drawn
}

/// How far the first list is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Steps {
    NotBegun,
    /// More rows come in a moment.
    Waiting,
    Begun,
    Over,
}

#[component]
fn AnswerHead(answer: Memo<Option<Answer>>) -> impl IntoView {
    let tone = Signal::derive(move || answer.with(|answer| answer.as_ref().map_or(Tone::Absent, |answer| answer.tone)));
    view! {
        <header class="answer answer-of-fleet">
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
    if !expect_context::<Session>().identity().with_untracked(adds_boxes) {
        return view! {
            <section class="empty">
                <h2>"Nobody has added a box."</h2>
                <p>"Those that an operator adds stand here at once."</p>
            </section>
        }
        .into_any();
    }
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
    .into_any()
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
