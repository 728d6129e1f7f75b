//! Calls about events.

use super::pages::{Listing, Paging, collect};
use super::{Client, SignedChannel};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::history_service_client::HistoryServiceClient;
use kaliun_proto::fleet::v1::{Event, ListEventsRequest};

impl Client {
    fn history(&self) -> HistoryServiceClient<SignedChannel> {
        HistoryServiceClient::new(self.channel())
    }

    /// Lists events, newest first: of one device, or of all where the id is empty.
    pub(crate) async fn event_list(&self, device_id: &str, paging: &Paging) -> Result<Listing<Event>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListEventsRequest { device_id: device_id.to_owned(), page_size, page_token };
            let mut client = self.history();
            let answer = self.call("list events", message, |request| client.list_events(request)).await?;
            Ok((answer.events, answer.next_page_token))
        })
        .await
    }
}
