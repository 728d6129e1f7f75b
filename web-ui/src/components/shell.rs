//! What every page has around it.

use super::account_menu::AccountMenu;
use super::icon::{Icon, IconView};
use super::live_banner::LiveBanner;
use leptos::prelude::*;
use leptos_router::components::A;

/// Header, main part and live banner.
#[component]
pub(crate) fn Shell(children: Children) -> impl IntoView {
    view! {
        <a class="skip" href="#main" rel="external">"Skip to the content"</a>
        <header class="top">
            <div class="top-inner">
                <a class="brand" href="/" aria-label="Kaliun Fleet, all boxes"><Logo/><span>"Kaliun"</span></a>
                <nav class="nav" aria-label="Main">
                    <A href="/" exact=true><IconView icon=Icon::Home/><span>"Boxes"</span></A>
                    <A href="/claim"><IconView icon=Icon::Plus/><span>"Add a box"</span></A>
                </nav>
                <AccountMenu/>
            </div>
        </header>
        <main id="main" class="page" tabindex="-1">{children()}</main>
        <LiveBanner/>
    }
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
