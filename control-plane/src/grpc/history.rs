//! What was: measurements and events.

use super::auth::Caller;
use super::page::{self, PageSeal};
use super::status;
use crate::clock;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::history_service_server::HistoryService;
use kaliun_proto::telemetry::v1::SampleValues;
use kaliun_store::{AppStore, OrganizationScope, SampleRow};
use kaliun_types::id::DeviceId;
use prost::Message;
use std::collections::BTreeMap;
use std::time::SystemTime;
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
/// Most samples summed up for one question: two days at one each second, the shortest interval there is, are 172,800. Only a box
/// that takes more than it was told has more; what it has is then not cut but refused.
const SAMPLES_MAX: usize = 180_000;
/// Samples read at once: about 2 MB while they are summed up. A connection to the database is kept for some milliseconds each time.
const BATCH: usize = 5_000;
/// Most samples summed up where other requests wait: each takes about a microsecond, and half a millisecond is no wait.
const ROWS_AT_ONCE_MAX: usize = 500;
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

impl Bucket {
    fn new(value: f64) -> Self {
        Self { min: value, max: value, sum: value, last: value, count: 1 }
    }

    fn add(&mut self, value: f64) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum += value;
        self.last = value;
        self.count += 1;
    }

    fn point(&self, at_ms: i64) -> proto::Point {
        proto::Point {
            at_ms,
            min: self.min,
            max: self.max,
            average: self.sum / f64::from(self.count),
            last: self.last,
            count: self.count,
        }
    }
}

/// Which metrics are asked for, from when on and in what steps.
struct Question {
    metrics: Vec<i32>,
    from_ms: i64,
    step_ms: i64,
}

/// A question, and what the samples that were read so far amount to: a bounded number of buckets, however many samples.
struct Sums {
    question: Question,
    /// By step, in the order of the metrics.
    buckets: Vec<BTreeMap<i64, Bucket>>,
}

impl Sums {
    fn new(question: Question) -> Self {
        let buckets = question.metrics.iter().map(|_| BTreeMap::new()).collect();
        Self { question, buckets }
    }

    /// Adds samples, all metrics in one pass. They come oldest first.
    fn add(&mut self, rows: &[SampleRow]) {
        let Question { metrics, from_ms, step_ms } = &self.question;
        for row in rows {
            let Ok(sample) = SampleValues::decode(row.values.as_slice()) else { continue };
            let step = (clock::to_ms(row.sampled_at) - from_ms).div_euclid(*step_ms);
            for (metric, buckets) in metrics.iter().zip(&mut self.buckets) {
                let at = sample.metrics.iter().position(|found| found == metric);
                let Some(value) = at.and_then(|at| sample.values.get(at)).copied() else { continue };
                buckets.entry(step).and_modify(|bucket| bucket.add(value)).or_insert_with(|| Bucket::new(value));
            }
        }
    }

    /// The same, off the async threads when it takes long.
    async fn add_aside(mut self, rows: Vec<SampleRow>) -> Result<Self, Status> {
        if rows.len() <= ROWS_AT_ONCE_MAX {
            self.add(&rows);
            return Ok(self);
        }
        let added = tokio::task::spawn_blocking(move || {
            self.add(&rows);
            self
        });
        added.await.map_err(|_panicked| Status::internal("the samples could not be summed up; try again"))
    }

    /// A step without a sample has no point.
    fn series(self) -> Vec<proto::Series> {
        let Question { metrics, from_ms, step_ms } = self.question;
        let points = |buckets: BTreeMap<i64, Bucket>| {
            buckets.into_iter().map(|(step, bucket)| bucket.point(from_ms + step * step_ms)).collect()
        };
        metrics
            .into_iter()
            .zip(self.buckets)
            .map(|(metric, buckets)| proto::Series { metric, points: points(buckets) })
            .collect()
    }
}

/// There are more samples than are summed up for one question. Those until `fitting_until` are not too many.
fn too_many(from_ms: i64, fitting_until: SystemTime) -> Status {
    let minutes = clock::to_ms(fitting_until).saturating_sub(from_ms) / 60_000;
    let shorter = match minutes {
        ..1 => "ask for a later time".to_owned(),
        1..120 => format!("ask for at most {minutes} minutes from there on"),
        _ => format!("ask for at most {} hours from there on", minutes / 60),
    };
    status::invalid("to_ms", format!("the box has more than {SAMPLES_MAX} samples in this time; {shorter}"))
}

impl History {
    /// Reads all samples of a range, some at a time, and sums them up.
    async fn sum_up(
        &self,
        scope: &OrganizationScope,
        device: DeviceId,
        question: Question,
        to_ms: i64,
    ) -> Result<Vec<proto::Series>, Status> {
        let from_ms = question.from_ms;
        let (from, to) = (clock::from_ms(from_ms), clock::from_ms(to_ms));
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let mut sums = Sums::new(question);
        let mut count = 0;
        let mut fitting_until = from;
        let mut rows = self.store.sample_list(scope, device, from, to, limit).await.map_err(status::store)?;
        loop {
            count += rows.len();
            if count > SAMPLES_MAX {
                return Err(too_many(from_ms, fitting_until));
            }
            let last = rows.last().filter(|_| rows.len() == BATCH).cloned();
            sums = sums.add_aside(rows).await?;
            let Some(last) = last else { return Ok(sums.series()) };
            fitting_until = last.sampled_at;
            rows = self.store.sample_list_after(scope, device, from, to, &last, limit).await.map_err(status::store)?;
        }
    }
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
        let question = Question { metrics: request.metrics, from_ms: request.from_ms, step_ms: step };
        let series = self.sum_up(caller.scope(), device, question, request.to_ms).await?;
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
        let list = self.seal.list(caller.scope(), &format!("events\n{}", request.device_id));
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

    fn row(at_ms: i64, values: &[(i32, f64)]) -> SampleRow {
        let (metrics, values) = values.iter().copied().unzip();
        raw_row(at_ms, SampleValues { metrics, values }.encode_to_vec())
    }

    fn raw_row(at_ms: i64, values: Vec<u8>) -> SampleRow {
        SampleRow { sampled_at: clock::from_ms(at_ms), spool_id: vec![7; 16], sequence: at_ms, values }
    }

    fn sums(metrics: &[i32]) -> Sums {
        Sums::new(Question { metrics: metrics.to_vec(), from_ms: 10_000, step_ms: 10_000 })
    }

    fn answer(metrics: &[i32], rows: &[SampleRow]) -> Vec<proto::Series> {
        let mut sums = sums(metrics);
        sums.add(rows);
        sums.series()
    }

    #[test]
    fn samples_are_summed_up_in_steps_and_gaps_stay() {
        let rows = [row(10_000, &[(1, 1.0)]), row(12_000, &[(1, 3.0)]), row(31_000, &[(1, 5.0)])];
        let series = answer(&[1], &rows);
        let points = &series[0].points;
        assert_eq!(points.iter().map(|p| (p.at_ms, p.count)).collect::<Vec<_>>(), [(10_000, 2), (30_000, 1)]);
        assert_eq!((points[0].min, points[0].max, points[0].average, points[0].last), (1.0, 3.0, 2.0, 3.0));
        assert!(answer(&[2], &rows)[0].points.is_empty());
    }

    #[test]
    fn each_metric_has_its_own_series_in_the_order_asked() {
        let rows = [
            row(10_000, &[(1, 1.0), (2, 20.0), (4, 400.0)]),
            row(11_000, &[(2, 40.0), (1, 3.0)]),
            row(20_000, &[(4, 500.0)]),
            // Not a sample.
            raw_row(21_000, vec![0xff]),
        ];
        let series = answer(&[4, 2, 3, 1], &rows);
        let points = |series: &proto::Series| -> Vec<(i64, f64, u32)> {
            series.points.iter().map(|point| (point.at_ms, point.average, point.count)).collect()
        };
        let seen: Vec<_> = series.iter().map(|series| (series.metric, points(series))).collect();
        assert_eq!(
            seen,
            [
                (4, vec![(10_000, 400.0, 1), (20_000, 500.0, 1)]),
                (2, vec![(10_000, 30.0, 2)]),
                (3, vec![]),
                (1, vec![(10_000, 2.0, 2)]),
            ]
        );
    }

    #[tokio::test]
    async fn many_samples_in_batches_are_summed_up_as_few_are() {
        let rows: Vec<SampleRow> = (0..1_500).map(|n| row(10_000 + 7 * n, &[(1, 1.0)])).collect();
        let mut in_batches = sums(&[1]);
        for batch in rows.chunks(ROWS_AT_ONCE_MAX + 1) {
            in_batches = in_batches.add_aside(batch.to_vec()).await.unwrap();
        }
        assert_eq!(in_batches.series(), answer(&[1], &rows));
    }

    #[test]
    fn too_many_samples_are_refused_with_a_range_that_fits() {
        let told = |fitting_ms: i64| too_many(1_000, clock::from_ms(1_000 + fitting_ms)).message().to_owned();
        assert!(told(11 * 3_600_000 + 1).ends_with("ask for at most 11 hours from there on"), "{}", told(40_000_000));
        assert!(told(3_600_000).ends_with("ask for at most 60 minutes from there on"));
        assert!(told(10).ends_with("ask for a later time"));
    }
}
