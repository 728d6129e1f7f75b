//! Calls about mails.

use super::Client;
use super::pages::{Listing, Paging, collect};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::mail_service_client::MailServiceClient;
use kaliun_proto::fleet::v1::{ListMailsRequest, MailEntry, MailState};

impl Client {
    /// Lists mails, those that are so far or all.
    pub(crate) async fn mail_list(
        &self,
        state: Option<MailState>,
        paging: &Paging,
    ) -> Result<Listing<MailEntry>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListMailsRequest { page_size, page_token, state: state.map(i32::from) };
            let mut client = MailServiceClient::new(self.channel());
            let answer = self.call("list mails", message, |request| client.list_mails(request)).await?;
            Ok((answer.mails, answer.next_page_token))
        })
        .await
    }
}
