//! Homes, and who lives there.

use super::client::{call, empty_answer};
use crate::model::failure::Failure;
use crate::model::method as methods;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::{HomePerson, HomeRole, Installation, UpdateInstallationRequest};

/// Homes offered in a choice: the largest page.
const CHOICE_MAX: u32 = 500;

/// The homes to choose from.
pub(crate) async fn choices() -> Result<Vec<Installation>, Failure> {
    Ok(page(CHOICE_MAX, String::new()).await?.0)
}

/// A page of homes, and where the next one begins.
pub(crate) async fn list(page_token: String) -> Result<(Vec<Installation>, String), Failure> {
    page(super::PAGE, page_token).await
}

/// The home with this id; nothing when the caller sees none. The contract lists homes, so pages are gone through.
pub(crate) async fn find(id: &str) -> Result<Option<Installation>, Failure> {
    let mut page_token = String::new();
    loop {
        let (homes, next) = page(CHOICE_MAX, page_token).await?;
        let found = homes.into_iter().find(|home| home.id == id);
        if found.is_some() || next.is_empty() {
            return Ok(found);
        }
        page_token = next;
    }
}

async fn page(page_size: u32, page_token: String) -> Result<(Vec<Installation>, String), Failure> {
    let answer = call(methods::LIST_INSTALLATIONS, &proto::ListInstallationsRequest { page_size, page_token }).await?;
    Ok((answer.installations, answer.next_page_token))
}

/// Makes one.
pub(crate) async fn create(name: String, time_zone: String) -> Result<Installation, Failure> {
    let answer = call(methods::CREATE_INSTALLATION, &proto::CreateInstallationRequest { name, time_zone }).await?;
    answer.installation.ok_or_else(empty_answer)
}

/// Gives it another name or time zone.
pub(crate) async fn update(id: String, name: String, time_zone: String) -> Result<Installation, Failure> {
    let request = UpdateInstallationRequest { id, name: Some(name), time_zone: Some(time_zone) };
    call(methods::UPDATE_INSTALLATION, &request).await?.installation.ok_or_else(empty_answer)
}

/// Deletes one.
pub(crate) async fn delete(id: String) -> Result<(), Failure> {
    call(methods::DELETE_INSTALLATION, &proto::DeleteInstallationRequest { id }).await.map(|_| ())
}

/// A page of its people, and where the next one begins.
pub(crate) async fn people(installation_id: String, page_token: String) -> Result<(Vec<HomePerson>, String), Failure> {
    let request = proto::ListHomePeopleRequest { installation_id, page_size: super::PAGE, page_token };
    let answer = call(methods::LIST_HOME_PEOPLE, &request).await?;
    Ok((answer.people, answer.next_page_token))
}

/// Gives somebody another role there.
pub(crate) async fn update_person(installation_id: String, account_id: String, role: HomeRole) -> Result<(), Failure> {
    let request = proto::UpdateHomePersonRequest { installation_id, account_id, role: role.into() };
    call(methods::UPDATE_HOME_PERSON, &request).await.map(|_| ())
}

/// Takes somebody out of it.
pub(crate) async fn remove_person(installation_id: String, account_id: String) -> Result<(), Failure> {
    let request = proto::RemoveHomePersonRequest { installation_id, account_id };
    call(methods::REMOVE_HOME_PERSON, &request).await.map(|_| ())
}
