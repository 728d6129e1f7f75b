//! The few things asked of the browser itself.

use js_sys::{Array, Date, Function, Object, Reflect};
use wasm_bindgen::{JsCast as _, JsValue};

thread_local! {
    /// Writes date and time in the person's own form. Kept, for making one takes the browser longer than drawing a row.
    static DATE_TIME: Function = {
        let options = Object::new();
        for (key, value) in [("dateStyle", "medium"), ("timeStyle", "medium")] {
            // Setting a property of a fresh object cannot fail.
            let _set = Reflect::set(&options, &key.into(), &value.into());
        }
        js_sys::Intl::DateTimeFormat::new(&Array::new(), &options).format()
    };
}

/// This browser's clock. Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of this age are far below 2^53")]
    let now = Date::now() as i64;
    now
}

/// What local time is ahead of UTC at a time, milliseconds.
pub(crate) fn timezone_offset_ms(at_ms: i64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a few hundred minutes")]
    let minutes_behind = date(at_ms).get_timezone_offset() as i64;
    -minutes_behind * 60_000
}

/// Hours and minutes in local time, for example "14:35".
pub(crate) fn clock_text(at_ms: i64) -> String {
    let date = date(at_ms);
    format!("{:02}:{:02}", date.get_hours(), date.get_minutes())
}

/// Date and time in the person's own form. For a time that no clock can show it is empty.
pub(crate) fn date_time_text(at_ms: i64) -> String {
    let text = DATE_TIME.with(|format| format.call1(&JsValue::UNDEFINED, &date(at_ms)));
    text.ok().and_then(|text| text.as_string()).unwrap_or_default()
}

/// RFC 3339, for machines.
pub(crate) fn machine_time_text(at_ms: i64) -> String {
    String::from(date(at_ms).to_iso_string())
}

fn date(at_ms: i64) -> Date {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age are far below 2^53")]
    let at = at_ms as f64;
    Date::new(&JsValue::from_f64(at))
}

/// A number from 0 to 1. For spreading load, never for secrets.
pub(crate) fn random() -> f64 {
    js_sys::Math::random()
}

/// Sets the tab's title.
pub(crate) fn set_title(title: &str) {
    if let Some(document) = document() {
        document.set_title(&if title.is_empty() {
            "Kaliun Fleet".to_owned()
        } else {
            format!("{title} · Kaliun Fleet")
        });
    }
}

/// The page's document.
pub(crate) fn document() -> Option<web_sys::Document> {
    web_sys::window()?.document()
}

/// Puts the focus on the element with this id, if there is one.
pub(crate) fn focus(id: &str) {
    let element = document().and_then(|document| document.get_element_by_id(id));
    if let Some(element) = element.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
        // Focusing an element of the page cannot fail.
        let _focused = element.focus();
    }
}

/// A value kept in this browser; nothing where storage is switched off.
pub(crate) fn stored(key: &str) -> Option<String> {
    web_sys::window()?.local_storage().ok()??.get_item(key).ok()?
}

/// Keeps a value in this browser; where storage is switched off it is forgotten with the page.
pub(crate) fn store(key: &str, value: Option<&str>) {
    let Some(storage) = web_sys::window().and_then(|window| window.local_storage().ok().flatten()) else {
        return;
    };
    let _kept = match value {
        Some(value) => storage.set_item(key, value),
        None => storage.remove_item(key),
    };
}

/// Loads the page anew, at its address.
pub(crate) fn reload() {
    if let Some(window) = web_sys::window() {
        // It is refused only while the page is being left.
        let _begun = window.location().reload();
    }
}

/// Whether there is room for more than a phone shows.
pub(crate) fn is_wide() -> bool {
    const WIDE: &str = "(min-width: 640px)";
    let query = web_sys::window().and_then(|window| window.match_media(WIDE).ok().flatten());
    query.is_some_and(|query| query.matches())
}
