//! Where the program starts, and what every page has around it.

use crate::browser;
use crate::clock::Clock;
use crate::components::moving::{effect, memo, piece};
use crate::components::notice::Notice;
use crate::components::question::{Asker, QuestionDialog};
use crate::components::shell::Shell;
use crate::live::Live;
use crate::model::access::{Start, start};
use crate::model::mark::Tone;
use crate::model::route::{Route, return_path};
use crate::navigation::{History, Navigation};
use crate::pages::account::AccountPage;
use crate::pages::change_address::ChangeAddressPage;
use crate::pages::claim::ClaimPage;
use crate::pages::confirm::ConfirmPage;
use crate::pages::consents::ConsentsPage;
use crate::pages::device::DevicePage;
use crate::pages::devices::DevicesPage;
use crate::pages::home::HomePage;
use crate::pages::homes::HomesPage;
use crate::pages::invitation::InvitationPage;
use crate::pages::login_device::LoginDevicePage;
use crate::pages::new_organization::NewOrganizationPage;
use crate::pages::not_found::NotFoundPage;
use crate::pages::organization::OrganizationPage;
use crate::pages::password_reset::{ForgotPage, ResetPage};
use crate::pages::sign_in::SignInPage;
use crate::pages::sign_up::{Asked, SignUpPage, SignUpSentPage};
use crate::pages::sign_ups::SignUpsPage;
use crate::pages::waiting::WaitingPage;
use crate::session::{Session, SessionState};
use leptos::prelude::*;
use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the boot script once the module is loaded.
#[wasm_bindgen(start)]
fn run() {
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
    provide_context(Asker::start());
    provide_context(Asked::start());
    let route = navigation.route();
    let is_known = memo(move || session.state().with(|state| *state != SessionState::Asking));
    effect(move || {
        // What the page showed while it loaded stays until there is something better.
        if is_known.get()
            && let Some(boot) = browser::document().and_then(|document| document.get_element_by_id("boot"))
        {
            boot.remove();
        }
    });
    let what = memo(move || {
        let is_open_to_all = route.with(Route::is_open_to_all);
        session.state().with(|state| match state {
            SessionState::Asking => Gate::Wait,
            SessionState::Unreachable => Gate::Unreachable,
            SessionState::Out { .. } | SessionState::In(_) if is_open_to_all => Gate::OpenToAll,
            SessionState::Out { has_ended } => Gate::SignIn { has_ended: *has_ended },
            SessionState::In(_) => Gate::Open,
        })
    });
    let begin = memo(move || session.identity().with(start));
    view! {
        {piece(move || match what.get() {
            Gate::Wait => ().into_any(),
            Gate::Unreachable => view! { <Unreachable/> }.into_any(),
            Gate::SignIn { has_ended } => view! { <SignInPage has_ended/> }.into_any(),
            Gate::OpenToAll => piece(move || page_open_to_all(&route.get())).into_any(),
            Gate::Open => view! { <Shell>{piece(move || page(route.get(), begin.get()))}</Shell> }.into_any(),
        })}
        <QuestionDialog/>
    }
}

fn page_open_to_all(route: &Route) -> AnyView {
    match route {
        Route::SignUp => view! { <SignUpPage/> }.into_any(),
        Route::SignUpSent => view! { <SignUpSentPage/> }.into_any(),
        Route::Confirm => view! { <ConfirmPage/> }.into_any(),
        Route::Forgot => view! { <ForgotPage/> }.into_any(),
        Route::Reset => view! { <ResetPage/> }.into_any(),
        Route::ChangeAddress => view! { <ChangeAddressPage/> }.into_any(),
        Route::Invitation => view! { <InvitationPage/> }.into_any(),
        // The gate is another one by now.
        Route::Start
        | Route::Device(_)
        | Route::Claim
        | Route::Waiting
        | Route::SignIn
        | Route::LoginDevice
        | Route::Account
        | Route::NewOrganization
        | Route::Organization
        | Route::Homes
        | Route::Home(_)
        | Route::Consents
        | Route::SignUps
        | Route::Unknown => ().into_any(),
    }
}

fn page(route: Route, begin: Start) -> AnyView {
    if begin == Start::Nowhere && !route.needs_no_organization() && route != Route::SignIn {
        return view! { <NewOrganizationPage/> }.into_any();
    }
    match (route, begin) {
        (Route::Start, Start::Home(id)) | (Route::Home(id), _) => view! { <HomePage id/> }.into_any(),
        (Route::Start, Start::Homes) | (Route::Homes, _) => view! { <HomesPage/> }.into_any(),
        (Route::Start, Start::Fleet | Start::Nowhere) => view! { <DevicesPage/> }.into_any(),
        (Route::Device(id), _) => view! { <DevicePage id/> }.into_any(),
        (Route::Claim, _) => view! { <ClaimPage/> }.into_any(),
        (Route::Waiting, _) => view! { <WaitingPage/> }.into_any(),
        (Route::SignIn, _) => view! { <SignedIn/> }.into_any(),
        (Route::LoginDevice, _) => view! { <LoginDevicePage/> }.into_any(),
        (Route::Account, _) => view! { <AccountPage/> }.into_any(),
        (Route::NewOrganization, _) => view! { <NewOrganizationPage/> }.into_any(),
        (Route::Organization, _) => view! { <OrganizationPage/> }.into_any(),
        (Route::Consents, _) => view! { <ConsentsPage/> }.into_any(),
        (Route::SignUps, _) => view! { <SignUpsPage/> }.into_any(),
        (Route::Unknown, _) => view! { <NotFoundPage/> }.into_any(),
        // The gate is another one by now.
        (
            Route::SignUp
            | Route::SignUpSent
            | Route::Confirm
            | Route::Forgot
            | Route::Reset
            | Route::ChangeAddress
            | Route::Invitation,
            _,
        ) => ().into_any(),
    }
}

/// Goes on to where somebody wanted to be before the sign-in.
#[component]
fn SignedIn() -> impl IntoView {
    let navigation = expect_context::<Navigation>();
    effect(move || navigation.go(return_path(&navigation.query_value("return")), History::Replace));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Wait,
    Unreachable,
    SignIn { has_ended: bool },
    OpenToAll,
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
