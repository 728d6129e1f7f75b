//! The last hour as a chart, which goes on with each sample that comes.

use super::DeviceSignal;
use crate::api::history::last_hour;
use crate::clock::Clock;
use crate::components::chart::ChartView;
use crate::components::moving::{Views, background, effect, entered, flag, memo, piece};
use crate::components::notice::FailureNotice;
use crate::model::device::sampled_at_ms;
use crate::model::failure::Failure;
use crate::model::series::{Spot, Topic, newest, push, spots};
use crate::session::Session;
use gloo_timers::callback::Interval;
use kaliun_proto::fleet::v1::{Device, Series};
use leptos::prelude::*;
use std::sync::Arc;

/// The server is asked again this often, for samples that a box brought late; those that come live are added at once.
const ASK_AGAIN_MS: u32 = 60_000;
/// Live samples kept between two questions: one each second for a minute is more than any box sends.
const LIVE_MAX: usize = 64;

/// The chart with the choice of what it shows.
#[component]
pub(crate) fn History(device: DeviceSignal, id: String) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let topic = RwSignal::new(Topic::Processor);
    let series = RwSignal::new(None::<Vec<Series>>);
    let failure = RwSignal::new(None::<Failure>);
    let live = RwSignal::new(Vec::<Arc<Device>>::new());
    ask_again_and_again(id, series, failure, live);
    effect(move || {
        if let Some(device) = device.get() {
            live.update(|live| {
                if live.last().is_none_or(|last| sampled_at_ms(last) < sampled_at_ms(&device)) {
                    live.push(device);
                    if live.len() > LIVE_MAX {
                        live.remove(0);
                    }
                }
            });
        }
    });
    let shown = memo(move || {
        let topic = topic.get();
        let mut shown: Vec<Spot> =
            series.with(|series| series.as_deref().map(|series| spots(topic, series)).unwrap_or_default());
        live.with(|live| {
            for device in live {
                if let Some(value) = newest(topic, device) {
                    push(&mut shown, sampled_at_ms(device), value);
                }
            }
        });
        shown
    });
    view! {
        <section class="card" aria-labelledby="history-title">
            <div class="card-head card-head-wrap">
                <h2 id="history-title">"Last hour"</h2>
                <fieldset class="segments">
                    <legend class="visually-hidden">"What the chart shows"</legend>
                    {Topic::ALL.into_iter().map(|choice| view! {
                        <label class="segment">
                            <input type="radio" name="topic" aria-label=choice.title() prop:checked=flag(move || topic.get() == choice) on:change=entered(move |_| topic.set(choice))/>
                            <span aria-hidden="true">{choice.short_title()}</span>
                        </label>
                    }).views()}
                </fieldset>
            </div>
            <div class="chart-room">
                {piece(move || if series.with(Option::is_none) && failure.with(Option::is_none) {
                    view! { <div class="chart-wait" aria-busy="true"></div> }.into_any()
                } else {
                    view! { <ChartView topic=topic.into() spots=shown now_ms=clock.server/> }.into_any()
                })}
            </div>
            {piece(move || failure.get().map(|failure| view! { <FailureNotice failure is_retried=true/> }))}
        </section>
    }
}

fn ask_again_and_again(
    id: String,
    series: RwSignal<Option<Vec<Series>>>,
    failure: RwSignal<Option<Failure>>,
    live: RwSignal<Vec<Arc<Device>>>,
) {
    let clock = expect_context::<Clock>();
    let session = expect_context::<Session>();
    let ask = move || {
        let id = id.clone();
        background(async move {
            // The page may be left while the answer is on its way; then there is nothing to set.
            let Some(now_ms) = clock.server.try_get_untracked() else { return };
            match last_hour(id, now_ms).await {
                Ok(answer) => {
                    // What the server told does not have to be remembered here; the newest may be fresher than the answer.
                    let newest_at =
                        answer.iter().flat_map(|series| series.points.last()).map(|point| point.at_ms).max();
                    live.try_update(|live| {
                        live.retain(|device| {
                            newest_at.is_none_or(|at| sampled_at_ms(device) > at + crate::model::series::STEP_MS)
                        })
                    });
                    series.try_set(Some(answer));
                    failure.try_set(None);
                }
                Err(problem) => {
                    session.notice(&problem);
                    failure.try_set(Some(problem));
                }
            }
        });
    };
    ask();
    let interval = StoredValue::new_local(Some(Interval::new(ASK_AGAIN_MS, ask)));
    on_cleanup(move || interval.set_value(None));
}
