//! The people of a home.

use super::Installations;
use crate::grpc::auth::Caller;
use crate::grpc::convert::people::home_person_to_proto;
use crate::grpc::convert::role::home_role_from_proto;
use crate::grpc::page;
use crate::grpc::status;
use kaliun_domain::standing::Reach;
use kaliun_proto::fleet::v1 as proto;
use kaliun_store::{HomePersonChanged, OwnerlessHome};
use kaliun_types::id::{AccountId, InstallationId};
use tonic::Status;

impl Installations {
    pub(super) async fn page_of_people(
        &self,
        caller: &Caller,
        request: &proto::ListHomePeopleRequest,
    ) -> Result<proto::ListHomePeopleResponse, Status> {
        let home = home(&request.installation_id)?;
        let size = page::size(request.page_size, page::DEFAULT)?;
        let list = self.seal.list(caller.scope(), &format!("people of {home}"));
        let after = list.position(&request.page_token)?;
        let rows = self.system.home_person_list_page(caller.scope(), home, after.as_deref(), size + 1).await;
        let mut rows = rows.map_err(status::store)?.ok_or_else(|| status::not_found("home"))?;
        let next_page_token = page::cut(&mut rows, size, |row| list.token(&row.position));
        let people = rows.into_iter().map(home_person_to_proto).collect();
        Ok(proto::ListHomePeopleResponse { people, next_page_token })
    }

    pub(super) async fn set_role(
        &self,
        caller: &Caller,
        request: &proto::UpdateHomePersonRequest,
    ) -> Result<(), Status> {
        let (home, account) = (home(&request.installation_id)?, account(&request.account_id)?);
        let role = home_role_from_proto("role", request.role)?;
        let changed = self.system.home_person_set_role(caller.scope(), &caller.actor(), (home, account), role).await;
        self.told(account, changed.map_err(status::store)?).await
    }

    pub(super) async fn remove(&self, caller: &Caller, request: &proto::RemoveHomePersonRequest) -> Result<(), Status> {
        let (home, account) = (home(&request.installation_id)?, account(&request.account_id)?);
        // Only an admin reaches the whole organization here.
        let ownerless = match caller.scope().reach() {
            Reach::Organization => OwnerlessHome::Allowed,
            Reach::Homes(_) => OwnerlessHome::Refused,
        };
        let removed = self.system.home_person_remove(caller.scope(), &caller.actor(), (home, account), ownerless).await;
        self.told(account, removed.map_err(status::store)?).await
    }

    /// Answers what became of a change, after whatever the person has open was told.
    async fn told(&self, account: AccountId, changed: HomePersonChanged) -> Result<(), Status> {
        match changed {
            HomePersonChanged::Yes => {
                self.rights.changed(account).await;
                Ok(())
            }
            HomePersonChanged::NoSuchHome => Err(status::not_found("home")),
            HomePersonChanged::NoSuchPerson => Err(status::not_found("person in this home")),
            HomePersonChanged::OnlyOwner => Err(Status::failed_precondition(
                "this is the only owner of the home; make somebody else an owner first",
            )),
        }
    }
}

fn home(id: &str) -> Result<InstallationId, Status> {
    id.parse().map_err(|error| status::invalid("installation_id", error))
}

fn account(id: &str) -> Result<AccountId, Status> {
    id.parse().map_err(|error| status::invalid("account_id", error))
}
