//! Homes and their people.

use super::{Services, page};
use crate::things::id;
use kaliun_proto::fleet::v1::installation_service_server::InstallationService;
use kaliun_proto::fleet::v1::*;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl InstallationService for Services {
    async fn list_installations(
        &self,
        request: Request<ListInstallationsRequest>,
    ) -> Result<Response<ListInstallationsResponse>, Status> {
        self.enter(&request, "list_installations").await?;
        let list = request.into_inner();
        let (installations, next_page_token) = page(&self.world().installations, list.page_size, &list.page_token)?;
        Ok(Response::new(ListInstallationsResponse { installations, next_page_token }))
    }

    async fn create_installation(
        &self,
        request: Request<CreateInstallationRequest>,
    ) -> Result<Response<CreateInstallationResponse>, Status> {
        self.enter(&request, "create_installation").await?;
        let wanted = request.into_inner();
        let mut world = self.world();
        if world.installations.iter().any(|home| home.name == wanted.name) {
            return Err(Status::already_exists("There is a home of this name."));
        }
        let time_zone = if wanted.time_zone.is_empty() { "UTC".to_owned() } else { wanted.time_zone };
        let installation = Installation { id: id(950), name: wanted.name, time_zone };
        world.installations.push(installation.clone());
        Ok(Response::new(CreateInstallationResponse { installation: Some(installation) }))
    }

    async fn update_installation(
        &self,
        request: Request<UpdateInstallationRequest>,
    ) -> Result<Response<UpdateInstallationResponse>, Status> {
        let wanted = request.get_ref().clone();
        let call = format!("update_installation: {:?} {:?}", wanted.name, wanted.time_zone);
        self.enter(&request, call).await?;
        let mut world = self.world();
        let home = world.installations.iter_mut().find(|home| home.id == wanted.id).unwrap();
        if let Some(name) = wanted.name {
            home.name = name;
        }
        if let Some(time_zone) = wanted.time_zone {
            home.time_zone = time_zone;
        }
        Ok(Response::new(UpdateInstallationResponse { installation: Some(home.clone()) }))
    }

    async fn delete_installation(
        &self,
        request: Request<DeleteInstallationRequest>,
    ) -> Result<Response<DeleteInstallationResponse>, Status> {
        self.enter(&request, "delete_installation").await?;
        let mut world = self.world();
        if !world.devices.is_empty() {
            return Err(Status::failed_precondition("A box serves it."));
        }
        let id = request.into_inner().id;
        world.installations.retain(|home| home.id != id);
        Ok(Response::new(DeleteInstallationResponse {}))
    }

    async fn list_home_people(
        &self,
        request: Request<ListHomePeopleRequest>,
    ) -> Result<Response<ListHomePeopleResponse>, Status> {
        self.enter(&request, format!("list_home_people: {}", request.get_ref().installation_id)).await?;
        let list = request.into_inner();
        let (people, next_page_token) = page(&self.world().people, list.page_size, &list.page_token)?;
        Ok(Response::new(ListHomePeopleResponse { people, next_page_token }))
    }

    async fn update_home_person(
        &self,
        request: Request<UpdateHomePersonRequest>,
    ) -> Result<Response<UpdateHomePersonResponse>, Status> {
        let wanted = request.get_ref().clone();
        self.enter(&request, format!("update_home_person: {} {:?}", wanted.account_id, wanted.role())).await?;
        let mut world = self.world();
        world.people.iter_mut().find(|person| person.account_id == wanted.account_id).unwrap().role = wanted.role;
        Ok(Response::new(UpdateHomePersonResponse {}))
    }

    async fn remove_home_person(
        &self,
        request: Request<RemoveHomePersonRequest>,
    ) -> Result<Response<RemoveHomePersonResponse>, Status> {
        self.enter(&request, "remove_home_person").await?;
        let wanted = request.into_inner();
        let mut world = self.world();
        let is_owner = |person: &HomePerson| person.role() == HomeRole::Owner;
        if world.people.iter().filter(|person| is_owner(person)).all(|person| person.account_id == wanted.account_id) {
            return Err(Status::failed_precondition("This is its only owner."));
        }
        world.people.retain(|person| person.account_id != wanted.account_id);
        Ok(Response::new(RemoveHomePersonResponse {}))
    }
}
