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

/// A value kept in this tab until it is closed; nothing where storage is switched off.
pub(crate) fn stored_in_tab(key: &str) -> Option<String> {
    web_sys::window()?.session_storage().ok()??.get_item(key).ok()?
}

/// Keeps a value in this tab until it is closed.
pub(crate) fn store_in_tab(key: &str, value: Option<&str>) {
    let Some(storage) = web_sys::window().and_then(|window| window.session_storage().ok().flatten()) else {
        return;
    };
    let _kept = match value {
        Some(value) => storage.set_item(key, value),
        None => storage.remove_item(key),
    };
}

/// What is typed into the field with this id, or chosen among those with this name. Asked of the field itself, for password managers
/// fill in without a word.
pub(crate) fn field_value(id: &str) -> String {
    let element = document().and_then(|document| {
        let chosen = || document.query_selector(&format!("input[name=\"{id}\"]:checked")).ok().flatten();
        document.get_element_by_id(id).or_else(chosen)
    });
    let value = element.and_then(|element| Reflect::get(&element, &"value".into()).ok());
    value.and_then(|value| value.as_string()).unwrap_or_default()
}

/// Puts a value into the field with this id.
pub(crate) fn set_field_value(id: &str, value: &str) {
    if let Some(element) = document().and_then(|document| document.get_element_by_id(id)) {
        // A field takes every text.
        let _set = Reflect::set(&element, &"value".into(), &value.into());
    }
}

/// Selects all that is in the field with this id.
pub(crate) fn select_field(id: &str) {
    let element = document().and_then(|document| document.get_element_by_id(id));
    if let Some(field) = element.and_then(|element| element.dyn_into::<web_sys::HtmlInputElement>().ok()) {
        field.select();
    }
}

/// Leaves this page for a fresh one at an address of this dashboard.
pub(crate) fn leave_for(address: &str) {
    if let Some(window) = web_sys::window() {
        // It is refused only while the page is being left.
        let _begun = window.location().assign(address);
    }
}

/// Names of the time zones that the browser knows, in its order; empty in one that does not tell.
pub(crate) fn time_zones() -> Vec<String> {
    let list = || {
        let intl = Reflect::get(&js_sys::global(), &"Intl".into()).ok()?;
        let supported = Reflect::get(&intl, &"supportedValuesOf".into()).ok()?.dyn_into::<Function>().ok()?;
        supported.call1(&intl, &"timeZone".into()).ok()?.dyn_into::<Array>().ok()
    };
    list().map(|zones| zones.iter().filter_map(|zone| zone.as_string()).collect()).unwrap_or_default()
}

/// Name of the time zone that this browser is in; empty where it does not tell.
pub(crate) fn time_zone() -> String {
    let options = js_sys::Intl::DateTimeFormat::new(&Array::new(), &Object::new()).resolved_options();
    Reflect::get(&options, &"timeZone".into()).ok().and_then(|zone| zone.as_string()).unwrap_or_default()
}

/// Puts a text on the clipboard. False where the browser does not let this page.
pub(crate) async fn copy(text: &str) -> bool {
    let Some(navigator) = web_sys::window().map(|window| window.navigator()) else { return false };
    // Missing on pages that are neither on loopback nor behind TLS.
    let is_there = Reflect::get(&navigator, &"clipboard".into()).is_ok_and(|clipboard| clipboard.is_object());
    is_there && js_sys::futures::JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
}

/// Gives the person a file to keep.
pub(crate) fn save(name: &str, kind: &str, content: &[u8]) {
    let save = || {
        let parts = Array::of1(&js_sys::Uint8Array::from(content));
        let options = web_sys::BlobPropertyBag::new();
        options.set_type(kind);
        let blob = web_sys::Blob::new_with_u8_array_sequence_and_options(&parts, &options).ok()?;
        let address = web_sys::Url::create_object_url_with_blob(&blob).ok()?;
        let link = document()?.create_element("a").ok()?.dyn_into::<web_sys::HtmlAnchorElement>().ok()?;
        link.set_href(&address);
        link.set_download(name);
        link.click();
        web_sys::Url::revoke_object_url(&address).ok()
    };
    // It fails in no browser that runs this program.
    let _saved = save();
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
