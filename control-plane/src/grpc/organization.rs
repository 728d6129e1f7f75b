//! Organizations and the people with a role in the whole of one.

use super::account::fields;
use super::auth::{Caller, Somebody};
use super::convert::people::{member_to_proto, organization_to_proto, time_zone_or_utc};
use super::convert::role::role_from_proto;
use super::page::{self, PageSeal};
use super::status;
use crate::rights::Rights;
use kaliun_domain::room::ORGANIZATIONS_A_DAY;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::organization_service_server::OrganizationService;
use kaliun_store::{MemberChanged, MyOrganization, NewOrganization, OrganizationMade, SystemStore};
use kaliun_types::id::{AccountId, OrganizationId};
use tonic::{Request, Response, Status};

/// What a first home is called when nobody says.
const HOME_NAME: &str = "Home";

/// Makes and lists organizations, and says who is in them.
pub(crate) struct Organizations {
    pub(crate) store: SystemStore,
    pub(crate) seal: PageSeal,
    pub(crate) rights: Rights,
    /// What boxes of a new organization shall report: an encoded `SettingsDocument`.
    pub(crate) settings_document: Vec<u8>,
}

impl Organizations {
    /// Answers what became of a change, after whatever the person has open was told.
    async fn told(&self, account: AccountId, changed: MemberChanged) -> Result<(), Status> {
        match changed {
            MemberChanged::Yes => {
                self.rights.changed(account).await;
                Ok(())
            }
            MemberChanged::NoSuchMember => Err(status::not_found("member of the organization")),
            MemberChanged::OnlyAdmin => Err(Status::failed_precondition(
                "this is the only admin of the organization; make somebody else an admin first",
            )),
            MemberChanged::OnlyOwner(home) => Err(Status::failed_precondition(format!(
                "you are the only owner of the home {home:?}; make somebody else an owner first"
            ))),
        }
    }
}

/// Where somebody stands in the list of their organizations. A name has no line ends.
fn position(mine: &MyOrganization) -> String {
    format!("{}\n{}", mine.id, mine.name)
}

fn position_from(text: &str) -> Option<(&str, OrganizationId)> {
    let (id, name) = text.split_once('\n')?;
    Some((name, id.parse().ok()?))
}

#[tonic::async_trait]
impl OrganizationService for Organizations {
    async fn list_my_organizations(
        &self,
        request: Request<proto::ListMyOrganizationsRequest>,
    ) -> Result<Response<proto::ListMyOrganizationsResponse>, Status> {
        let scope = Somebody::of(&request)?.person().scope();
        let size = page::size(request.get_ref().page_size, page::DEFAULT)?;
        let list = self.seal.list_of_account(&scope, "organizations");
        let after = list.position(&request.get_ref().page_token)?;
        let after = after.as_deref().and_then(position_from);
        let mut rows = self.store.my_organization_list_page(&scope, after, size + 1).await.map_err(status::store)?;
        let next_page_token = page::cut(&mut rows, size, |row| list.token(&position(row)));
        let organizations = rows.into_iter().map(organization_to_proto).collect();
        Ok(Response::new(proto::ListMyOrganizationsResponse { organizations, next_page_token }))
    }

    async fn create_organization(
        &self,
        request: Request<proto::CreateOrganizationRequest>,
    ) -> Result<Response<proto::CreateOrganizationResponse>, Status> {
        let (somebody, message) = (Somebody::of(&request)?, request.get_ref());
        let home_name = if message.home_name.trim().is_empty() { HOME_NAME } else { &message.home_name };
        let new = NewOrganization {
            name: fields::name("name", &message.name)?,
            home_name: fields::name("home_name", home_name)?,
            home_time_zone: time_zone_or_utc("home_time_zone", &message.home_time_zone)?.as_str(),
            settings_document: &self.settings_document,
        };
        let scope = somebody.person().scope();
        match self.store.organization_make(&scope, &somebody.actor(), &new).await.map_err(status::store)? {
            OrganizationMade::Yes(made) => {
                self.rights.changed(scope.account()).await;
                let organization = Some(organization_to_proto(made));
                Ok(Response::new(proto::CreateOrganizationResponse { organization }))
            }
            OrganizationMade::EnoughForToday => Err(Status::resource_exhausted(format!(
                "you have made {ORGANIZATIONS_A_DAY} organizations within a day; make the next one tomorrow"
            ))),
            OrganizationMade::NoSuchAccount => {
                Err(Status::unauthenticated("the account is gone; sign in with another one"))
            }
        }
    }

    async fn update_organization(
        &self,
        request: Request<proto::UpdateOrganizationRequest>,
    ) -> Result<Response<proto::UpdateOrganizationResponse>, Status> {
        let caller = Caller::of(&request)?;
        let name = fields::name("name", &request.get_ref().name)?;
        self.store.organization_rename(caller.scope(), &caller.actor(), name).await.map_err(status::store)?;
        Ok(Response::new(proto::UpdateOrganizationResponse {}))
    }

    async fn leave_organization(
        &self,
        request: Request<proto::LeaveOrganizationRequest>,
    ) -> Result<Response<proto::LeaveOrganizationResponse>, Status> {
        let caller = Caller::of(&request)?;
        let account = caller.as_person()?.account;
        let left = self.store.member_leave(caller.scope(), &caller.actor(), account).await.map_err(status::store)?;
        self.told(account, left).await?;
        Ok(Response::new(proto::LeaveOrganizationResponse {}))
    }

    async fn list_members(
        &self,
        request: Request<proto::ListMembersRequest>,
    ) -> Result<Response<proto::ListMembersResponse>, Status> {
        let caller = Caller::of(&request)?;
        let size = page::size(request.get_ref().page_size, page::DEFAULT)?;
        let list = self.seal.list(caller.scope(), "members");
        let after = list.position(&request.get_ref().page_token)?;
        let mut rows =
            self.store.member_list_page(caller.scope(), after.as_deref(), size + 1).await.map_err(status::store)?;
        let next_page_token = page::cut(&mut rows, size, |row| list.token(&row.position));
        let members = rows.into_iter().map(member_to_proto).collect();
        Ok(Response::new(proto::ListMembersResponse { members, next_page_token }))
    }

    async fn update_member(
        &self,
        request: Request<proto::UpdateMemberRequest>,
    ) -> Result<Response<proto::UpdateMemberResponse>, Status> {
        let (caller, message) = (Caller::of(&request)?, request.get_ref());
        let account = message.account_id.parse().map_err(|error| status::invalid("account_id", error))?;
        let role = role_from_proto(message.role)?;
        let changed = self.store.member_set_role(caller.scope(), &caller.actor(), account, role).await;
        self.told(account, changed.map_err(status::store)?).await?;
        Ok(Response::new(proto::UpdateMemberResponse {}))
    }

    async fn remove_member(
        &self,
        request: Request<proto::RemoveMemberRequest>,
    ) -> Result<Response<proto::RemoveMemberResponse>, Status> {
        let caller = Caller::of(&request)?;
        let account = request.get_ref().account_id.parse().map_err(|error| status::invalid("account_id", error))?;
        let removed = self.store.member_remove(caller.scope(), &caller.actor(), account).await;
        self.told(account, removed.map_err(status::store)?).await?;
        Ok(Response::new(proto::RemoveMemberResponse {}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_list_reads_back() {
        let id = OrganizationId::new();
        let mine = MyOrganization { id, name: "North wind".to_owned(), role: None, homes: 1 };
        assert_eq!(position_from(&position(&mine)), Some(("North wind", id)));
        assert_eq!(position_from("x"), None);
        assert_eq!(position_from("x\ny"), None);
    }
}
