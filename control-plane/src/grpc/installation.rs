//! Homes.

use super::auth::Caller;
use super::page::{self, PageSeal};
use super::status;
use kaliun_proto::fleet::v1::installation_service_server::InstallationService;
use kaliun_proto::fleet::v1::{Installation, ListInstallationsRequest, ListInstallationsResponse};
use kaliun_store::AppStore;
use tonic::{Request, Response, Status};

/// Lists homes.
pub(crate) struct Installations {
    pub(crate) store: AppStore,
    pub(crate) seal: PageSeal,
}

#[tonic::async_trait]
impl InstallationService for Installations {
    async fn list_installations(
        &self,
        request: Request<ListInstallationsRequest>,
    ) -> Result<Response<ListInstallationsResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let size = page::size(request.page_size, page::DEFAULT)?;
        let list = self.seal.list(caller.scope(), "installations");
        let after = list.position(&request.page_token)?;
        let mut rows = self
            .store
            .installation_list_page(caller.scope(), after.as_deref(), size + 1)
            .await
            .map_err(status::store)?;
        let next_page_token = page::cut(&mut rows, size, |(_, name, _)| list.token(name));
        let installations = rows
            .into_iter()
            .map(|(id, name, time_zone)| Installation { id: id.to_string(), name, time_zone })
            .collect();
        Ok(Response::new(ListInstallationsResponse { installations, next_page_token }))
    }
}
