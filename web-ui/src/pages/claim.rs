//! Taking a box in by the code on its screen. The QR code there leads here.

mod decide;
mod enter;

use crate::api::claim;
use crate::browser::set_title;
use crate::components::moving::{background, effect, memo, piece, pressed, words};
use crate::components::notice::Notice;
use crate::live::Live;
use crate::model::claim::{grouped, has_ended, is_complete, malformed, normalize};
use crate::model::device::is_online;
use crate::model::failure::Failure;
use crate::model::mark::Tone;
use crate::navigation::Navigation;
use crate::session::Session;
use decide::Decide;
use enter::EnterCode;
use gloo_timers::future::TimeoutFuture;
use kaliun_proto::fleet::v1::subscription::What;
use kaliun_proto::fleet::v1::{Claim, DeviceSubscription};
use leptos::prelude::*;

/// How far a claim has come.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// No code yet.
    Enter,
    /// The box with the code is being looked for.
    Looking,
    /// This is what it says of itself.
    Decide(Box<Claim>),
    /// It was taken in.
    Approved { id: String, name: String },
    /// It was turned away.
    Denied,
    /// The look-up failed.
    Failed(Failure),
}

/// How often a box that does not show its check characters yet is looked up again, and how many times: five seconds in all, for it is
/// asked over a link that is there already.
const AGAIN_MS: u32 = 500;
const TIMES: u32 = 10;

/// What the box with this code says of itself. Waits a moment for its check characters.
async fn look_up_patiently(code: &str) -> Result<Claim, Failure> {
    for _ in 0..TIMES {
        let claim = claim::look_up(code.to_owned()).await?;
        if claim.shows_check {
            return Ok(claim);
        }
        TimeoutFuture::new(AGAIN_MS).await;
    }
    claim::look_up(code.to_owned()).await
}

/// The claim page: `/claim?code=…`.
#[component]
pub(crate) fn ClaimPage() -> impl IntoView {
    set_title("Add a box");
    let navigation = expect_context::<Navigation>();
    let code = memo(move || normalize(&navigation.query_value("code")));
    let session = expect_context::<Session>();
    let step = RwSignal::new(Step::Enter);
    let look_up = move |code: String| {
        if !is_complete(&code) {
            return step.set(Step::Enter);
        }
        step.set(Step::Looking);
        background(async move {
            let next = match look_up_patiently(&code).await {
                Ok(claim) => Step::Decide(Box::new(claim)),
                Err(failure) => {
                    session.notice(&failure);
                    Step::Failed(failure)
                }
            };
            step.try_set(next);
        });
    };
    effect(move || look_up(code.get()));
    let shown_code = Signal::derive(move || grouped(&code.get()));
    view! {
        <div class="narrow">
            {piece(move || match step.get() {
                Step::Enter => view! { <EnterCode title="Add a box" code=code.get_untracked() look_again=look_up/> }.into_any(),
                Step::Looking => view! {
                    <header class="answer" role="status"><h1 class="answer-line"><span>"Looking for the box with code "<span class="mono">{shown_code}</span>"…"</span></h1></header>
                    <div class="card skeleton-card" aria-busy="true"></div>
                }.into_any(),
                Step::Decide(claim) => view! { <Decide claim=*claim code=code.get_untracked() step look_again=look_up/> }.into_any(),
                Step::Approved { id, name } => view! { <Approved id name/> }.into_any(),
                Step::Denied => view! { <Denied/> }.into_any(),
                Step::Failed(failure) => view! {
                    <header class="answer"><h1 class="answer-line">
                        {if is_about_code(&failure) {
                            view! { <span>"The code "<span class="mono">{shown_code}</span>" did not work."</span> }.into_any()
                        } else {
                            view! { <span>"The box could not be looked up."</span> }.into_any()
                        }}
                    </h1></header>
                    {if is_about_code(&failure) {
                        view! {
                            <LookUpFailed failure code=code.get_untracked()/>
                            <EnterCode title="Enter the code" code=code.get_untracked() look_again=look_up/>
                        }.into_any()
                    } else {
                        view! {
                            <LookUpFailed failure code=code.get_untracked()>
                                <button class="button" type="button" on:click=pressed(move || look_up(code.get_untracked()))>"Try again"</button>
                            </LookUpFailed>
                        }.into_any()
                    }}
                }.into_any(),
            })}
        </div>
    }
}

/// Whether the code is what a look-up failed for.
fn is_about_code(failure: &Failure) -> bool {
    matches!(failure, Failure::NotFound(_) | Failure::Refused(_)) || has_ended(failure)
}

/// What to do about a look-up that failed. A code that is not found is nearly always mistyped or has run out.
fn advice(failure: &Failure, code: &str) -> (String, String) {
    match failure {
        Failure::NotFound(_) => (
            "No box waits with this code.".to_owned(),
            "Compare it with the box's screen. A code is good for 15 minutes; then the screen shows a new one."
                .to_owned(),
        ),
        Failure::Refused(sentence) => malformed(code)
            .unwrap_or_else(|| (sentence.clone(), "Use the code that the box's screen shows now.".to_owned())),
        Failure::NotNow(_) if has_ended(failure) => (
            "Too many wrong check characters were typed for this box.".to_owned(),
            "Its code has ended, and its screen shows a new one. Enter that, and compare the check characters with care.".to_owned(),
        ),
        Failure::SignedOut
        | Failure::NotNow(_)
        | Failure::Denied(_)
        | Failure::Unreachable
        | Failure::Unexpected(_) => (failure.title(), failure.text(false)),
    }
}

#[component]
fn LookUpFailed(failure: Failure, code: String, #[prop(optional)] children: Option<Children>) -> impl IntoView {
    let (title, text) = advice(&failure, &code);
    match children {
        Some(children) => view! { <Notice tone=Tone::Bad title text>{children()}</Notice> }.into_any(),
        None => view! { <Notice tone=Tone::Bad title text/> }.into_any(),
    }
}

/// Follows the box until it is online.
#[component]
fn Approved(id: String, name: String) -> impl IntoView {
    let live = expect_context::<Live>();
    let device = live.device(&id);
    let followed = live.follow(What::Device(DeviceSubscription { device_id: id.clone() }));
    let followed = StoredValue::new_local(Some(followed));
    on_cleanup(move || followed.set_value(None));
    let online = memo(move || device.with(|device| device.as_deref().is_some_and(is_online)));
    view! {
        <section class="empty" role="status">
            <h1>{format!("{name} is yours.")}</h1>
            <p aria-busy=words(move || (!online.get()).to_string())>
                {words(move || if online.get() { "It is online." } else { "The box gets its certificate and connects; it takes some seconds." })}
            </p>
            <div class="actions">
                <a class="button primary" href=format!("/devices/{id}")>"Show the box"</a>
                <a class="button" href="/">"Show all boxes"</a>
            </div>
        </section>
    }
}

#[component]
fn Denied() -> impl IntoView {
    view! {
        <section class="empty" role="status">
            <h1>"The box was turned away."</h1>
            <p>"Its screen says so. To take it in after all, start enrolment on the box again: it shows a new code."</p>
            <a class="button primary" href="/">"Show all boxes"</a>
        </section>
    }
}
