//! Homes.

mod people;

use super::account::fields;
use super::auth::Caller;
use super::convert::people::{installation_to_proto, time_zone, time_zone_or_utc};
use super::page::{self, PageSeal};
use super::status;
use crate::changes::Changes;
use crate::rights::Rights;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::installation_service_server::InstallationService;
use kaliun_store::{AppStore, InstallationChange, InstallationDeleted, SystemStore};
use tonic::{Request, Response, Status};

/// Makes, lists, changes and deletes homes, and says who lives there.
pub(crate) struct Installations {
    pub(crate) store: AppStore,
    pub(crate) system: SystemStore,
    pub(crate) seal: PageSeal,
    pub(crate) changes: Changes,
    pub(crate) rights: Rights,
}

#[tonic::async_trait]
impl InstallationService for Installations {
    async fn list_installations(
        &self,
        request: Request<proto::ListInstallationsRequest>,
    ) -> Result<Response<proto::ListInstallationsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let size = page::size(request.get_ref().page_size, page::DEFAULT)?;
        let list = self.seal.list(caller.scope(), "installations");
        let after = list.position(&request.get_ref().page_token)?;
        let mut rows = self
            .store
            .installation_list_page(caller.scope(), after.as_deref(), size + 1)
            .await
            .map_err(status::store)?;
        let next_page_token = page::cut(&mut rows, size, |row| list.token(&row.name));
        let installations = rows.into_iter().map(installation_to_proto).collect();
        Ok(Response::new(proto::ListInstallationsResponse { installations, next_page_token }))
    }

    async fn create_installation(
        &self,
        request: Request<proto::CreateInstallationRequest>,
    ) -> Result<Response<proto::CreateInstallationResponse>, Status> {
        let (caller, message) = (Caller::of(&request)?, request.get_ref());
        let name = fields::name("name", &message.name)?;
        let time_zone = time_zone_or_utc("time_zone", &message.time_zone)?;
        let made = self.system.installation_insert(caller.scope(), &caller.actor(), name, time_zone).await;
        let installation = Some(installation_to_proto(made.map_err(status::store)?));
        Ok(Response::new(proto::CreateInstallationResponse { installation }))
    }

    async fn update_installation(
        &self,
        request: Request<proto::UpdateInstallationRequest>,
    ) -> Result<Response<proto::UpdateInstallationResponse>, Status> {
        let (caller, message) = (Caller::of(&request)?, request.get_ref());
        let id = message.id.parse().map_err(|error| status::invalid("id", error))?;
        let change = InstallationChange {
            name: message.name.as_deref().map(|name| fields::name("name", name)).transpose()?,
            time_zone: message.time_zone.as_deref().map(|zone| time_zone("time_zone", zone)).transpose()?,
        };
        let changed = self.system.installation_update(caller.scope(), &caller.actor(), id, change).await;
        let (row, devices) = changed.map_err(status::store)?.ok_or_else(|| status::not_found("home"))?;
        for device in devices {
            self.changes.tell(caller.scope().organization(), device);
        }
        Ok(Response::new(proto::UpdateInstallationResponse { installation: Some(installation_to_proto(row)) }))
    }

    async fn delete_installation(
        &self,
        request: Request<proto::DeleteInstallationRequest>,
    ) -> Result<Response<proto::DeleteInstallationResponse>, Status> {
        let caller = Caller::of(&request)?;
        let id = request.get_ref().id.parse().map_err(|error| status::invalid("id", error))?;
        match self.system.installation_delete(caller.scope(), &caller.actor(), id).await.map_err(status::store)? {
            InstallationDeleted::Yes(people) => {
                for account in people {
                    self.rights.changed(account).await;
                }
                Ok(Response::new(proto::DeleteInstallationResponse {}))
            }
            InstallationDeleted::NoSuchHome => Err(status::not_found("home")),
            InstallationDeleted::Served => Err(Status::failed_precondition(
                "a box serves this home; decommission or delete the box first, or let it serve another home",
            )),
        }
    }

    async fn list_home_people(
        &self,
        request: Request<proto::ListHomePeopleRequest>,
    ) -> Result<Response<proto::ListHomePeopleResponse>, Status> {
        self.page_of_people(Caller::of(&request)?, request.get_ref()).await.map(Response::new)
    }

    async fn update_home_person(
        &self,
        request: Request<proto::UpdateHomePersonRequest>,
    ) -> Result<Response<proto::UpdateHomePersonResponse>, Status> {
        self.set_role(Caller::of(&request)?, request.get_ref()).await?;
        Ok(Response::new(proto::UpdateHomePersonResponse {}))
    }

    async fn remove_home_person(
        &self,
        request: Request<proto::RemoveHomePersonRequest>,
    ) -> Result<Response<proto::RemoveHomePersonResponse>, Status> {
        self.remove(Caller::of(&request)?, request.get_ref()).await?;
        Ok(Response::new(proto::RemoveHomePersonResponse {}))
    }
}
