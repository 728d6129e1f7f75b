//! Calls about the caller and the server itself.

use super::{Client, missing};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::server_service_client::ServerServiceClient;
use kaliun_proto::fleet::v1::{GetVersionRequest, GetVersionResponse, Identity, WhoAmIRequest};

impl Client {
    /// Asks whom the server takes the caller for.
    pub(crate) async fn identity(&self) -> Result<Identity, Failure> {
        let mut client = self.accounts();
        let answer = self.call("sign in", WhoAmIRequest {}, |request| client.who_am_i(request)).await?;
        answer.identity.ok_or_else(|| missing("identity"))
    }

    /// Asks the server for its version.
    pub(crate) async fn server_version(&self) -> Result<GetVersionResponse, Failure> {
        let mut client = ServerServiceClient::new(self.channel());
        self.call("ask the server for its version", GetVersionRequest {}, |request| client.get_version(request)).await
    }
}
