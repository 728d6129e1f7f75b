//! A tenant with something of everything.

use super::handles::{Handles, Pages};
use super::page::sign_in;
use super::people;
use crate::support::claims::{check, leave_waiting};
use crate::support::{Fixture, PATIENCE, SPOOL, Session, TOKEN, TestBox, claim_code, samples, with_token_of};
use anyhow::{Context, Result, ensure};
use argon2::password_hash::PasswordHasher;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use kaliun_proto::link::v1::server_message::Message as ServerWord;
use kaliun_proto::link::v1::{CertificateRequest, DeviceEvent, EventBatch, FactsReport, ItemClass};
use kaliun_proto::telemetry::v1::Facts;
use std::time::Instant;
use tokio_postgres::Client;
use tonic::Request;
use tonic::transport::Channel;
use uuid::Uuid;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// An organization and whatever can belong to one, with a word in every name.
pub(crate) struct Tenant {
    /// In all names and texts of this tenant, and nowhere else.
    pub(crate) word: &'static str,
    /// Of an admin.
    pub(crate) token: String,
    /// Of the person whose account the handles name, an admin.
    own_token: String,
    pub(crate) organization: Uuid,
    pub(crate) handles: Handles,
    /// A device beside the one of the handles.
    pub(crate) other_device_id: String,
    /// The device of the handles, from its own side.
    pub(crate) known: TestBox,
}

impl Tenant {
    /// The organization that the server made by itself, under another name.
    pub(crate) async fn first(fixture: &Fixture, word: &'static str) -> Result<Self> {
        let admin = fixture.admin().await?;
        let row =
            admin.query_one("UPDATE organization SET name = $1 RETURNING id", &[&format!("{word} homes")]).await?;
        admin.execute("UPDATE installation SET name = $1", &[&format!("{word} first home")]).await?;
        admin.execute("UPDATE account SET email = $1", &[&format!("{word}-founder@example.org")]).await?;
        admin.execute("UPDATE api_token SET name = $1", &[&format!("{word} first token")]).await?;
        Self::fill(fixture, &admin, word, row.get(0), TOKEN.to_owned()).await
    }

    /// Another one, made behind the server's back.
    pub(crate) async fn second(fixture: &Fixture, word: &'static str) -> Result<Self> {
        let admin = fixture.admin().await?;
        let organization = Uuid::now_v7();
        let token = format!("kat1.{word}-{}", "x".repeat(40));
        admin
            .execute("INSERT INTO organization (id, name) VALUES ($1, $2)", &[&organization, &format!("{word} homes")])
            .await?;
        admin
            .execute(
                "INSERT INTO installation (id, organization_id, name) VALUES (gen_random_uuid(), $1, $2)",
                &[&organization, &format!("{word} first home")],
            )
            .await?;
        admin
            .execute(
                "INSERT INTO api_token (id, organization_id, name, role, secret_hash, created_by, expires_at)
                 VALUES (gen_random_uuid(), $1, $2, 4, sha256($3), $2, now() + interval '1 hour')",
                &[&organization, &format!("{word} first token"), &token.as_bytes()],
            )
            .await?;
        admin
            .execute(
                "INSERT INTO report_settings (organization_id, document) SELECT $1, document FROM report_settings LIMIT 1",
                &[&organization],
            )
            .await?;
        Self::fill(fixture, &admin, word, organization, token).await
    }

    async fn fill(
        fixture: &Fixture,
        admin: &Client,
        word: &'static str,
        organization: Uuid,
        token: String,
    ) -> Result<Self> {
        let installation: Uuid = admin
            .query_one(
                "INSERT INTO installation (id, organization_id, name) VALUES (gen_random_uuid(), $1, $2) RETURNING id",
                &[&organization, &format!("{word} second home")],
            )
            .await?
            .get(0);
        let email = format!("{word}@example.org");
        let account = account_insert(admin, organization, &email, Role::Admin).await?;
        let signed_in = sign_in(fixture.server.addresses().public, &email, PASSWORD).await?;
        ensure!(signed_in.code == Some(0), "{signed_in:?}");

        let asking = Asking { channel: fixture.public().await?, token: &token };
        let site = format!("{word}-site");
        let (join_token_id, secret) = asking.join_token(&format!("{word} join"), &site).await?;
        asking.join_token(&format!("{word} spare join"), &site).await?;
        let api_token_id = asking.api_token(&format!("{word} api")).await?;

        let known = TestBox::enroll_by(fixture, &secret, &format!("{word}-cellar")).await?;
        let other_device_id = TestBox::enroll_by(fixture, &secret, &format!("{word}-attic")).await?.device_id;
        let code = claim_code(fixture, &format!("{word}-shed")).await?;
        asking.claim(&code, &check(fixture, &code).await?, &installation.to_string()).await?;
        for number in 1..=2 {
            leave_waiting(
                fixture,
                &rcgen::KeyPair::generate()?,
                &asking.approval_token(&format!("{word} approval {number}")).await?,
                &format!("{word}-waiting-{number}"),
            )
            .await?;
        }
        let waiting = asking.waiting().await?;
        let [enrollment_id, other_enrollment_id] =
            <[String; 2]>::try_from(waiting).map_err(|waiting| anyhow::anyhow!("{waiting:?}"))?;
        report(&known, word).await?;
        asking.until_offline(&known.device_id).await?;

        refused_insert(admin, organization, word).await?;
        mail_insert(admin, organization, word).await?;
        let returned_device_id = returned_insert(admin, organization, word).await?;

        let (own_token, session_id) = session_insert(admin, account, word).await?;
        session_insert(admin, account, word).await?;
        let user_code =
            login_insert(admin, account, word, if word == "northwind" { "BBBBDDDD" } else { "CCCCDDDD" }).await?;

        let (identity_id, domain, claim_rule_id) = from_elsewhere_insert(admin, organization, account, word).await?;

        let mut pages = asking.pages(&known.device_id).await?;
        pages.sessions = sessions_page(&asking.channel, &own_token).await?;
        let home = installation.to_string();
        let people = people::fill(admin, &asking.channel, word, (organization, &home), &own_token).await?;
        let handles = Handles {
            device_id: known.device_id.clone(),
            device_name: format!("{word}-cellar"),
            device_version: 1,
            returned_device_id,
            site,
            installation_id: home,
            installation_name: format!("{word} second home"),
            people,
            join_token_id,
            join_token_title: format!("{word} join"),
            api_token_id,
            api_token_title: format!("{word} api"),
            account_id: account.to_string(),
            session_id,
            user_code,
            email,
            identity_id,
            domain,
            claim_rule_id,
            claim_code: code,
            enrollment_id,
            other_enrollment_id,
            pages,
        };
        Ok(Self { word, token, own_token, organization, handles, other_device_id, known })
    }

    /// A request with this tenant's token.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        with_token_of(&self.token, message)
    }

    /// A token with a role in this tenant.
    pub(crate) async fn token_of(&self, fixture: &Fixture, role: Role) -> Result<String> {
        if role == Role::Admin {
            return Ok(self.token.clone());
        }
        let token = format!("kat1.{}-{}-{}", self.word, role.number(), "x".repeat(40));
        let statement = "INSERT INTO api_token (id, organization_id, name, role, secret_hash, created_by, expires_at)
                         VALUES (gen_random_uuid(), $1, $2, $3, sha256($4), $2, now() + interval '1 hour')";
        let name = format!("{} {role:?}", self.word);
        fixture
            .admin()
            .await?
            .execute(statement, &[&self.organization, &name, &role.number(), &token.as_bytes()])
            .await?;
        Ok(token)
    }

    /// An access token of a person with a role in this tenant. An admin is the one whose account the handles name.
    pub(crate) async fn person_of(&self, fixture: &Fixture, role: Role) -> Result<String> {
        if role == Role::Admin {
            return Ok(self.own_token.clone());
        }
        let (admin, email) = (fixture.admin().await?, format!("{}-{}@example.org", self.word, role.word()));
        let account = account_insert(&admin, self.organization, &email, role).await?;
        Ok(session_insert(&admin, account, self.word).await?.0)
    }

    /// An access token of a person with a role in the home of the handles, and nothing else.
    pub(crate) async fn resident_of(&self, fixture: &Fixture, role: HomeRole) -> Result<String> {
        let place = (self.organization, self.handles.installation_id.as_str());
        people::resident_signed_in(&fixture.admin().await?, place, self.word, role).await
    }

    /// An access token of somebody of support whom the owner of that home lets in.
    pub(crate) async fn helper_of(&self, fixture: &Fixture) -> Result<String> {
        let place = (self.organization, self.handles.installation_id.as_str());
        people::helper_signed_in(&fixture.admin().await?, place, self.word).await
    }

    /// Fails when a text holds anything of this tenant.
    pub(crate) fn assert_absent(&self, text: &str, what: &str) {
        let Handles { device_id, returned_device_id, installation_id, join_token_id, api_token_id, claim_code, .. } =
            &self.handles;
        let organization = self.organization.to_string();
        let known = [
            &organization,
            device_id,
            returned_device_id,
            &self.other_device_id,
            installation_id,
            join_token_id,
            api_token_id,
        ];
        let people = self.handles.people.known().map(|(_, id)| id.as_str());
        for own in known.into_iter().map(String::as_str).chain(people).chain([self.word, claim_code.as_str()]) {
            assert!(!text.contains(own), "{what} shows {own}: {text}");
        }
    }
}

/// An account of somebody who belongs to nothing.
pub(crate) async fn bare_account_insert(admin: &Client, email: &str) -> Result<Uuid> {
    let hash = argon2::Argon2::default()
        .hash_password_with_salt(PASSWORD.as_bytes(), &[7; 16])
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let account = Uuid::now_v7();
    admin
        .execute(
            "INSERT INTO account (id, email, password_hash, confirmed_at) VALUES ($1, $2, $3, now())",
            &[&account, &email, &hash.to_string()],
        )
        .await?;
    Ok(account)
}

/// An account of somebody with a role in an organization.
pub(crate) async fn account_insert(admin: &Client, organization: Uuid, email: &str, role: Role) -> Result<Uuid> {
    let account = bare_account_insert(admin, email).await?;
    admin
        .execute(
            "INSERT INTO membership (organization_id, account_id, role) VALUES ($1, $2, $3)",
            &[&organization, &account, &role.number()],
        )
        .await?;
    Ok(account)
}

/// A session of somebody, as `fleetctl login` makes one. Answers the access token, and the session's id.
pub(crate) async fn session_insert(admin: &Client, account: Uuid, word: &str) -> Result<(String, String)> {
    let token = format!("kas1.{word}-{}", Uuid::now_v7());
    let row = admin
        .query_one(
            "INSERT INTO account_session
                 (id, account_id, kind, secret_hash, client, source_address, expires_at, access_expires_at, refresh_hash)
             VALUES ($1, $2, 2, sha256($3), $4, '192.0.2.7', now() + interval '1 hour', now() + interval '1 hour', sha256($5))
             RETURNING id::text",
            &[&Uuid::now_v7(), &account, &token.as_bytes(), &format!("{word} machine"), &format!("r{token}").as_bytes()],
        )
        .await?;
    Ok((token, row.get(0)))
}

/// A machine that somebody said yes to, and that has not asked since. Answers its code.
async fn login_insert(admin: &Client, account: Uuid, word: &str, user_code: &str) -> Result<String> {
    admin
        .execute(
            "INSERT INTO login (id, device_code_hash, user_code, client, source_address, state, account_id, expires_at)
             VALUES ($1, sha256($2), $3, $4, '192.0.2.7', 2, $5, now() + interval '1 hour')",
            &[&Uuid::now_v7(), &word.as_bytes(), &user_code, &format!("{word} machine"), &account],
        )
        .await?;
    Ok(user_code.to_owned())
}

/// Who the account is at a provider, a domain, a rule, and that the account is an admin by it. Answers what names them.
async fn from_elsewhere_insert(
    admin: &Client,
    organization: Uuid,
    account: Uuid,
    word: &str,
) -> Result<(String, String, String)> {
    let domain = format!("{word}.example.net");
    let identity = admin
        .query_one(
            "INSERT INTO account_identity (id, account_id, provider, subject, email) VALUES (gen_random_uuid(), $1, 'company', $2, $3)
             RETURNING id::text",
            &[&account, &word, &format!("{word}@{domain}")],
        )
        .await?;
    admin
        .execute(
            "INSERT INTO organization_domain (organization_id, domain, word, role) VALUES ($1, $2, $3, 1)",
            &[&organization, &domain, &format!("{word}-record")],
        )
        .await?;
    let rule = admin
        .query_one(
            "INSERT INTO organization_claim_rule (id, organization_id, provider, claim, value, role)
             VALUES (gen_random_uuid(), $1, 'company', 'groups', $2, 4) RETURNING id::text",
            &[&organization, &format!("{word} crew")],
        )
        .await?;
    admin
        .execute(
            "INSERT INTO membership_by_claim (organization_id, account_id, provider, role) VALUES ($1, $2, 'company', 4)",
            &[&organization, &account],
        )
        .await?;
    Ok((identity.get(0), domain, rule.get(0)))
}

/// What is counted of boxes that came with a token of this tenant and were refused.
async fn refused_insert(admin: &Client, organization: Uuid, word: &str) -> Result<()> {
    let statement = "INSERT INTO enrollment_refusal
                         (hour, source, organization_id, reason, refused_count, first_at, last_at)
                     VALUES (date_trunc('hour', now()), $2, $1, 'enrollment.token_revoked', 5000, now(), now())";
    for source in ["first", "second"] {
        admin.execute(statement, &[&organization, &format!("{word}-{source}-source")]).await?;
    }
    Ok(())
}

/// A mail that the server could not send.
async fn mail_insert(admin: &Client, organization: Uuid, word: &str) -> Result<()> {
    let statement = "INSERT INTO mail (id, organization_id, recipient, kind, parameters, given_up_at, last_error)
                     VALUES (gen_random_uuid(), $1, $2, 'password_changed', '{}', now(), $3)";
    let recipient = format!("{word}-guest@example.org");
    admin
        .execute(statement, &[&organization, &recipient, &format!("it is not taken (550 {recipient} is unknown)")])
        .await?;
    Ok(())
}

/// Devices that came back and that the database does not know; answers the one that somebody takes back.
async fn returned_insert(admin: &Client, organization: Uuid, word: &str) -> Result<String> {
    let statement = "INSERT INTO returned_device
                         (device_id, organization_id, key_hash, certificate_authority, certificate_expires_at, source)
                     VALUES (gen_random_uuid(), $1, sha256($2), 1, now() + interval '9 days', $3)
                     RETURNING device_id::text";
    let source = format!("{word}-somewhere");
    // One stays whatever is done.
    admin.query_one(statement, &[&organization, &format!("{word} 1").as_bytes(), &source]).await?;
    let row = admin.query_one(statement, &[&organization, &format!("{word} 2").as_bytes(), &source]).await?;
    Ok(row.get(0))
}

/// Sends facts, an event and samples, each with the word where it takes one, and ends the session.
async fn report(known: &TestBox, word: &str) -> Result<()> {
    let mut session: Session = known.open().await?;
    let facts = Facts { hostname: format!("{word}-cellar"), model: format!("{word} model"), ..Facts::default() };
    session.send(DeviceWord::FactsReport(FactsReport { facts: Some(facts), hash: Vec::new() })).await?;
    let happened = |message: &str| DeviceEvent {
        happened_at_ms: 1_800_000_000_000,
        code: "agent.started".to_owned(),
        message: format!("{word} {message}"),
    };
    let events = vec![happened("went"), happened("came")];
    let batch = EventBatch { spool_id: SPOOL.to_vec(), first_sequence: 1, events };
    session.send(DeviceWord::EventBatch(batch)).await?;
    session.stored(ItemClass::Events, 2).await?;
    // A second certificate, so that there is a second page of them.
    let certificate_request = rcgen::CertificateParams::default().serialize_request(&known.key)?.der().to_vec();
    session.send(DeviceWord::CertificateRequest(CertificateRequest { certificate_request })).await?;
    while !matches!(session.next().await?, ServerWord::Certificate(_)) {}
    session.send(DeviceWord::SampleBatch(samples(1, 3))).await?;
    session.acknowledged(3).await
}

/// Where the second page of a person's sessions begins.
async fn sessions_page(channel: &Channel, own_token: &str) -> Result<String> {
    let mut accounts = fleet::account_service_client::AccountServiceClient::new(channel.clone());
    let request = fleet::ListSessionsRequest { page_size: 1, ..Default::default() };
    Ok(accounts.list_sessions(with_token_of(own_token, request)).await?.into_inner().next_page_token)
}

/// Asks as a tenant that is not complete yet.
struct Asking<'a> {
    channel: Channel,
    token: &'a str,
}

impl Asking<'_> {
    fn request<T>(&self, message: T) -> Request<T> {
        with_token_of(self.token, message)
    }

    async fn join_token(&self, title: &str, site: &str) -> Result<(String, String)> {
        let request = fleet::CreateJoinTokenRequest {
            description: title.to_owned(),
            max_uses: 10,
            labels: [("site".to_owned(), site.to_owned())].into(),
            ..Default::default()
        };
        let mut client = fleet::join_token_service_client::JoinTokenServiceClient::new(self.channel.clone());
        let made = client.create_join_token(self.request(request)).await?.into_inner();
        Ok((made.join_token.context("a join token")?.id, made.secret))
    }

    async fn approval_token(&self, title: &str) -> Result<String> {
        let request =
            fleet::CreateJoinTokenRequest { description: title.to_owned(), needs_approval: true, ..Default::default() };
        let mut client = fleet::join_token_service_client::JoinTokenServiceClient::new(self.channel.clone());
        Ok(client.create_join_token(self.request(request)).await?.into_inner().secret)
    }

    async fn waiting(&self) -> Result<Vec<String>> {
        let mut client = fleet::enrollment_service_client::EnrollmentServiceClient::new(self.channel.clone());
        let page = client.list_enrollments(self.request(fleet::ListEnrollmentsRequest::default())).await?;
        Ok(page.into_inner().enrollments.into_iter().map(|waiting| waiting.id).collect())
    }

    async fn api_token(&self, title: &str) -> Result<String> {
        let role = fleet::Role::Viewer.into();
        let request = fleet::CreateApiTokenRequest { name: title.to_owned(), role, ..Default::default() };
        let mut client = fleet::api_token_service_client::ApiTokenServiceClient::new(self.channel.clone());
        let made = client.create_api_token(self.request(request)).await?.into_inner();
        Ok(made.api_token.context("an API token")?.id)
    }

    async fn claim(&self, code: &str, check: &str, installation: &str) -> Result<()> {
        let request = fleet::ApproveClaimRequest {
            code: code.to_owned(),
            check: check.to_owned(),
            installation_id: installation.to_owned(),
            ..Default::default()
        };
        let mut client = fleet::claim_service_client::ClaimServiceClient::new(self.channel.clone());
        client.approve_claim(self.request(request)).await?;
        Ok(())
    }

    async fn until_offline(&self, device: &str) -> Result<()> {
        let began = Instant::now();
        let mut client = fleet::device_service_client::DeviceServiceClient::new(self.channel.clone());
        loop {
            let by = fleet::get_device_request::By::Id(device.to_owned());
            let answer = client.get_device(self.request(fleet::GetDeviceRequest { by: Some(by) })).await?.into_inner();
            let link = answer.device.and_then(|device| device.link).context("a link")?;
            if link.state() == fleet::LinkState::Offline {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "it stayed {link:?}");
        }
    }

    async fn pages(&self, device: &str) -> Result<Pages> {
        let mut pages = Pages::default();
        let mut devices = fleet::device_service_client::DeviceServiceClient::new(self.channel.clone());
        for order in 1..=4 {
            let request = fleet::ListDevicesRequest { order, page_size: 1, ..Default::default() };
            pages.devices.push(devices.list_devices(self.request(request)).await?.into_inner().next_page_token);
        }
        let mut audits = fleet::audit_service_client::AuditServiceClient::new(self.channel.clone());
        let request = fleet::ListAuditEntriesRequest { page_size: 1, ..Default::default() };
        pages.audit = audits.list_audit_entries(self.request(request)).await?.into_inner().next_page_token;
        let mut join_tokens = fleet::join_token_service_client::JoinTokenServiceClient::new(self.channel.clone());
        let request = fleet::ListJoinTokensRequest { page_size: 1, ..Default::default() };
        pages.join_tokens = join_tokens.list_join_tokens(self.request(request)).await?.into_inner().next_page_token;
        let mut api_tokens = fleet::api_token_service_client::ApiTokenServiceClient::new(self.channel.clone());
        let request = fleet::ListApiTokensRequest { page_size: 1, ..Default::default() };
        pages.api_tokens = api_tokens.list_api_tokens(self.request(request)).await?.into_inner().next_page_token;
        let mut homes = fleet::installation_service_client::InstallationServiceClient::new(self.channel.clone());
        let request = fleet::ListInstallationsRequest { page_size: 1, ..Default::default() };
        pages.installations = homes.list_installations(self.request(request)).await?.into_inner().next_page_token;
        let mut history = fleet::history_service_client::HistoryServiceClient::new(self.channel.clone());
        let request = fleet::ListEventsRequest { page_size: 1, ..Default::default() };
        pages.events = history.list_events(self.request(request)).await?.into_inner().next_page_token;
        let mut enrollments = fleet::enrollment_service_client::EnrollmentServiceClient::new(self.channel.clone());
        let page = fleet::ListEnrollmentsRequest { page_size: 1, ..Default::default() };
        pages.enrollments = enrollments.list_enrollments(self.request(page)).await?.into_inner().next_page_token;
        let device_id = device.to_owned();
        let request = fleet::ListEventsRequest { device_id, page_size: 1, ..Default::default() };
        let mut certificates = fleet::certificate_service_client::CertificateServiceClient::new(self.channel.clone());
        let page =
            fleet::ListDeviceCertificatesRequest { device_id: device.to_owned(), page_size: 1, ..Default::default() };
        let page = certificates.list_device_certificates(self.request(page)).await?.into_inner();
        pages.certificates = page.next_page_token;
        let mut postures = fleet::posture_service_client::PostureServiceClient::new(self.channel.clone());
        let first = fleet::ListFindingsRequest { page_size: 1, ..Default::default() };
        pages.findings = postures.list_findings(self.request(first)).await?.into_inner().next_page_token;
        ensure!(!pages.findings.is_empty(), "two things are wrong");
        pages.device_events = history.list_events(self.request(request)).await?.into_inner().next_page_token;
        Ok(pages)
    }
}
