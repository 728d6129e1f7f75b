//! What every page has around it.

use super::account_menu::AccountMenu;
use super::consent::ConsentBanner;
use super::icon::{Icon, IconView};
use super::live_banner::LiveBanner;
use crate::browser::focus;
use crate::components::moving::{memo, piece, words};
use crate::consents::OpenConsents;
use crate::model::access::{Start, adds_boxes, start};
use crate::model::enrollment::{badge, badge_words};
use crate::model::route::Route;
use crate::navigation::Navigation;
use crate::session::Session;
use crate::waiting::WaitingBoxes;
use leptos::prelude::*;

/// Header, banners and main part. The navigation has what the person may use, and nothing else.
#[component]
pub(crate) fn Shell(children: Children) -> impl IntoView {
    let route = expect_context::<Navigation>().route();
    let session = expect_context::<Session>();
    let start = memo(move || session.identity().with(start));
    let adds_boxes = session.may(adds_boxes);
    let waiting = WaitingBoxes::start(session);
    provide_context(waiting);
    provide_context(OpenConsents::start(session));
    let count = memo(move || waiting.count());
    let is_waiting = memo(move || route.get() == Route::Waiting);
    // A new page begins at its top for the keyboard and the screen reader too.
    Effect::watch(move || route.get(), |_, _, _| focus_main(), false);
    let link = move |address: &'static str, icon: Icon, word: &'static str| {
        let is_here = memo(move || route.get() == Route::of_path(address));
        view! { <a href=address aria-current=words(move || current(is_here.get()))><IconView icon/><span>{word}</span></a> }
    };
    view! {
        <a class="skip" href="#main">"Skip to the content"</a>
        <header class="top">
            <div class="top-inner">
                <a class="brand" href="/" aria-label="Kaliun Fleet, start"><Logo/><span>"Kaliun"</span></a>
                <nav class="nav" aria-label="Main">
                    {piece(move || match start.get() {
                        Start::Fleet => view! { {link("/", Icon::Boxes, "Boxes")}{link("/homes", Icon::Home, "Homes")} }.into_any(),
                        Start::Home(_) => link("/", Icon::Home, "Home").into_any(),
                        Start::Homes => link("/", Icon::Home, "Homes").into_any(),
                        Start::Nowhere => ().into_any(),
                    })}
                    {piece(move || adds_boxes.get().then(|| link("/claim", Icon::Plus, "Add a box")))}
                    {piece(move || (count.get() > 0 || is_waiting.get()).then(|| view! {
                        <a class="nav-waiting" href="/waiting" aria-current=words(move || current(is_waiting.get())) aria-label=words(move || format!("Waiting: {}", badge_words(count.get())))>
                            <IconView icon=Icon::Bell/><span>"Waiting"</span>
                            {piece(move || badge(count.get()).map(|text| view! { <b class="badge">{text}</b> }))}
                        </a>
                    }))}
                </nav>
                <AccountMenu/>
            </div>
        </header>
        <ConsentBanner/>
        <main id="main" class="page" tabindex="-1">{children()}</main>
        <LiveBanner/>
    }
}

/// The word for the link to the page that is shown.
fn current(is_here: bool) -> &'static str {
    if is_here { "page" } else { "false" }
}

/// Puts the focus where the page begins.
pub(crate) fn focus_main() {
    focus("main");
}

/// The product's sign.
#[component]
pub(crate) fn Logo() -> impl IntoView {
    view! {
        <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <rect class="logo-ground" width="32" height="32" rx="8"></rect>
            <path class="logo-house" d="M8 15.2 16 8l8 7.2V23a1.6 1.6 0 0 1-1.6 1.6H9.6A1.6 1.6 0 0 1 8 23z"></path>
            <circle class="logo-ground" cx="16" cy="18" r="2.6"></circle>
        </svg>
    }
}
