//! Watches, up to where the present state was told.

use super::Caller;
use crate::support::PATIENCE;
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::subscription::What;
use kaliun_proto::fleet::v1::watch_response::Message;
use kaliun_proto::fleet::v1::watch_service_client::WatchServiceClient;
use tonic::Status;

impl Caller<'_> {
    async fn watched(&self, what: What) -> Result<Vec<Message>, Status> {
        let subscription = fleet::Subscription { id: "it".to_owned(), what: Some(what) };
        let request = self.request(fleet::WatchRequest { subscriptions: vec![subscription] });
        let mut stream = WatchServiceClient::new(self.channel.clone()).watch(request).await?.into_inner();
        let mut told = Vec::new();
        loop {
            let next = tokio::time::timeout(PATIENCE, stream.message()).await;
            let next = next.map_err(|_elapsed| Status::deadline_exceeded("the test waited too long"))??;
            match next.and_then(|next| next.message) {
                Some(Message::CaughtUp(_)) => return Ok(told),
                Some(message) => told.push(message),
                None => return Err(Status::aborted("the watch ended without a word")),
            }
        }
    }

    pub(super) async fn watch(&self, handles: &Handles) -> Vec<Answer> {
        let all = fleet::DeviceListSubscription::default();
        let page_token = handles.pages.devices.first().cloned().unwrap_or_default();
        let page = fleet::DeviceListSubscription { order: 1, page_size: 1, page_token, ..all.clone() };
        let chosen = fleet::DeviceListSubscription { selector: format!("site={}", handles.site), ..all.clone() };
        let device = fleet::DeviceSubscription { device_id: handles.device_id.clone() };
        vec![
            Answer::new("all", self.watched(What::DeviceList(all)).await, |told| essence(told)).same_for_the_owner(),
            Answer::new("by selector", self.watched(What::DeviceList(chosen)).await, |told| essence(told)),
            Answer::new("a next page", self.watched(What::DeviceList(page)).await, |told| essence(told)),
            Answer::new("a device", self.watched(What::Device(device)).await, |told| essence(told)),
        ]
    }
}

/// What was told, but for figures that change with time.
fn essence(told: &[Message]) -> String {
    listed(told.iter().map(|message| match message {
        Message::Device(device) => format!("device {}", device.name),
        Message::RemovedDeviceId(id) => format!("removed {id}"),
        Message::Order(order) => format!("order {:?}", order.device_ids),
        Message::Summary(summary) => format!("{} in all", summary.total),
        Message::CaughtUp(_) | Message::KeepAlive(_) => String::new(),
    }))
}
