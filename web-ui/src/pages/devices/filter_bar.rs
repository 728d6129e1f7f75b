//! What the list is narrowed to and how it is ordered.

use crate::components::icon::{Icon, IconView};
use crate::components::moving::{Views, entered, flag, memo, submitted, words};
use crate::model::filter::{Filter, Search, search};
use crate::navigation::{History, Navigation};
use gloo_timers::callback::Timeout;
use kaliun_proto::fleet::v1::{DeviceOrder, LinkState};
use leptos::prelude::*;
use web_sys::UrlSearchParams;

/// Pause in typing after which the list follows, milliseconds.
const TYPING_PAUSE_MS: u32 = 180;

/// Search field, state and order. Each change goes into the address.
#[component]
pub(crate) fn FilterBar(filter: Memo<Filter>) -> impl IntoView {
    let typed = RwSignal::new(filter.get_untracked().text);
    let pause = StoredValue::new_local(None::<Timeout>);
    let navigation = expect_context::<Navigation>();
    let go = move |filter: Filter| navigation.go(&address(&filter), History::Replace);
    // Going back in the history, or "show all", changes the field too.
    Effect::watch(
        move || filter.with(|filter| filter.text.clone()),
        move |text, _, _| {
            if typed.with_untracked(|typed| typed.trim() != text.trim()) {
                typed.set(text.clone());
            }
        },
        false,
    );
    let on_input = move |text| {
        typed.set(text);
        let later = Timeout::new(TYPING_PAUSE_MS, move || {
            let text = typed.get_untracked();
            go(Filter { text, ..filter.get_untracked() });
        });
        pause.set_value(Some(later));
    };
    let hint = memo(move || match typed.with(|typed| search(typed)) {
        Search::All => (false, String::new()),
        Search::Name(name) => (false, format!("Name contains “{name}”.")),
        Search::Labels(_) => (false, "By labels.".to_owned()),
        Search::Invalid(problem) => (true, problem),
    });
    let states = [(LinkState::Unspecified, "All"), (LinkState::Online, "Connected"), (LinkState::Offline, "Offline")];
    let orders = [
        (DeviceOrder::Health, "Worst first"),
        (DeviceOrder::Name, "Name"),
        (DeviceOrder::LinkSince, "Latest change"),
        (DeviceOrder::Enrolled, "Newest box"),
    ];
    view! {
        <form class="filters" role="search" on:submit=submitted(|| {})>
            <div class="search">
                <label class="visually-hidden" for="search">"Search by name or labels"</label>
                <IconView icon=Icon::Search/>
                <input
                    id="search"
                    type="search"
                    placeholder="Name, or labels as site=graz"
                    autocapitalize="none"
                    autocomplete="off"
                    spellcheck="false"
                    maxlength="512"
                    aria-describedby="search-hint"
                    aria-invalid=words(move || hint.with(|(is_problem, _)| is_problem.to_string()))
                    prop:value=words(move || typed.get())
                    on:input=entered(on_input)
                />
            </div>
            <fieldset class="segments">
                <legend class="visually-hidden">"State of the link"</legend>
                {states.into_iter().map(|(state, label)| view! {
                    <label class="segment">
                        <input
                            type="radio"
                            name="state"
                            prop:checked=flag(move || filter.with(|filter| filter.link_state == state))
                            on:change=entered(move |_| go(Filter { link_state: state, ..filter.get_untracked() }))
                        />
                        <span>{label}</span>
                    </label>
                }).views()}
            </fieldset>
            <div class="select">
                <label class="visually-hidden" for="order">"Order"</label>
                <select
                    id="order"
                    prop:value=words(move || filter.with(|filter| Filter::order_word(filter.order)))
                    on:change=entered(move |word| {
                        go(Filter { order: Filter::order_from(&word), ..filter.get_untracked() });
                    })
                >
                    {orders.into_iter().map(|(order, label)| view! {
                        <option value=Filter::order_word(order) selected=flag(move || filter.with(|filter| filter.order == order))>{label}</option>
                    }).views()}
                </select>
                <IconView icon=Icon::Down/>
            </div>
            <p id="search-hint" class="search-hint" class:is-problem=flag(move || hint.with(|(is_problem, _)| *is_problem)) aria-live="polite">
                {words(move || hint.with(|(_, text)| text.clone()))}
            </p>
        </form>
    }
}

/// The page's address with a filter in it.
fn address(filter: &Filter) -> String {
    let words = [
        ("q", filter.text.trim()),
        ("state", Filter::link_state_word(filter.link_state)),
        ("sort", Filter::order_word(filter.order)),
    ];
    // It fails for no empty query.
    let Ok(query) = UrlSearchParams::new() else { return "/".to_owned() };
    for (key, word) in words.into_iter().filter(|(_, word)| !word.is_empty()) {
        query.append(key, word);
    }
    let query = String::from(query.to_string());
    if query.is_empty() { "/".to_owned() } else { format!("/?{query}") }
}
