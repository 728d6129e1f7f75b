//! Calls about homes and who lives there.

use super::Caller;
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::installation_service_client::InstallationServiceClient;
use tonic::transport::Channel;

impl Caller<'_> {
    fn homes(&self) -> InstallationServiceClient<Channel> {
        InstallationServiceClient::new(self.channel.clone())
    }

    pub(super) async fn list_installations(&self, handles: &Handles) -> Vec<Answer> {
        let names =
            |page: &fleet::ListInstallationsResponse| listed(page.installations.iter().map(|home| home.name.as_str()));
        let all = self.homes().list_installations(self.request(fleet::ListInstallationsRequest::default())).await;
        let page = fleet::ListInstallationsRequest { page_size: 1, page_token: handles.pages.installations.clone() };
        let next = self.homes().list_installations(self.request(page)).await;
        vec![Answer::unary("all", all, names).same_for_the_owner(), Answer::unary("a next page", next, names)]
    }

    /// A name that somebody's home has. It comes back, so it is taken out of the answer, and the home goes.
    pub(super) async fn create_installation(&self, handles: &Handles) -> Answer {
        let request =
            fleet::CreateInstallationRequest { name: handles.installation_name.clone(), ..Default::default() };
        let mut outcome = self.homes().create_installation(self.request(request)).await;
        if let Some(made) = outcome.as_mut().ok().and_then(|answer| answer.get_mut().installation.take()) {
            let delete = self.request(fleet::DeleteInstallationRequest { id: made.id });
            self.homes().delete_installation(delete).await.expect("what was made is deleted");
        }
        Answer::unary("by a name that somebody has", outcome, |_| "made".to_owned())
    }

    pub(super) async fn update_installation(&self, handles: &Handles) -> Answer {
        let time_zone = Some("Europe/Vienna".to_owned());
        let request = fleet::UpdateInstallationRequest { id: handles.installation_id.clone(), time_zone, name: None };
        let outcome = self.homes().update_installation(self.request(request)).await;
        Answer::unary("by id", outcome, |_| "done".to_owned())
    }

    pub(super) async fn delete_installation(&self, handles: &Handles) -> Answer {
        let request = fleet::DeleteInstallationRequest { id: handles.installation_id.clone() };
        let outcome = self.homes().delete_installation(self.request(request)).await;
        Answer::unary("by id", outcome, |_| "done".to_owned())
    }

    pub(super) async fn list_home_people(&self, handles: &Handles) -> Vec<Answer> {
        let emails =
            |page: &fleet::ListHomePeopleResponse| listed(page.people.iter().map(|person| person.email.as_str()));
        let installation_id = handles.installation_id.clone();
        let all = fleet::ListHomePeopleRequest { installation_id: installation_id.clone(), ..Default::default() };
        let all = self.homes().list_home_people(self.request(all)).await;
        let page_token = handles.people.pages.home_people.clone();
        let page = fleet::ListHomePeopleRequest { installation_id, page_size: 1, page_token };
        let next = self.homes().list_home_people(self.request(page)).await;
        vec![Answer::unary("of a home", all, emails), Answer::unary("a next page", next, emails)]
    }

    pub(super) async fn update_home_person(&self, handles: &Handles) -> Answer {
        let request = fleet::UpdateHomePersonRequest {
            installation_id: handles.installation_id.clone(),
            account_id: handles.people.home_person_id.clone(),
            role: fleet::HomeRole::Installer.into(),
        };
        let outcome = self.homes().update_home_person(self.request(request)).await;
        Answer::unary("by ids", outcome, |_| "done".to_owned())
    }

    pub(super) async fn remove_home_person(&self, handles: &Handles) -> Answer {
        let request = fleet::RemoveHomePersonRequest {
            installation_id: handles.installation_id.clone(),
            account_id: handles.people.home_person_id.clone(),
        };
        let outcome = self.homes().remove_home_person(self.request(request)).await;
        Answer::unary("by ids", outcome, |_| "done".to_owned())
    }
}
