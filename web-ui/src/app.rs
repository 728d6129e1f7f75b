//! Where the program starts, and what every page has around it.

use crate::browser;
use crate::clock::Clock;
use crate::components::moving::{effect, memo, piece};
use crate::components::notice::Notice;
use crate::components::shell::Shell;
use crate::live::Live;
use crate::model::mark::Tone;
use crate::model::route::Route;
use crate::navigation::Navigation;
use crate::pages::claim::ClaimPage;
use crate::pages::device::DevicePage;
use crate::pages::devices::DevicesPage;
use crate::pages::not_found::NotFoundPage;
use crate::pages::sign_in::SignInPage;
use crate::pages::waiting::WaitingPage;
use crate::session::{Session, SessionState};
use leptos::prelude::*;
use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the boot script once the module is loaded.
#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
    mount_to_body(App);
}

#[component]
fn App() -> impl IntoView {
    let session = Session::start();
    let live = Live::start(session);
    provide_context(session);
    provide_context(live);
    provide_context(Clock::start(live));
    let navigation = Navigation::start();
    provide_context(navigation);
    let route = navigation.route();
    let is_known = memo(move || session.state().get() != SessionState::Asking);
    effect(move || {
        // What the page showed while it loaded stays until there is something better.
        if is_known.get()
            && let Some(boot) = browser::document().and_then(|document| document.get_element_by_id("boot"))
        {
            boot.remove();
        }
    });
    let what = memo(move || match session.state().get() {
        SessionState::Asking => Gate::Wait,
        SessionState::Unreachable => Gate::Unreachable,
        SessionState::Out { has_ended } => Gate::SignIn { has_ended },
        SessionState::In(_) => Gate::Open,
    });
    view! {
        {piece(move || match what.get() {
            Gate::Wait => ().into_any(),
            Gate::Unreachable => view! { <Unreachable/> }.into_any(),
            Gate::SignIn { has_ended } => view! { <SignInPage has_ended/> }.into_any(),
            Gate::Open => view! { <Shell>{piece(move || page(route.get()))}</Shell> }.into_any(),
        })}
    }
}

fn page(route: Route) -> AnyView {
    match route {
        Route::Devices => view! { <DevicesPage/> }.into_any(),
        Route::Device(id) => view! { <DevicePage id/> }.into_any(),
        Route::Claim => view! { <ClaimPage/> }.into_any(),
        Route::Waiting => view! { <WaitingPage/> }.into_any(),
        Route::Unknown => view! { <NotFoundPage/> }.into_any(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Wait,
    Unreachable,
    SignIn { has_ended: bool },
    Open,
}

#[component]
fn Unreachable() -> impl IntoView {
    browser::set_title("No answer");
    view! {
        <main class="lone">
            <Notice
                tone=Tone::Bad
                title="The server does not answer."
                text="Check your connection. This page tries again by itself."
            />
        </main>
    }
}
