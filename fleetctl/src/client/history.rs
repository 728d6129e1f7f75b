//! Calls about events and homes.

use super::pages::{Listing, Paging, collect};
use super::{Client, SignedChannel};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::history_service_client::HistoryServiceClient;
use kaliun_proto::fleet::v1::installation_service_client::InstallationServiceClient;
use kaliun_proto::fleet::v1::{Event, Installation, ListEventsRequest, ListInstallationsRequest};

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

    /// Lists homes.
    pub(crate) async fn installation_list(&self, paging: &Paging) -> Result<Listing<Installation>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListInstallationsRequest { page_size, page_token };
            let mut client = InstallationServiceClient::new(self.channel());
            let answer = self.call("list installations", message, |request| client.list_installations(request)).await?;
            Ok((answer.installations, answer.next_page_token))
        })
        .await
    }
}
