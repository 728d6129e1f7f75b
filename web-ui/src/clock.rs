//! The present, once a second, for everything that says how long ago something was.

use crate::browser;
use crate::live::Live;
use gloo_timers::callback::Interval;
use leptos::prelude::*;

/// How often relative times are looked at again, milliseconds.
const TICK_MS: u32 = 1_000;

/// The present by two clocks. A handle: copies are the same thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// By this browser's clock. Milliseconds since the Unix epoch.
    pub(crate) browser: RwSignal<i64>,
    /// By the server's clock, which is what all times on the screen are measured by.
    pub(crate) server: Memo<i64>,
}

impl Clock {
    /// Starts ticking; never stops, for it lives as long as the page.
    pub(crate) fn start(live: Live) -> Self {
        let browser = RwSignal::new(browser::now_ms());
        Interval::new(TICK_MS, move || browser.set(browser::now_ms())).forget();
        let ahead = live.server_ahead_ms();
        Self { browser, server: Memo::new(move |_| browser.get() + ahead.get()) }
    }
}
