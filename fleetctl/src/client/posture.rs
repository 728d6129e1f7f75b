//! Calls about what is wrong.

use super::pages::{Paging, collect};
use super::{Client, SignedChannel};
use crate::failure::{Failure, Kind};
use kaliun_proto::fleet::v1::posture_service_client::PostureServiceClient;
use kaliun_proto::fleet::v1::{Finding, ListFindingsRequest, ListPlatformFindingsRequest};

impl Client {
    fn postures(&self) -> PostureServiceClient<SignedChannel> {
        PostureServiceClient::new(self.channel())
    }

    /// What is wrong in the organization.
    pub(crate) async fn finding_list(&self) -> Result<Vec<Finding>, Failure> {
        let list = collect(&Paging::ALL, async |page_size, page_token| {
            let mut client = self.postures();
            let message = ListFindingsRequest { page_size, page_token };
            let answer = self.call("list findings", message, |request| client.list_findings(request)).await?;
            Ok((answer.findings, answer.next_page_token))
        })
        .await?;
        Ok(list.items)
    }

    /// What is wrong with the control plane as a whole; nothing for those whom it does not concern.
    pub(crate) async fn platform_finding_list(&self) -> Result<Vec<Finding>, Failure> {
        let list = collect(&Paging::ALL, async |page_size, page_token| {
            let mut client = self.postures();
            let message = ListPlatformFindingsRequest { page_size, page_token };
            let doing = "list findings of the control plane";
            let answer = self.call(doing, message, |request| client.list_platform_findings(request)).await?;
            Ok((answer.findings, answer.next_page_token))
        })
        .await;
        match list {
            Ok(list) => Ok(list.items),
            Err(failure) if failure.kind == Kind::Denied => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }
}
