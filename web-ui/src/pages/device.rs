//! One box, live: is it well, why not, and what it did in the last hour.

mod events;
mod facts;
mod history;
mod identity;

use crate::api;
use crate::browser::set_title;
use crate::components::ask_access::AskAccess;
use crate::components::commanded::Commanded;
use crate::components::gauge::GaugeView;
use crate::components::icon::{Icon, IconView};
use crate::components::light::LightCard;
use crate::components::moving::{Views, background, effect, flag, memo, piece};
use crate::components::notice::FailureNotice;
use crate::components::state_mark::StateMark;
use crate::components::time::{Ago, Lasting};
use crate::live::Live;
use crate::model::access::{Start, asks_owners, start};
use crate::model::answer::{Answer, of_device};
use crate::model::device::{is_online, mark, reasons, sampled_at_ms};
use crate::model::failure::Failure;
use crate::model::mark::Tone;
use crate::model::{gauge, light};
use crate::session::Session;
use events::Events;
use facts::FactList;
use history::History;
use identity::Identity;
use kaliun_proto::fleet::v1::subscription::What;
use kaliun_proto::fleet::v1::{Device, DeviceSubscription};
use kaliun_types::id::DeviceId;
use leptos::prelude::*;
use std::str::FromStr as _;
use std::sync::Arc;

/// A box as this page follows it.
type DeviceSignal = Signal<Option<Arc<Device>>>;

/// The page of the box with this id.
#[component]
pub(crate) fn DevicePage(id: String) -> impl IntoView {
    // Anything but an id cannot be followed.
    if DeviceId::from_str(&id).is_ok() { view! { <OneDevice id/> }.into_any() } else { view! { <Gone/> }.into_any() }
}

#[component]
fn OneDevice(id: String) -> impl IntoView {
    set_title("Box");
    let live = expect_context::<Live>();
    let session = expect_context::<Session>();
    let failure = RwSignal::new(None::<Failure>);
    let cell = live.device(&id);
    let followed = live.follow(What::Device(DeviceSubscription { device_id: id.clone() }));
    let followed = StoredValue::new_local(Some(followed));
    on_cleanup(move || followed.set_value(None));
    let device: DeviceSignal = {
        let cell = cell.clone();
        Signal::derive(move || cell.get())
    };
    // The stream says nothing about a box that does not exist; this call does. Nothing is asked when the box is known already.
    if cell.with_untracked(Option::is_none) {
        let id = id.clone();
        background(async move {
            match api::device::get(id).await {
                Ok(device) => {
                    if cell.try_with_untracked(Option::is_none) == Some(true) {
                        cell.set(Some(Arc::new(device)));
                    }
                }
                Err(problem) => {
                    session.notice(&problem);
                    failure.try_set(Some(problem));
                }
            }
        });
    }
    let is_known = memo(move || device.with(Option::is_some));
    let back = match session.identity().with_untracked(start) {
        Start::Fleet | Start::Nowhere => "All boxes",
        Start::Home(_) => "Home",
        Start::Homes => "All homes",
    };
    let name =
        memo(move || device.with(|device| device.as_ref().map(|device| device.name.clone()).unwrap_or_default()));
    effect(move || {
        if is_known.get() {
            name.with(|name| set_title(name));
        }
    });
    view! {
        <nav class="crumbs" aria-label="Back"><a href="/"><IconView icon=Icon::Back/>{back}</a></nav>
        {piece(move || match (is_known.get(), failure.get()) {
            (true, _) => view! { <Known device id=id.clone()/> }.into_any(),
            (false, Some(Failure::NotFound(_) | Failure::Refused(_))) => view! { <Gone/> }.into_any(),
            (false, Some(failure)) => view! {
                <header class="answer"><h1 class="answer-line">"The box could not be loaded."</h1></header>
                <FailureNotice failure is_retried=true/>
            }.into_any(),
            (false, None) => view! { <Skeleton/> }.into_any(),
        })}
    }
}

#[component]
fn Known(device: DeviceSignal, id: String) -> impl IntoView {
    let part =
        move |of: fn(&Device) -> Option<Answer>| memo(move || device.with(|device| device.as_deref().and_then(of)));
    let answer = part(|device| {
        let reasons = reasons(device);
        Some(of_device(&device.name, mark(device), reasons.first().map(|reason| reason.sentence.as_str())))
    });
    let tone =
        Signal::derive(move || answer.with(|answer| answer.as_ref().map_or(Tone::Unknown, |answer| answer.tone)));
    let reasons = memo(move || device.with(|device| device.as_deref().map(reasons).unwrap_or_default()));
    let sampled_at = memo(move || device.with(|device| device.as_deref().map_or(0, sampled_at_ms)));
    let place = memo(move || {
        device.with(|device| device.as_deref().map(|device| device.installation_name.clone()).unwrap_or_default())
    });
    let needs_yes = expect_context::<Session>().may(asks_owners);
    let home_to_ask = memo(move || {
        let home = device.with(|device| device.as_deref().map(|device| device.installation_id.clone()));
        home.filter(|home| needs_yes.get() && !home.is_empty())
    });
    let online = memo(move || device.with(|device| device.as_deref().is_some_and(is_online)));
    let lights = [0, 1, 2].map(|index| {
        memo(move || {
            device.with(|device| {
                let device = device.as_deref().cloned().unwrap_or_default();
                let [link, remote_access, home_assistant] = light::of_device(&device);
                match index {
                    0 => link,
                    1 => remote_access,
                    _ => home_assistant,
                }
            })
        })
    });
    let gauges = [0, 1, 2, 3].map(|index| {
        memo(move || {
            device.with(|device| {
                let device = device.as_deref().cloned().unwrap_or_default();
                let [processor, memory, disk, temperature] = gauge::of_device(&device);
                match index {
                    0 => processor,
                    1 => memory,
                    2 => disk,
                    _ => temperature,
                }
            })
        })
    });
    view! {
        <header class="answer">
            <h1 class="answer-line" aria-live="polite">
                <StateMark tone class="mark-large"/>
                <span id="answer">{piece(move || answer.with(|answer| answer.as_ref().map(|answer| answer.sentence.clone())))}</span>
            </h1>
            <div class="answer-detail">
                {piece(move || {
                    let reasons = reasons.get();
                    if reasons.is_empty() {
                        view! { <p>{place}</p> }.into_any()
                    } else {
                        view! {
                            <ul class="reasons">
                                {reasons.into_iter().map(|reason| view! {
                                    <li>
                                        <span>{reason.sentence}</span>
                                        {(reason.since_ms > 0).then(|| view! { <span class="quiet">" · "<Lasting at_ms=reason.since_ms/></span> })}
                                        {(!reason.next_step.is_empty()).then(|| view! { <span class="reason-step"><Commanded text=reason.next_step/></span> })}
                                    </li>
                                }).views()}
                            </ul>
                        }.into_any()
                    }
                })}
            </div>
        </header>
        <ul class="lights" aria-label="Lights">
            {lights.into_iter().map(|light| view! { <LightCard light/> }).views()}
        </ul>
        <section class="card" aria-labelledby="now-title">
            <div class="card-head">
                <h2 id="now-title">"Now"</h2>
                <p class="quiet" class:is-old=flag(move || !online.get())>
                    {piece(move || if sampled_at.get() > 0 {
                        view! { "measured "<Ago at_ms=sampled_at/> }.into_any()
                    } else {
                        view! { "nothing measured yet" }.into_any()
                    })}
                </p>
            </div>
            <dl class="gauges" class:is-old=flag(move || !online.get())>
                {gauges.into_iter().map(|gauge| view! { <GaugeView gauge/> }).views()}
            </dl>
        </section>
        <History device id=id.clone()/>
        <div class="columns">
            <FactList device/>
            <div class="column">
                {piece(move || home_to_ask.get().map(|installation_id| view! { <AskAccess installation_id/> }))}
                <Identity device id=id.clone()/>
                <Events device id/>
            </div>
        </div>
    }
}

#[component]
fn Gone() -> impl IntoView {
    set_title("No such box");
    view! {
        <section class="empty">
            <h1>"There is no such box."</h1>
            <p>"It may have been deleted, or it belongs to another organization."</p>
            <a class="button primary" href="/">"Show all boxes"</a>
        </section>
    }
}

#[component]
fn Skeleton() -> impl IntoView {
    view! {
        <div aria-busy="true" aria-label="Loading the box">
            <header class="answer"><p class="answer-line"><span class="skeleton skeleton-title"></span></p><p class="answer-detail"></p></header>
            <ul class="lights">
                {(0..3).map(|_| view! { <li class="light"><span class="skeleton skeleton-mark"></span><span class="skeleton skeleton-line"></span></li> }).views()}
            </ul>
            <div class="card skeleton-card"></div>
        </div>
    }
}
