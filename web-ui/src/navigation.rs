//! The address of the page: read, followed, changed. Links within the dashboard change it without loading anything.

use crate::components::moving::memo;
use crate::model::route::Route;
use leptos::prelude::*;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{HtmlAnchorElement, Location, MouseEvent, UrlSearchParams, Window};

/// The address. A handle: copies are the same thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Navigation {
    path: RwSignal<String>,
    query: RwSignal<String>,
    /// What stood behind "#" where that is a secret; empty elsewhere. Known to this page alone, and only until it is left.
    secret: RwSignal<String>,
}

/// What becomes of the address that was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum History {
    /// The back button leads to it.
    Keep,
    /// It is forgotten.
    Replace,
}

impl Navigation {
    /// Reads the address and follows it from now on.
    pub(crate) fn start() -> Self {
        let text = || RwSignal::new(String::new());
        let navigation = Self { path: text(), query: text(), secret: text() };
        navigation.read();
        if let Some(window) = web_sys::window() {
            navigation.follow_history(&window);
            navigation.follow_links(&window);
        }
        navigation
    }

    /// The page that the address means.
    pub(crate) fn route(self) -> Memo<Route> {
        memo(move || self.path.with(|path| Route::of_path(path)))
    }

    /// One value of the address' query; empty when it is not there.
    pub(crate) fn query_value(self, key: &str) -> String {
        self.query
            .with(|query| UrlSearchParams::new_with_str(query).ok().and_then(|query| query.get(key)))
            .unwrap_or_default()
    }

    /// The secret that the address had behind "#"; empty when it had none.
    pub(crate) fn secret(self) -> RwSignal<String> {
        self.secret
    }

    /// Goes to an address of this dashboard.
    pub(crate) fn go(self, address: &str, history: History) {
        let Some(window) = web_sys::window() else { return };
        let Ok(states) = window.history() else { return };
        // The browser refuses only addresses of another origin, and more than 100 changes within some seconds.
        let _changed = match history {
            History::Keep => states.push_state_with_url(&JsValue::NULL, "", Some(address)),
            History::Replace => states.replace_state_with_url(&JsValue::NULL, "", Some(address)),
        };
        self.read();
        if history == History::Keep {
            window.scroll_to_with_x_and_y(0.0, 0.0);
        }
    }

    fn read(self) {
        let Some(location) = web_sys::window().map(|window| window.location()) else { return };
        let path = location.pathname().unwrap_or_default();
        let query = location.search().unwrap_or_default();
        let route = Route::of_path(&path);
        if route.takes_secret() {
            self.take_secret(&location, &format!("{path}{query}"));
        } else if self.secret.with_untracked(|secret| !secret.is_empty()) {
            self.secret.set(String::new());
        }
        if self.query.with_untracked(|known| *known != query) {
            self.query.set(query);
        }
        if self.path.with_untracked(|known| *known != path) {
            self.path.set(path);
        }
    }

    /// Takes the secret out of the address, so that it is neither in the history nor on anybody's screen.
    fn take_secret(self, location: &Location, without_it: &str) {
        let hash = location.hash().unwrap_or_default();
        let Some(secret) = hash.strip_prefix('#').filter(|secret| !secret.is_empty()) else { return };
        self.secret.set(secret.to_owned());
        if let Some(states) = web_sys::window().and_then(|window| window.history().ok()) {
            // An address of this page is never refused.
            let _changed = states.replace_state_with_url(&JsValue::NULL, "", Some(without_it));
        }
    }

    fn follow_history(self, window: &Window) {
        let callback = Closure::<dyn Fn()>::new(move || self.read());
        // It fails for no listener of an own window.
        let _added = window.add_event_listener_with_callback("popstate", callback.as_ref().unchecked_ref());
        callback.forget();
    }

    fn follow_links(self, window: &Window) {
        let callback = Closure::<dyn Fn(MouseEvent)>::new(move |event: MouseEvent| {
            if let Some(address) = address_of_click(&event) {
                event.prevent_default();
                self.go(&address, History::Keep);
            }
        });
        // It fails for no listener of an own window.
        let _added = window.add_event_listener_with_callback("click", callback.as_ref().unchecked_ref());
        callback.forget();
    }
}

/// The address of a plain click on a link within the dashboard; nothing for every other click.
fn address_of_click(event: &MouseEvent) -> Option<String> {
    let is_plain = event.button() == 0
        && !event.default_prevented()
        && !(event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key());
    let target = event.target()?.dyn_into::<web_sys::Element>().ok()?;
    let link = target.closest("a[href]").ok()??.dyn_into::<HtmlAnchorElement>().ok()?;
    let here = web_sys::window()?.location();
    let is_within = link.target().is_empty() && link.hash().is_empty() && Some(link.origin()) == here.origin().ok();
    (is_plain && is_within).then(|| format!("{}{}", link.pathname(), link.search()))
}
