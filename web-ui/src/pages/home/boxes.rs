//! The boxes that serve a home, live, and the first line that they make.

use crate::components::icon::{Icon, IconView};
use crate::components::moving::{memo, piece};
use crate::components::state_mark::StateMark;
use crate::live::Live;
use crate::model::access::adds_boxes;
use crate::model::home::answer;
use crate::model::mark::Tone;
use crate::pages::devices::row::{DeviceRow, SkeletonRows};
use crate::session::Session;
use kaliun_proto::fleet::v1::DeviceListSubscription;
use kaliun_proto::fleet::v1::subscription::What;
use leptos::prelude::*;

/// Boxes looked through for those of the home: the largest page. Whoever has to do with single homes sees no others.
const LOOKED_THROUGH: u32 = 500;

/// The answer and the rows.
#[component]
pub(super) fn Boxes(id: String, name: Memo<String>) -> impl IntoView {
    let live = expect_context::<Live>();
    let adds = expect_context::<Session>().identity().with_untracked(adds_boxes);
    let list = DeviceListSubscription { page_size: LOOKED_THROUGH, ..DeviceListSubscription::default() };
    let followed = live.follow(What::DeviceList(list));
    let shown = StoredValue::new(followed.shown.clone());
    let followed = StoredValue::new_local(Some(followed));
    on_cleanup(move || followed.set_value(None));
    let is_complete = memo(move || shown.with_value(|shown| shown.is_complete.get()));
    let has_more = memo(move || shown.with_value(|shown| shown.next_page_token.with(|token| !token.is_empty())));
    let here = memo(move || {
        let serves = |device: &String| {
            live.device(device).with(|device| device.as_deref().is_some_and(|device| device.installation_id == id))
        };
        shown.with_value(|shown| shown.rows.get()).into_iter().filter(serves).collect::<Vec<_>>()
    });
    let first_line = memo(move || {
        let cells: Vec<_> = here.with(|here| here.iter().filter_map(|id| live.device(id).get()).collect());
        is_complete.get().then(|| answer(&name.get(), cells.iter().map(|device| &**device)))
    });
    let tone = Signal::derive(move || first_line.with(|line| line.as_ref().map_or(Tone::Absent, |line| line.tone)));
    view! {
        <header class="answer">
            <h1 class="answer-line" aria-live="polite">
                {piece(move || match first_line.get() {
                    Some(line) => view! { <StateMark tone class="mark-large"/><span id="answer">{line.sentence}</span> }.into_any(),
                    None => view! { <span>{name}</span> }.into_any(),
                })}
            </h1>
            <p class="answer-detail">{piece(move || first_line.with(|line| line.as_ref().map(|line| line.detail.clone())))}</p>
        </header>
        {piece(move || {
            if !is_complete.get() {
                view! { <SkeletonRows count=1/> }.into_any()
            } else if here.with(Vec::is_empty) {
                ().into_any()
            } else {
                view! {
                    <ul class="rows" aria-label="Boxes of this home">
                        <For each=move || here.get() key=String::clone let:id><DeviceRow device=live.device(&id)/></For>
                    </ul>
                }.into_any()
            }
        })}
        {piece(move || has_more.get().then(|| view! {
            <p class="quiet">"The fleet has more boxes than are looked through here; those of this home further down are on the "<a href="/">"list of all boxes"</a>"."</p>
        }))}
        {adds.then(|| view! { <p class="after-rows"><a class="button" href="/claim"><IconView icon=Icon::Plus/>"Add a box"</a></p> })}
    }
}
