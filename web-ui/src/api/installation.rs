//! Homes.

use super::client::{failure, for_calls};
use crate::model::failure::Failure;
use kaliun_proto::fleet::v1::installation_service_client::InstallationServiceClient;
use kaliun_proto::fleet::v1::{Installation, ListInstallationsRequest};

/// Homes offered in a choice: the largest page. More than that needs a search, which comes with the homes' own page.
const CHOICE_MAX: u32 = 500;

/// The homes a box can be put into.
pub(crate) async fn list() -> Result<Vec<Installation>, Failure> {
    let request = ListInstallationsRequest { page_size: CHOICE_MAX, page_token: String::new() };
    let answer = InstallationServiceClient::new(for_calls()).list_installations(request).await;
    answer.map(|answer| answer.into_inner().installations).map_err(|status| failure(&status))
}
