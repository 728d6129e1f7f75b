//! Organizations, and who has a role in the whole of one.

use super::client::{call, empty_answer};
use crate::model::failure::Failure;
use crate::model::method as methods;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::{CreateOrganizationRequest, Member, Organization, Role};

/// Organizations offered in the switcher: the largest page. Nobody works for more.
const CHOICE_MAX: u32 = 500;

/// Those that the person has to do with.
pub(crate) async fn list_mine() -> Result<Vec<Organization>, Failure> {
    let request = proto::ListMyOrganizationsRequest { page_size: CHOICE_MAX, page_token: String::new() };
    Ok(call(methods::LIST_MY_ORGANIZATIONS, &request).await?.organizations)
}

/// Makes one.
pub(crate) async fn create(request: CreateOrganizationRequest) -> Result<Organization, Failure> {
    call(methods::CREATE_ORGANIZATION, &request).await?.organization.ok_or_else(empty_answer)
}

/// Gives it another name.
pub(crate) async fn update(name: String) -> Result<(), Failure> {
    call(methods::UPDATE_ORGANIZATION, &proto::UpdateOrganizationRequest { name }).await.map(|_| ())
}

/// Takes the person out of it.
pub(crate) async fn leave() -> Result<(), Failure> {
    call(methods::LEAVE_ORGANIZATION, &proto::LeaveOrganizationRequest {}).await.map(|_| ())
}

/// A page of its people, and where the next one begins.
pub(crate) async fn members(page_token: String) -> Result<(Vec<Member>, String), Failure> {
    let request = proto::ListMembersRequest { page_size: super::PAGE, page_token };
    let answer = call(methods::LIST_MEMBERS, &request).await?;
    Ok((answer.members, answer.next_page_token))
}

/// Gives somebody another role.
pub(crate) async fn update_member(account_id: String, role: Role) -> Result<(), Failure> {
    let request = proto::UpdateMemberRequest { account_id, role: role.into() };
    call(methods::UPDATE_MEMBER, &request).await.map(|_| ())
}

/// Takes somebody out of it.
pub(crate) async fn remove_member(account_id: String) -> Result<(), Failure> {
    call(methods::REMOVE_MEMBER, &proto::RemoveMemberRequest { account_id }).await.map(|_| ())
}
