//! One box in the list: two lines on a phone, one dense line on a screen.

use crate::components::moving::{Views, flag, memo, piece, words};
use crate::components::state_mark::StateMark;
use crate::components::time::Ago;
use crate::live::DeviceCell;
use crate::model::device::{labels, link_mark, link_since_ms, mark, reasons};
use crate::model::gauge::of_device;
use crate::model::mark::{Mark, Tone};
use kaliun_proto::fleet::v1::Device;
use kaliun_proto::telemetry::v1::HealthVerdict;
use leptos::prelude::*;

/// Labels shown in a row; the box's page has them all.
const LABELS_SHOWN: usize = 3;

/// A row. Each part is redrawn only when its own text changes.
#[component]
pub(crate) fn DeviceRow(device: DeviceCell) -> impl IntoView {
    let device = Signal::derive(move || device.get());
    let part = move |of: fn(&Device) -> String| {
        memo(move || device.with(|device| device.as_deref().map(of).unwrap_or_default()))
    };
    let state =
        memo(move || device.with(|device| device.as_deref().map_or(Mark::of_verdict(HealthVerdict::Unknown), mark)));
    let tone = Signal::derive(move || state.get().tone);
    let name = part(|device| device.name.clone());
    let place = part(|device| device.installation_name.clone());
    let reason = part(|device| reasons(device).first().map(|reason| reason.sentence.clone()).unwrap_or_default());
    let href = part(|device| format!("/devices/{}", device.id));
    let shown_labels = memo(move || device.with(|device| device.as_deref().map(labels).unwrap_or_default()));
    let link =
        memo(move || device.with(|device| device.as_deref().map_or(Mark { tone: Tone::Absent, word: "" }, link_mark)));
    let since = memo(move || device.with(|device| device.as_deref().map_or(0, link_since_ms)));
    let link_tone = Signal::derive(move || link.get().tone);
    let figures = ["CPU", "Memory", "Disk", "Temp."].into_iter().enumerate().map(move |(index, label)| {
        let figure = memo(move || {
            device.with(|device| {
                let gauge = device.as_deref().and_then(|device| of_device(device).into_iter().nth(index));
                gauge.map_or(("–".to_owned(), Tone::Absent), |gauge| (gauge.figure, gauge.tone))
            })
        });
        view! {
            <span class=words(move || format!("figure tone-{}", figure.with(|(_, tone)| tone.class())))>
                <span class="figure-label">{label}" "</span>
                <span class="figure-value">{words(move || figure.with(|(figure, _)| figure.clone()))}</span>
            </span>
        }
    });
    view! {
        <li class="row" class:is-away=flag(move || link.get().tone != Tone::Good) data-device=name>
            <a class="row-link" href=href>
                <StateMark tone/>
                <span class="row-name">
                    <span class="row-title">{name}</span>
                    <span class="row-place">
                        {place}
                        <span class="row-labels">{piece(move || shown_labels.get().into_iter().take(LABELS_SHOWN).map(|label| view! { <span class="label">{label}</span> }).views())}</span>
                    </span>
                </span>
                <span class="row-state">
                    <span class=words(move || format!("row-word tone-{}", tone.get().class()))>{words(move || state.get().word)}</span>
                    <span class="row-reason">{reason}</span>
                    <span class="row-home">{words(move || if reason.with(String::is_empty) { place.get() } else { String::new() })}</span>
                </span>
                <span class="row-figures">{figures.views()}</span>
                <span class="row-link-state">
                    <StateMark tone=link_tone class="mark-small"/>
                    <span>
                        <span class="row-link-word">{words(move || link.get().word)}</span>
                        <span class="row-since"><Ago at_ms=since/></span>
                    </span>
                </span>
            </a>
        </li>
    }
}

/// Rows of the same size while nothing is known yet.
#[component]
pub(crate) fn SkeletonRows(count: u32) -> impl IntoView {
    view! {
        <ul class="rows" aria-busy="true" aria-label="Loading the boxes">
            {(0..count).map(|_| view! {
                <li class="row"><span class="row-link"><span class="skeleton skeleton-mark"></span><span class="skeleton skeleton-line"></span></span></li>
            }).views()}
        </ul>
    }
}
