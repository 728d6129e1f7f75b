//! The people of a tenant: members, those of a home, who is invited, and support with and without an owner's leave.

use super::tenant::{account_insert, bare_account_insert, session_insert};
use crate::support::with_token_of;
use anyhow::Result;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::consent_service_client::ConsentServiceClient;
use kaliun_proto::fleet::v1::installation_service_client::InstallationServiceClient;
use kaliun_proto::fleet::v1::invitation_service_client::InvitationServiceClient;
use kaliun_proto::fleet::v1::organization_service_client::OrganizationServiceClient;
use tokio_postgres::Client;
use tonic::transport::Channel;
use uuid::Uuid;

/// What a caller can name of a tenant's people.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeopleHandles {
    pub(crate) organization_id: String,
    /// A viewer.
    pub(crate) member_id: String,
    /// Somebody who lives in the home of the handles.
    pub(crate) home_person_id: String,
    pub(crate) invitation_id: String,
    /// One that waits.
    pub(crate) consent_id: String,
    pub(crate) pages: PeoplePages,
}

/// Where the second page of each list begins.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeoplePages {
    pub(crate) organizations: String,
    pub(crate) members: String,
    pub(crate) home_people: String,
    pub(crate) invitations: String,
    pub(crate) consents: String,
}

impl PeopleHandles {
    pub(crate) fn of_nobody(id: impl Fn() -> String, page: impl Fn() -> String) -> Self {
        Self {
            organization_id: id(),
            member_id: id(),
            home_person_id: id(),
            invitation_id: id(),
            consent_id: id(),
            pages: PeoplePages {
                organizations: page(),
                members: page(),
                home_people: page(),
                invitations: page(),
                consents: page(),
            },
        }
    }

    /// With their names.
    pub(crate) fn known(&self) -> [(&'static str, &String); 5] {
        [
            ("organization id", &self.organization_id),
            ("member id", &self.member_id),
            ("home person id", &self.home_person_id),
            ("invitation id", &self.invitation_id),
            ("consent id", &self.consent_id),
        ]
    }
}

/// Somebody with a role in a home.
pub(crate) async fn resident_insert(
    admin: &Client,
    organization: Uuid,
    home: &str,
    email: &str,
    role: HomeRole,
) -> Result<Uuid> {
    let account = bare_account_insert(admin, email).await?;
    admin
        .execute(
            "INSERT INTO home_membership (organization_id, installation_id, account_id, role) VALUES ($1, $2::text::uuid, $3, $4)",
            &[&organization, &home, &account, &role.number()],
        )
        .await?;
    Ok(account)
}

/// Asks an owner of a home for leave, and has it unless it waits. Answers the id.
pub(crate) async fn consent_insert(
    admin: &Client,
    organization: Uuid,
    home: &str,
    account: Uuid,
    waits: bool,
) -> Result<String> {
    let row = admin
        .query_one(
            "INSERT INTO consent (id, organization_id, installation_id, account_id, asked_by, asked_by_name, reason, duration,
                 answer_until, granted_at, ends_at, decided_by)
             SELECT $1, $2, $3::text::uuid, a.id, a.email, a.email, a.email || ' helps', '1 hour', now() + interval '1 hour',
                 CASE WHEN $5 THEN NULL ELSE now() END, CASE WHEN $5 THEN NULL ELSE now() + interval '1 hour' END,
                 CASE WHEN $5 THEN '' ELSE a.email END
             FROM account a WHERE a.id = $4 RETURNING id::text",
            &[&Uuid::now_v7(), &organization, &home, &account, &waits],
        )
        .await?;
    Ok(row.get(0))
}

/// Fills a tenant with people. The token is that of a person who is its admin.
pub(crate) async fn fill(
    admin: &Client,
    channel: &Channel,
    word: &str,
    (organization, home): (Uuid, &str),
    own_token: &str,
) -> Result<PeopleHandles> {
    let member = account_insert(admin, organization, &format!("{word}-looks@example.org"), Role::Viewer).await?;
    let helper = account_insert(admin, organization, &format!("{word}-helps@example.org"), Role::Support).await?;
    resident_insert(admin, organization, home, &format!("{word}-owns@example.org"), HomeRole::Owner).await?;
    let email = format!("{word}-lives@example.org");
    let home_person = resident_insert(admin, organization, home, &email, HomeRole::Member).await?;
    consent_insert(admin, organization, home, helper, false).await?;
    let consent_id = consent_insert(admin, organization, home, helper, true).await?;
    let mail = "INSERT INTO mail (id, organization_id, recipient, kind, parameters, sent_at)
                VALUES (gen_random_uuid(), $1, $2, 'account_deleted', '{}', now())";
    admin.execute(mail, &[&organization, &email]).await?;

    let in_own = |message| with_token_of(own_token, message);
    let mut organizations = OrganizationServiceClient::new(channel.clone());
    let more = fleet::CreateOrganizationRequest { name: format!("{word} more"), ..Default::default() };
    organizations.create_organization(with_token_of(own_token, more)).await?;
    let mut invitations = InvitationServiceClient::new(channel.clone());
    let mut invitation_id = String::new();
    for email in [format!("{word}-first@example.org"), format!("{word}-second@example.org")] {
        let request = fleet::CreateInvitationRequest { email, role: fleet::Role::Viewer.into(), ..Default::default() };
        let made = invitations.create_invitation(in_own(request)).await?.into_inner();
        invitation_id = made.invitation.unwrap_or_default().id;
    }
    let (member_id, home_person_id) = (member.to_string(), home_person.to_string());
    let pages = pages(channel, home, own_token).await?;
    Ok(PeopleHandles {
        organization_id: organization.to_string(),
        member_id,
        home_person_id,
        invitation_id,
        consent_id,
        pages,
    })
}

async fn pages(channel: &Channel, home: &str, own_token: &str) -> Result<PeoplePages> {
    let mut organizations = OrganizationServiceClient::new(channel.clone());
    let first = fleet::ListMyOrganizationsRequest { page_size: 1, ..Default::default() };
    let mine = organizations.list_my_organizations(with_token_of(own_token, first)).await?.into_inner();
    let first = fleet::ListMembersRequest { page_size: 1, ..Default::default() };
    let members = organizations.list_members(with_token_of(own_token, first)).await?.into_inner();
    let mut homes = InstallationServiceClient::new(channel.clone());
    let first = fleet::ListHomePeopleRequest { installation_id: home.to_owned(), page_size: 1, ..Default::default() };
    let home_people = homes.list_home_people(with_token_of(own_token, first)).await?.into_inner();
    let mut invitations = InvitationServiceClient::new(channel.clone());
    let first = fleet::ListInvitationsRequest { page_size: 1, ..Default::default() };
    let invitations = invitations.list_invitations(with_token_of(own_token, first)).await?.into_inner();
    let mut consents = ConsentServiceClient::new(channel.clone());
    let first = fleet::ListConsentsRequest { page_size: 1, ..Default::default() };
    let consents = consents.list_consents(with_token_of(own_token, first)).await?.into_inner();
    let pages = PeoplePages {
        organizations: mine.next_page_token,
        members: members.next_page_token,
        home_people: home_people.next_page_token,
        invitations: invitations.next_page_token,
        consents: consents.next_page_token,
    };
    let all = [&pages.organizations, &pages.members, &pages.home_people, &pages.invitations, &pages.consents];
    anyhow::ensure!(all.iter().all(|token| !token.is_empty()), "there are two of each: {pages:?}");
    Ok(pages)
}

/// Somebody of a home, signed in as `fleetctl login` does. Answers the access token.
pub(crate) async fn resident_signed_in(
    admin: &Client,
    (organization, home): (Uuid, &str),
    word: &str,
    role: HomeRole,
) -> Result<String> {
    let email = format!("{word}-{}-calls@example.org", role.word());
    let account = resident_insert(admin, organization, home, &email, role).await?;
    Ok(session_insert(admin, account, word).await?.0)
}

/// Somebody of support whom the home's owner lets in now.
pub(crate) async fn helper_signed_in(admin: &Client, (organization, home): (Uuid, &str), word: &str) -> Result<String> {
    let account = account_insert(admin, organization, &format!("{word}-helps-now@example.org"), Role::Support).await?;
    consent_insert(admin, organization, home, account, false).await?;
    Ok(session_insert(admin, account, word).await?.0)
}
