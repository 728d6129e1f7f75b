//! Calls about what was.

use super::Caller;
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use anyhow::Result;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::history_service_client::HistoryServiceClient;
use kaliun_proto::telemetry::v1::Metric;
use std::time::{SystemTime, UNIX_EPOCH};

impl Caller<'_> {
    fn history(&self) -> HistoryServiceClient<tonic::transport::Channel> {
        HistoryServiceClient::new(self.channel.clone())
    }

    pub(super) async fn query_metrics(&self, handles: &Handles) -> Result<Answer> {
        let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let request = fleet::QueryMetricsRequest {
            device_id: handles.device_id.clone(),
            metrics: vec![Metric::CpuBusyRatio.into()],
            from_ms: now_ms - 3_600_000,
            to_ms: now_ms + 60_000,
            step_ms: 60_000,
        };
        let outcome = self.history().query_metrics(self.request(request)).await;
        Ok(Answer::unary("of a device", outcome, |answer| {
            listed(answer.series.iter().map(|series| format!("{} with {} points", series.metric, series.points.len())))
        }))
    }

    pub(super) async fn list_events(&self, handles: &Handles) -> Vec<Answer> {
        let messages = |page: &fleet::ListEventsResponse| {
            listed(page.events.iter().map(|event| format!("{} {}", event.code, event.message)))
        };
        let all = fleet::ListEventsRequest { page_size: 500, ..Default::default() };
        let device_id = handles.device_id.clone();
        let of_device = fleet::ListEventsRequest { device_id: device_id.clone(), ..all.clone() };
        let next = fleet::ListEventsRequest { page_size: 1, page_token: handles.pages.events.clone(), ..all.clone() };
        let page_token = handles.pages.device_events.clone();
        let next_of_device = fleet::ListEventsRequest { device_id, page_size: 1, page_token };
        vec![
            Answer::unary("all", self.history().list_events(self.request(all)).await, messages).same_for_the_owner(),
            Answer::unary("of a device", self.history().list_events(self.request(of_device)).await, messages),
            Answer::unary("a next page", self.history().list_events(self.request(next)).await, messages),
            Answer::unary(
                "a next page of a device",
                self.history().list_events(self.request(next_of_device)).await,
                messages,
            ),
        ]
    }
}
