//! A chart of an hour: line, band, gaps, axes, and a read-out under finger, pointer or arrow keys.

use crate::browser::{clock_text, timezone_offset_ms};
use crate::components::moving::{Views, effect, memo, piece, words};
use crate::model::chart::{Chart, draw, text};
use crate::model::series::{SPAN_MS, STEP_MS, Spot, Topic};
use leptos::ev;
use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::ResizeObserver;

/// Height of the drawing, pixels: reserved in the style sheet as well.
const HEIGHT: f64 = 220.0;
/// Width before the page was measured, pixels.
const WIDTH_UNKNOWN: f64 = 360.0;

/// The chart of one topic. `now_ms` is the server's time; the chart ends at the step after it.
#[component]
pub(crate) fn ChartView(
    topic: Signal<Topic>,
    #[prop(into)] spots: Signal<Vec<Spot>>,
    now_ms: Memo<i64>,
) -> impl IntoView {
    let place = NodeRef::<Div>::new();
    let width = measured_width(place);
    let end_ms = memo(move || now_ms.get() - now_ms.get().rem_euclid(STEP_MS) + STEP_MS);
    let chart = memo(move || {
        let end_ms = end_ms.get();
        spots.with(|spots| {
            draw(
                spots,
                topic.get().unit(),
                (width.get(), HEIGHT),
                (end_ms - SPAN_MS, end_ms),
                timezone_offset_ms(end_ms),
            )
        })
    });
    let chosen = RwSignal::new(None::<usize>);
    let read_out = memo(move || {
        let index = chosen.get()?;
        chart.with(|chart| chart.spots.get(index).copied())
    });
    let point = move |event: ev::PointerEvent| {
        if let Some(place) = place.get_untracked() {
            let x = f64::from(event.client_x()) - place.get_bounding_client_rect().left();
            chosen.set(chart.with_untracked(|chart| chart.nearest(x)));
        }
    };
    let step = move |event: ev::KeyboardEvent| {
        let last = chart.with_untracked(|chart| chart.spots.len().checked_sub(1));
        let Some(last) = last else { return };
        let now = chosen.get_untracked();
        let next = match event.key().as_str() {
            "ArrowLeft" => Some(now.map_or(last, |index| index.saturating_sub(1))),
            "ArrowRight" => Some(now.map_or(last, |index| (index + 1).min(last))),
            "Home" => Some(0),
            "End" => Some(last),
            "Escape" => None,
            _ => return,
        };
        event.prevent_default();
        chosen.set(next);
    };
    view! {
        <div class="chart">
            <p class="chart-read-out" aria-live="polite">
                {piece(move || match read_out.get() {
                    Some((_, _, spot)) => view! { <ReadOut spot topic/> }.into_any(),
                    None => view! { <span class="quiet">{words(move || topic.get().caption())}", last hour"</span> }.into_any(),
                })}
            </p>
            <div
                class="chart-place"
                node_ref=place
                tabindex="0"
                role="img"
                aria-label=words(move || chart.with(|chart| summary(topic.get(), chart)))
                on:pointermove=point
                on:pointerdown=point
                on:pointerleave=move |event: ev::PointerEvent| if event.pointer_type() == "mouse" { chosen.set(None) }
                on:blur=move |_| chosen.set(None)
                on:keydown=step
            >
                {piece(move || chart.with(drawing))}
                {piece(move || read_out.get().map(|(x, y, _)| {
                    let chart = chart.get_untracked();
                    view! {
                        <svg class="chart-cursor" viewBox=format!("0 0 {} {}", chart.width, chart.height) aria-hidden="true">
                            <path class="cursor-line" d=format!("M{x:.1} {:.1}V{:.1}", chart.frame.top, chart.frame.bottom)></path>
                            <circle class="cursor-point" cx=format!("{x:.1}") cy=format!("{y:.1}") r="4.5"></circle>
                        </svg>
                    }
                }))}
            </div>
        </div>
    }
}

#[component]
fn ReadOut(spot: Spot, topic: Signal<Topic>) -> impl IntoView {
    let unit = move || topic.get().unit();
    view! {
        <span class="chart-time">{clock_text(spot.at_ms)}</span>
        <strong>{words(move || text(unit(), spot.middle))}</strong>
        {(spot.count > 1).then(|| view! {
            <span class="quiet">{words(move || format!("{} to {}", text(unit(), spot.min), text(unit(), spot.max)))}</span>
        })}
    }
}

fn drawing(chart: &Chart) -> impl IntoView + use<> {
    let frame = chart.frame;
    let values = chart.values.iter().map(|(y, label)| {
        view! {
            <path class="grid" d=format!("M{:.1} {y:.1}H{:.1}", frame.left, frame.right)></path>
            <text class="axis" x=format!("{:.1}", frame.right + 6.0) y=format!("{:.1}", y + 4.0)>{label.clone()}</text>
        }
    });
    let times = chart.times.iter().map(|(x, at_ms)| {
        view! {
            <path class="tick" d=format!("M{x:.1} {:.1}v4", frame.bottom)></path>
            <text class="axis axis-time" x=format!("{:.1}", x.clamp(18.0, frame.right)) y=format!("{:.1}", frame.bottom + 18.0)>{clock_text(*at_ms)}</text>
        }
    });
    let gaps = chart.gaps.iter().map(|(x, width)| {
        view! {
            <rect class="gap" x=format!("{x:.1}") y=format!("{:.1}", frame.top) width=format!("{width:.1}") height=format!("{:.1}", frame.bottom - frame.top)></rect>
            {(*width > 52.0).then(|| view! { <text class="axis gap-word" x=format!("{:.1}", x + width / 2.0) y=format!("{:.1}", frame.top + 16.0)>"no data"</text> })}
        }
    });
    let singles = chart.singles.iter().map(|(x, y)| {
        view! { <circle class="single" cx=format!("{x:.1}") cy=format!("{y:.1}") r="2"></circle> }
    });
    view! {
        <svg class="chart-drawing" viewBox=format!("0 0 {} {}", chart.width, chart.height) aria-hidden="true" focusable="false">
            {gaps.views()}
            {values.views()}
            {times.views()}
            <path class="band" d=chart.band.clone()></path>
            <path class="line" d=chart.line.clone()></path>
            {singles.views()}
            {chart.spots.is_empty().then(|| view! {
                <text class="axis gap-word" x=format!("{:.1}", (frame.left + frame.right) / 2.0) y=format!("{:.1}", (frame.top + frame.bottom) / 2.0)>"no data in the last hour"</text>
            })}
        </svg>
    }
}

/// What a screen reader says of the whole chart.
fn summary(topic: Topic, chart: &Chart) -> String {
    let Some((_, _, newest)) = chart.spots.last() else {
        return format!("{}: no data in the last hour.", topic.title());
    };
    let low = chart.spots.iter().map(|(_, _, spot)| spot.min).fold(f64::INFINITY, f64::min);
    let high = chart.spots.iter().map(|(_, _, spot)| spot.max).fold(f64::NEG_INFINITY, f64::max);
    let unit = topic.unit();
    format!(
        "{}, last hour: from {} to {}, newest {}. Arrow keys read single points.",
        topic.title(),
        text(unit, low),
        text(unit, high),
        text(unit, newest.middle)
    )
}

/// Follows the width of an element, whole pixels.
fn measured_width(place: NodeRef<Div>) -> RwSignal<f64> {
    let width = RwSignal::new(WIDTH_UNKNOWN);
    effect(move || {
        let Some(element) = place.get() else { return };
        let measure = {
            let element = element.clone();
            move || {
                let measured = f64::from(element.client_width());
                if measured > 0.0 && width.try_get_untracked().is_some_and(|width| (width - measured).abs() > 0.5) {
                    width.set(measured);
                }
            }
        };
        measure();
        let callback = Closure::<dyn Fn()>::new(measure);
        if let Ok(observer) = ResizeObserver::new(callback.as_ref().unchecked_ref()) {
            observer.observe(&element);
            let kept = StoredValue::new_local((observer, callback));
            on_cleanup(move || kept.with_value(|(observer, _)| observer.disconnect()));
        }
    });
    width
}
