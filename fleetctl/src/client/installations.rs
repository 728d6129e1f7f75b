//! Calls about homes and their people.

use super::pages::{Listing, Paging, collect};
use super::{Client, SignedChannel, missing};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::installation_service_client::InstallationServiceClient;
use kaliun_proto::fleet::v1::{
    CreateInstallationRequest, DeleteInstallationRequest, HomePerson, HomeRole, Installation, ListHomePeopleRequest,
    ListInstallationsRequest, RemoveHomePersonRequest, UpdateHomePersonRequest, UpdateInstallationRequest,
};

impl Client {
    fn installations(&self) -> InstallationServiceClient<SignedChannel> {
        InstallationServiceClient::new(self.channel())
    }

    /// Lists homes.
    pub(crate) async fn installation_list(&self, paging: &Paging) -> Result<Listing<Installation>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListInstallationsRequest { page_size, page_token };
            let mut client = self.installations();
            let answer = self.call("list installations", message, |request| client.list_installations(request)).await?;
            Ok((answer.installations, answer.next_page_token))
        })
        .await
    }

    /// Makes a home.
    pub(crate) async fn installation_create(
        &self,
        message: CreateInstallationRequest,
    ) -> Result<Installation, Failure> {
        let mut client = self.installations();
        let doing = format!("create installation/{}", message.name);
        let answer = self.call(&doing, message, |request| client.create_installation(request)).await?;
        answer.installation.ok_or_else(|| missing("installation"))
    }

    /// Changes a home.
    pub(crate) async fn installation_update(
        &self,
        name: &str,
        message: UpdateInstallationRequest,
    ) -> Result<Installation, Failure> {
        let mut client = self.installations();
        let doing = format!("change installation/{name}");
        let answer =
            self.call(&doing, message, |request| client.update_installation(request)).await.map_err(for_home)?;
        answer.installation.ok_or_else(|| missing("installation"))
    }

    /// Deletes a home.
    pub(crate) async fn installation_delete(&self, home: &Installation) -> Result<(), Failure> {
        let mut client = self.installations();
        let doing = format!("delete installation/{}", home.name);
        let message = DeleteInstallationRequest { id: home.id.clone() };
        self.call(&doing, message, |request| client.delete_installation(request)).await.map_err(for_home).map_err(
            |failure| failure.state_hint("take its box out of service first, with `fleetctl device decommission`"),
        )?;
        Ok(())
    }

    /// Lists the people of a home.
    pub(crate) async fn person_list(
        &self,
        home: &Installation,
        paging: &Paging,
    ) -> Result<Listing<HomePerson>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListHomePeopleRequest { installation_id: home.id.clone(), page_size, page_token };
            let mut client = self.installations();
            let doing = format!("list the people of installation/{}", home.name);
            let answer =
                self.call(&doing, message, |request| client.list_home_people(request)).await.map_err(for_home)?;
            Ok((answer.people, answer.next_page_token))
        })
        .await
    }

    /// Gives somebody another role in a home.
    pub(crate) async fn person_update(
        &self,
        home: &Installation,
        person: &HomePerson,
        role: HomeRole,
    ) -> Result<(), Failure> {
        let mut client = self.installations();
        let doing = format!("change what {} may do in installation/{}", person.email, home.name);
        let message = UpdateHomePersonRequest {
            installation_id: home.id.clone(),
            account_id: person.account_id.clone(),
            role: role.into(),
        };
        self.call(&doing, message, |request| client.update_home_person(request)).await.map_err(for_person)?;
        Ok(())
    }

    /// Takes somebody out of a home.
    pub(crate) async fn person_remove(&self, home: &Installation, person: &HomePerson) -> Result<(), Failure> {
        let mut client = self.installations();
        let doing = format!("take {} out of installation/{}", person.email, home.name);
        let message =
            RemoveHomePersonRequest { installation_id: home.id.clone(), account_id: person.account_id.clone() };
        self.call(&doing, message, |request| client.remove_home_person(request)).await.map_err(for_person)?;
        Ok(())
    }
}

fn for_home(failure: Failure) -> Failure {
    failure.not_found_hint("see what there is with `fleetctl get installations`")
}

/// A home has an owner; the only one stays until there is another.
fn for_person(failure: Failure) -> Failure {
    failure.not_found_hint("see who is there with `fleetctl installation people NAME`").state_hint(
        "make somebody else an owner first, with `fleetctl installation person set NAME EMAIL --role owner`",
    )
}
