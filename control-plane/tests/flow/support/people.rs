//! People with accounts, signed in as `fleetctl login` does, and what they are in the server's first organization.

use super::{Fixture, with_token_of};
use anyhow::Result;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::consent_service_client::ConsentServiceClient;
use kaliun_proto::fleet::v1::installation_service_client::InstallationServiceClient;
use kaliun_proto::fleet::v1::invitation_service_client::InvitationServiceClient;
use kaliun_proto::fleet::v1::organization_service_client::OrganizationServiceClient;
use tonic::Request;
use tonic::transport::Channel;
use uuid::Uuid;

/// Somebody who is signed in.
pub(crate) struct Person {
    pub(crate) account: Uuid,
    pub(crate) email: String,
    token: String,
    channel: Channel,
}

impl Person {
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        with_token_of(&self.token, message)
    }

    pub(crate) fn organizations(&self) -> OrganizationServiceClient<Channel> {
        OrganizationServiceClient::new(self.channel.clone())
    }

    pub(crate) fn invitations(&self) -> InvitationServiceClient<Channel> {
        InvitationServiceClient::new(self.channel.clone())
    }

    pub(crate) fn homes(&self) -> InstallationServiceClient<Channel> {
        InstallationServiceClient::new(self.channel.clone())
    }

    pub(crate) fn consents(&self) -> ConsentServiceClient<Channel> {
        ConsentServiceClient::new(self.channel.clone())
    }

    pub(crate) fn devices(&self) -> fleet::device_service_client::DeviceServiceClient<Channel> {
        fleet::device_service_client::DeviceServiceClient::new(self.channel.clone())
    }

    pub(crate) fn watches(&self) -> fleet::watch_service_client::WatchServiceClient<Channel> {
        fleet::watch_service_client::WatchServiceClient::new(self.channel.clone())
    }
}

impl Fixture {
    /// Somebody who belongs to nothing.
    pub(crate) async fn person(&self, email: &str) -> Result<Person> {
        let (account, token) = (Uuid::now_v7(), format!("kas1.{}", Uuid::now_v7()));
        let admin = self.admin().await?;
        let statement = "INSERT INTO account (id, email, name, confirmed_at) VALUES ($1, $2, 'Somebody', now())";
        admin.execute(statement, &[&account, &email]).await?;
        admin
            .execute(
                "INSERT INTO account_session
                     (id, account_id, kind, secret_hash, client, source_address, expires_at, access_expires_at, refresh_hash)
                 VALUES (gen_random_uuid(), $1, 2, sha256($2), 'test', '', now() + interval '1 hour', now() + interval '1 hour', sha256($3))",
                &[&account, &token.as_bytes(), &format!("r{token}").as_bytes()],
            )
            .await?;
        Ok(Person { account, email: email.to_owned(), token, channel: self.public().await? })
    }

    /// Somebody with a role in the server's first organization.
    pub(crate) async fn member(&self, email: &str, role: Role) -> Result<Person> {
        let person = self.person(email).await?;
        let statement = "INSERT INTO membership (organization_id, account_id, role)
                         SELECT id, $1, $2 FROM organization WHERE runs_platform";
        self.admin().await?.execute(statement, &[&person.account, &role.number()]).await?;
        Ok(person)
    }

    /// Somebody with a role in the first home of the server's first organization.
    pub(crate) async fn resident(&self, email: &str, role: HomeRole) -> Result<Person> {
        let person = self.person(email).await?;
        let statement = "INSERT INTO home_membership (organization_id, installation_id, account_id, role)
                         SELECT i.organization_id, i.id, $1, $2 FROM installation i JOIN organization o ON o.id = i.organization_id
                         WHERE o.runs_platform AND i.name = 'Home'";
        self.admin().await?.execute(statement, &[&person.account, &role.number()]).await?;
        Ok(person)
    }

    /// The home that the server's first organization began with.
    pub(crate) async fn first_home(&self) -> Result<String> {
        let statement = "SELECT i.id::text FROM installation i JOIN organization o ON o.id = i.organization_id
                         WHERE o.runs_platform AND i.name = 'Home'";
        Ok(self.admin().await?.query_one(statement, &[]).await?.get(0))
    }
}
