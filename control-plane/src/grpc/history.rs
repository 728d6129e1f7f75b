//! What was: measurements and events.

use super::auth::Caller;
use super::page::{self, PageSeal};
use super::status;
use crate::clock;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::history_service_server::HistoryService;
use kaliun_proto::telemetry::v1::SampleValues;
use kaliun_store::{AppStore, SampleRow};
use kaliun_types::id::DeviceId;
use prost::Message;
use std::collections::BTreeMap;
use tonic::{Request, Response, Status};

/// Answers for the past.
pub(crate) struct History {
    pub(crate) store: AppStore,
    pub(crate) seal: PageSeal,
}

/// Most metrics, points and hours in one question, as the contract says.
const METRICS_MAX: usize = 16;
const POINTS_MAX: u64 = 2_000;
const RANGE_MAX_MS: i64 = 48 * 3600 * 1000;
/// Most samples read for one question: two days at one each 5 s, and a little.
const SAMPLES_MAX: i64 = 40_000;
/// Events on a page when the caller does not say.
const EVENTS_DEFAULT: u32 = 50;

/// What the samples of one step amount to so far.
struct Bucket {
    min: f64,
    max: f64,
    sum: f64,
    last: f64,
    count: u32,
}

/// Sums samples up in steps. A step without a sample has no point.
fn points(rows: &[SampleRow], metric: i32, from_ms: i64, step_ms: i64) -> Vec<proto::Point> {
    let mut buckets: BTreeMap<i64, Bucket> = BTreeMap::new();
    for row in rows {
        let Ok(values) = SampleValues::decode(row.values.as_slice()) else { continue };
        let value = values.metrics.iter().position(|found| *found == metric).and_then(|at| values.values.get(at));
        let Some(value) = value.copied() else { continue };
        let step = (clock::to_ms(row.sampled_at) - from_ms).div_euclid(step_ms);
        buckets
            .entry(step)
            .and_modify(|bucket| {
                bucket.min = bucket.min.min(value);
                bucket.max = bucket.max.max(value);
                bucket.sum += value;
                bucket.last = value;
                bucket.count += 1;
            })
            .or_insert(Bucket { min: value, max: value, sum: value, last: value, count: 1 });
    }
    buckets
        .into_iter()
        .map(|(step, bucket)| proto::Point {
            at_ms: from_ms + step * step_ms,
            min: bucket.min,
            max: bucket.max,
            average: bucket.sum / f64::from(bucket.count),
            last: bucket.last,
            count: bucket.count,
        })
        .collect()
}

fn device_id(text: &str) -> Result<DeviceId, Status> {
    text.parse().map_err(|error| status::invalid("device_id", error))
}

#[tonic::async_trait]
impl HistoryService for History {
    async fn query_metrics(
        &self,
        request: Request<proto::QueryMetricsRequest>,
    ) -> Result<Response<proto::QueryMetricsResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let device = device_id(&request.device_id)?;
        if request.metrics.is_empty() || request.metrics.len() > METRICS_MAX || request.metrics.contains(&0) {
            return Err(status::invalid("metrics", format!("name 1 to {METRICS_MAX} metrics")));
        }
        let range = request.to_ms.saturating_sub(request.from_ms);
        if request.from_ms < 0 || range <= 0 || range > RANGE_MAX_MS {
            return Err(status::invalid("to_ms", "must be after from_ms, by at most 48 hours"));
        }
        let step = i64::try_from(request.step_ms).unwrap_or(i64::MAX);
        if step < 1_000 || (range.unsigned_abs() / step.unsigned_abs()) > POINTS_MAX {
            return Err(status::invalid(
                "step_ms",
                format!("must be at least 1000 and give at most {POINTS_MAX} points"),
            ));
        }
        let rows = self
            .store
            .sample_list(
                caller.scope(),
                device,
                clock::from_ms(request.from_ms),
                clock::from_ms(request.to_ms),
                SAMPLES_MAX,
            )
            .await
            .map_err(status::store)?;
        let series = request
            .metrics
            .iter()
            .map(|metric| proto::Series { metric: *metric, points: points(&rows, *metric, request.from_ms, step) })
            .collect();
        Ok(Response::new(proto::QueryMetricsResponse { series }))
    }

    async fn list_events(
        &self,
        request: Request<proto::ListEventsRequest>,
    ) -> Result<Response<proto::ListEventsResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let device = match request.device_id.as_str() {
            "" => None,
            id => Some(device_id(id)?),
        };
        let size = page::size(request.page_size, EVENTS_DEFAULT)?;
        let list = self.seal.list(caller.scope().organization(), &format!("events\n{}", request.device_id));
        let before = list.position(&request.page_token)?.and_then(|id| id.parse().ok());
        let mut rows =
            self.store.event_list_page(caller.scope(), device, before, size + 1).await.map_err(status::store)?;
        let next_page_token = page::cut(&mut rows, size, |event| list.token(&event.id.to_string()));
        let events = rows
            .into_iter()
            .map(|event| {
                let (device_id, device_name) =
                    event.device.map(|(id, name)| (id.to_string(), name)).unwrap_or_default();
                proto::Event {
                    id: event.id.unsigned_abs(),
                    device_id,
                    device_name,
                    code: event.code,
                    message: event.message,
                    happened_at_ms: clock::to_ms(event.happened_at),
                    stored_at_ms: clock::to_ms(event.stored_at),
                }
            })
            .collect();
        Ok(Response::new(proto::ListEventsResponse { events, next_page_token }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_up_in_steps_and_gaps_stay() {
        let row = |at_ms: i64, value: f64| SampleRow {
            sampled_at: clock::from_ms(at_ms),
            values: SampleValues { metrics: vec![1], values: vec![value] }.encode_to_vec(),
        };
        let rows = [row(10_000, 1.0), row(12_000, 3.0), row(31_000, 5.0)];
        let points = points(&rows, 1, 10_000, 10_000);
        assert_eq!(points.iter().map(|p| (p.at_ms, p.count)).collect::<Vec<_>>(), [(10_000, 2), (30_000, 1)]);
        assert_eq!((points[0].min, points[0].max, points[0].average, points[0].last), (1.0, 3.0, 2.0, 3.0));
        assert!(super::points(&rows, 2, 10_000, 10_000).is_empty());
    }
}
