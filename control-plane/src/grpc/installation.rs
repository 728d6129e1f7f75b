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

    async fn create_installation(
        &self,
        _request: Request<kaliun_proto::fleet::v1::CreateInstallationRequest>,
    ) -> Result<Response<kaliun_proto::fleet::v1::CreateInstallationResponse>, Status> {
        Err(Status::unimplemented("to be merged"))
    }

    async fn update_installation(
        &self,
        _request: Request<kaliun_proto::fleet::v1::UpdateInstallationRequest>,
    ) -> Result<Response<kaliun_proto::fleet::v1::UpdateInstallationResponse>, Status> {
        Err(Status::unimplemented("to be merged"))
    }

    async fn delete_installation(
        &self,
        _request: Request<kaliun_proto::fleet::v1::DeleteInstallationRequest>,
    ) -> Result<Response<kaliun_proto::fleet::v1::DeleteInstallationResponse>, Status> {
        Err(Status::unimplemented("to be merged"))
    }

    async fn list_home_people(
        &self,
        _request: Request<kaliun_proto::fleet::v1::ListHomePeopleRequest>,
    ) -> Result<Response<kaliun_proto::fleet::v1::ListHomePeopleResponse>, Status> {
        Err(Status::unimplemented("to be merged"))
    }

    async fn update_home_person(
        &self,
        _request: Request<kaliun_proto::fleet::v1::UpdateHomePersonRequest>,
    ) -> Result<Response<kaliun_proto::fleet::v1::UpdateHomePersonResponse>, Status> {
        Err(Status::unimplemented("to be merged"))
    }

    async fn remove_home_person(
        &self,
        _request: Request<kaliun_proto::fleet::v1::RemoveHomePersonRequest>,
    ) -> Result<Response<kaliun_proto::fleet::v1::RemoveHomePersonResponse>, Status> {
        Err(Status::unimplemented("to be merged"))
    }
}
