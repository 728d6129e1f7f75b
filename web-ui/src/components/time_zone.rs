//! The choice of a time zone.

use super::form::{Choice, Form};
use crate::browser::time_zones;
use leptos::prelude::*;

/// All that the browser knows, with the present one even if the browser does not know it.
#[component]
pub(crate) fn TimeZoneField(form: Form, name: &'static str, value: String) -> impl IntoView {
    let mut zones = time_zones();
    for also in ["UTC", value.as_str()] {
        if !also.is_empty() && !zones.iter().any(|zone| zone == also) {
            zones.push(also.to_owned());
        }
    }
    let value = if value.is_empty() { "UTC".to_owned() } else { value };
    let options = zones.into_iter().map(|zone| (zone.clone(), zone.replace('_', " "))).collect();
    view! { <Choice form name label="Time zone" options value help="For hours at which something may happen there, such as updates."/> }
}
