//! Calls about mails.

use super::Caller;
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::mail_service_client::MailServiceClient;

impl Caller<'_> {
    pub(super) async fn list_mails(&self, handles: &Handles) -> Vec<Answer> {
        let mut answers = Vec::new();
        for (question, page_token) in [("all", ""), ("a place of another list", handles.pages.installations.as_str())] {
            let request = fleet::ListMailsRequest { page_size: 0, page_token: page_token.to_owned(), state: None };
            let outcome = MailServiceClient::new(self.channel.clone()).list_mails(self.request(request)).await;
            let essence = |list: &fleet::ListMailsResponse| listed(list.mails.iter().map(|mail| &mail.recipient));
            answers.push(Answer::unary(question, outcome, essence).same_for_the_owner());
        }
        answers
    }
}
