//! Calls about homes.

use super::Caller;
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::installation_service_client::InstallationServiceClient;

impl Caller<'_> {
    pub(super) async fn list_installations(&self, handles: &Handles) -> Vec<Answer> {
        let mut client = InstallationServiceClient::new(self.channel.clone());
        let names =
            |page: &fleet::ListInstallationsResponse| listed(page.installations.iter().map(|home| home.name.as_str()));
        let all = client.list_installations(self.request(fleet::ListInstallationsRequest::default())).await;
        let page = fleet::ListInstallationsRequest { page_size: 1, page_token: handles.pages.installations.clone() };
        let next = client.list_installations(self.request(page)).await;
        vec![Answer::unary("all", all, names).same_for_the_owner(), Answer::unary("a next page", next, names)]
    }
}
