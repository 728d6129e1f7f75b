//! Web Locks: how tabs agree on who leads, and how the leader learns that a tab is gone. The browser frees a tab's locks when
//! it closes or crashes. Missing on pages that are neither on loopback nor behind TLS.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};

/// The browser's lock manager.
#[derive(Clone)]
pub(crate) struct Locks {
    manager: JsValue,
    request: Function,
}

impl Locks {
    /// Finds it; nothing where the browser does not give it to this page.
    pub(crate) fn of_browser() -> Option<Self> {
        let navigator = web_sys::window()?.navigator();
        let manager = Reflect::get(&navigator, &"locks".into()).ok()?;
        let request = Reflect::get(&manager, &"request".into()).ok()?.dyn_into().ok()?;
        Some(Self { manager, request })
    }

    /// Waits for a lock, calls back when it is held, and keeps it for as long as the page lives.
    pub(crate) fn hold(&self, name: &str, on_held: impl FnOnce() + 'static) {
        self.ask(name, move || {
            on_held();
            // A promise that is never settled holds the lock.
            Promise::new(&mut |_resolve, _reject| {}).into()
        });
    }

    /// Waits until nobody holds a lock, then calls back.
    pub(crate) fn when_free(&self, name: &str, on_free: impl FnOnce() + 'static) {
        self.ask(name, move || {
            on_free();
            JsValue::UNDEFINED
        });
    }

    fn ask(&self, name: &str, callback: impl FnOnce() -> JsValue + 'static) {
        let callback = Closure::once_into_js(move |_lock: JsValue| callback());
        // It throws only when the page is being torn down.
        let _asked = self.request.call2(&self.manager, &name.into(), &callback);
    }
}
