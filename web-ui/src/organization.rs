//! Which organization this page acts in. Each call names it, so that nothing of another one can come.
//!
//! A page belongs to one organization, and to one account, for its whole life. Going to another one begins a fresh page: whatever was
//! known and followed is gone with the old one, and nothing has to be told to forget.

use crate::browser::{reload, store, stored};
use std::cell::RefCell;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::StorageEvent;

/// Where the choice is kept. All tabs follow it.
const STORED: &str = "kaliun.organization";

thread_local! {
    /// The organization's id; empty while it is left to the server.
    static CURRENT: RefCell<String> = RefCell::new(stored(STORED).unwrap_or_default());
}

/// The organization that calls act in, a UUID; empty while it is left to the server.
pub(crate) fn current() -> String {
    CURRENT.with_borrow(String::clone)
}

/// From now on calls act in the organization that the server has named.
pub(crate) fn settle(id: &str) {
    CURRENT.with_borrow_mut(|current| id.clone_into(current));
}

/// Forgets a choice that is no use any more, so that the server chooses. Says whether there was one.
pub(crate) fn forget() -> bool {
    let had_one = CURRENT.with_borrow_mut(|current| !std::mem::take(current).is_empty());
    store(STORED, None);
    had_one
}

/// Chooses another organization, for this tab after its next load and for all others at once.
pub(crate) fn choose(id: &str) {
    store(STORED, Some(id));
}

/// Begins anew whenever another tab has chosen another organization.
pub(crate) fn follow_other_tabs() {
    let callback = Closure::<dyn Fn(StorageEvent)>::new(|event: StorageEvent| {
        if event.key().as_deref() == Some(STORED)
            && let Some(id) = event.new_value()
            && id != current()
        {
            reload();
        }
    });
    if let Some(window) = web_sys::window() {
        // It fails for no listener of an own window.
        let _added = window.add_event_listener_with_callback("storage", callback.as_ref().unchecked_ref());
    }
    callback.forget();
}
