//! The control plane's own version.

use kaliun_proto::fleet::v1::server_service_server::ServerService;
use kaliun_proto::fleet::v1::{GetVersionRequest, GetVersionResponse};
use kaliun_types::limits::LINK_PROTOCOL;
use tonic::{Request, Response, Status};

/// Answers for the program.
pub(crate) struct ServerVersions;

#[tonic::async_trait]
impl ServerService for ServerVersions {
    async fn get_version(&self, _request: Request<GetVersionRequest>) -> Result<Response<GetVersionResponse>, Status> {
        Ok(Response::new(GetVersionResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            link_protocol: LINK_PROTOCOL,
        }))
    }
}
