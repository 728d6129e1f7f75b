//! What was: measurements and events.

use super::client::call;
use crate::model::failure::Failure;
use crate::model::method as methods;
use crate::model::series::{METRICS, SPAN_MS, STEP_MS};
use kaliun_proto::fleet::v1::{Event, ListEventsRequest, QueryMetricsRequest, Series};

/// Events shown on a page: what a person scrolls through.
const EVENTS_SHOWN: u32 = 12;

/// The last hour of a device. `now_ms` is the server's time.
pub(crate) async fn last_hour(device_id: String, now_ms: i64) -> Result<Vec<Series>, Failure> {
    let to_ms = now_ms - now_ms.rem_euclid(STEP_MS) + STEP_MS;
    let request = QueryMetricsRequest {
        device_id,
        metrics: METRICS.iter().map(|metric| i32::from(*metric)).collect(),
        from_ms: to_ms - SPAN_MS - STEP_MS,
        to_ms,
        step_ms: STEP_MS.unsigned_abs(),
    };
    Ok(call(methods::QUERY_METRICS, &request).await?.series)
}

/// The newest events of a device.
pub(crate) async fn events(device_id: String) -> Result<Vec<Event>, Failure> {
    let request = ListEventsRequest { device_id, page_size: EVENTS_SHOWN, page_token: String::new() };
    Ok(call(methods::LIST_EVENTS, &request).await?.events)
}
