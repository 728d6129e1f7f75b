//! Signing in through identity providers, from a browser's first request to its last.

mod joining;
mod linking;
mod trouble;

use crate::browser::Browser;
use crate::support::Fixture;
use crate::support::dns::TestDns;
use crate::support::github::{TestGitHub, User};
use crate::support::http::{Visitor, location};
use crate::support::provider::{TestProvider, Wanted, agree};
use anyhow::{Context, Result, ensure};
use kaliun_control_plane::SignUpPolicy;
use kaliun_control_plane::config::Config;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::account_service_client::AccountServiceClient;
use serde_json::{Value, json};

/// A server with a company's provider, GitHub, and somebody to ask about names.
pub(super) struct House {
    pub(super) fixture: Fixture,
    pub(super) company: TestProvider,
    github: TestGitHub,
    dns: TestDns,
}

/// People as the provider knows them: login, address, whether it is verified, groups.
pub(super) fn people(people: &[(&str, &str, bool, &[&str])]) -> Value {
    people
        .iter()
        .map(|(login, email, verified, groups)| {
            ((*login).to_owned(), json!({"email": email, "email_verified": verified, "name": login, "groups": groups}))
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

impl House {
    pub(super) async fn start(accounts: Value) -> Result<Self> {
        Self::start_with(accounts, |_config| {}).await
    }

    pub(super) async fn start_with(accounts: Value, change: impl FnOnce(&mut Config)) -> Result<Self> {
        let company = TestProvider::start(Wanted { alg: "ES256", accounts, ..Wanted::default() }).await?;
        let (github, dns) = (TestGitHub::start().await?, TestDns::start().await?);
        let folder = tempfile::tempdir()?.keep();
        std::fs::write(folder.join("company-secret"), "secret-of-kaliun-fleet")?;
        std::fs::write(folder.join("github-secret"), "secret-of-the-fleet")?;
        let file = folder.join("providers.toml");
        let text = format!(
            "[[provider]]\nid = 'company'\nkind = 'oidc'\nname = 'The company'\nissuer = '{}'\nclient_id = 'kaliun-fleet'\n\
             client_secret_file = {:?}\nscopes = ['openid', 'email', 'profile', 'groups']\ntrust_email = true\n\
             [[provider]]\nid = 'github'\nkind = 'github'\nclient_id = 'Iv1.fleet'\nclient_secret_file = {:?}\n\
             base_url = '{}'\ntrust_email = true\n",
            company.issuer(),
            folder.join("company-secret"),
            folder.join("github-secret"),
            github.url(),
        );
        std::fs::write(&file, text)?;
        let server = dns.address();
        let fixture = Fixture::start_with(|config| {
            config.identity_providers_file = Some(file);
            config.dns_servers = vec![server];
            change(config);
        })
        .await?;
        std::fs::remove_dir_all(folder)?;
        Ok(Self { fixture, company, github, dns })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.fixture.server.addresses().public)
    }

    /// Goes to the company's provider and agrees there. Answers the address that the browser is sent back to.
    pub(super) async fn come_back(&self, visitor: &mut Visitor, login: &str, query: &str) -> Result<String> {
        let page = visitor.get(&self.url(&format!("/sign-in/company{query}"))).await?;
        agree(visitor, &sent_to(&page)?, login).await
    }

    /// Signs in through the company's provider, or not. Answers where the browser ends.
    pub(super) async fn arrive(&self, visitor: &mut Visitor, login: &str) -> Result<String> {
        let back = self.come_back(visitor, login, "").await?;
        sent_to(&visitor.get(&back).await?)
    }

    /// The same through GitHub.
    async fn arrive_from_github(&self, visitor: &mut Visitor) -> Result<String> {
        let page = visitor.get(&self.url("/sign-in/github")).await?;
        let there = sent_to(&page)?;
        let back = location(&there, &visitor.get(&there).await?)?;
        sent_to(&visitor.get(&back).await?)
    }

    /// Who a browser is signed in as.
    pub(super) async fn who(&self, visitor: &Visitor) -> Result<fleet::Identity> {
        let browser = self.browser(visitor).await?;
        let request = browser.request(fleet::WhoAmIRequest {});
        let answer = AccountServiceClient::new(browser.web()).who_am_i(request).await?;
        answer.into_inner().identity.context("an identity")
    }

    /// The pages that a browser shows.
    pub(super) async fn browser(&self, visitor: &Visitor) -> Result<Browser> {
        Browser::with_cookies(&self.fixture, visitor.cookies()).await
    }

    pub(super) async fn count(&self, table: &str) -> Result<i64> {
        let admin = self.fixture.admin().await?;
        Ok(admin.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?.get(0))
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.fixture.stop().await
    }
}

/// Where an answer sends the browser; it is no page, and nobody keeps it.
pub(super) fn sent_to(page: &http::Response<bytes::Bytes>) -> Result<String> {
    ensure!(page.status() == 303, "{page:?}");
    let header = |name: &str| page.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    ensure!(header("cache-control") == "no-store" && header("referrer-policy") == "no-referrer", "{page:?}");
    ensure!(header("content-security-policy").starts_with("default-src 'none'"), "{page:?}");
    Ok(header("location").to_owned())
}

#[tokio::test]
async fn a_stranger_comes_in_and_is_the_same_the_next_time() -> Result<()> {
    let house = House::start(people(&[("ann", "Ann@example.org", true, &[])])).await?;
    let mut visitor = Visitor::default();
    let back = house.come_back(&mut visitor, "ann", "?return=/devices/attic%3Ftab=events").await?;
    assert!(back.starts_with(&house.url("/sign-in/company/callback?")), "{back}");
    let page = visitor.get(&back).await?;
    assert_eq!(sent_to(&page)?, "/devices/attic?tab=events");
    let cookies: Vec<&str> =
        page.headers().get_all("set-cookie").iter().filter_map(|line| line.to_str().ok()).collect();
    assert!(
        cookies.iter().any(|line| line.starts_with("kaliun=") && line.contains("HttpOnly; SameSite=Lax")),
        "{cookies:?}"
    );

    let ann = house.who(&visitor).await?;
    assert_eq!((ann.email.as_str(), ann.name.as_str(), ann.has_password), ("Ann@example.org", "ann", false));
    assert!(ann.organization_id.is_empty(), "nobody asked her in");
    assert_eq!(house.count("sign_in_attempt").await?, 0);

    // From elsewhere, and with another address by now, she is the same.
    let mut elsewhere = Visitor::default();
    assert_eq!(house.arrive(&mut elsewhere, "ann").await?, "/");
    assert_eq!(house.who(&elsewhere).await?.account_id, ann.account_id);
    assert_eq!(house.count("account_identity").await?, 1);
    house.stop().await
}

#[tokio::test]
async fn somebody_comes_in_from_github() -> Result<()> {
    let house = House::start(json!({})).await?;
    let emails = json!([{"email": "gil@example.org", "primary": true, "verified": true}]);
    house.github.sign_in_as(User { id: 17, login: "gil".to_owned(), emails });
    let mut visitor = Visitor::default();
    assert_eq!(house.arrive_from_github(&mut visitor).await?, "/");
    assert_eq!(house.who(&visitor).await?.email, "gil@example.org");
    house.stop().await
}

#[tokio::test]
async fn the_page_of_signing_in_knows_the_providers() -> Result<()> {
    let house = House::start(json!({})).await?;
    let mut identities = fleet::identity_service_client::IdentityServiceClient::new(house.fixture.public().await?);
    let listed = identities.list_providers(fleet::ListProvidersRequest {}).await?.into_inner().providers;
    let listed: Vec<(&str, &str)> = listed.iter().map(|one| (one.id.as_str(), one.name.as_str())).collect();
    assert_eq!(listed, [("company", "The company"), ("github", "GitHub")]);
    house.stop().await
}

#[tokio::test]
async fn without_an_invitation_nobody_comes_in_where_it_takes_one() -> Result<()> {
    let accounts = people(&[("ann", "ann@example.org", true, &[]), ("bob", "bob@example.org", true, &[])]);
    let house = House::start_with(accounts, |config| config.sign_up = SignUpPolicy::Invited).await?;
    let refused = "/?error=sign_in.not_invited&provider=company";
    assert_eq!(house.arrive(&mut Visitor::default(), "ann").await?, refused);
    let admin = house.fixture.admin().await?;
    admin
        .execute(
            "INSERT INTO invitation (id, organization_id, email, role, invited_by, mailed, expires_at)
             SELECT gen_random_uuid(), id, 'ANN@example.org', 1, 'test', true, now() + interval '1 day' FROM organization",
            &[],
        )
        .await?;
    assert_eq!(house.arrive(&mut Visitor::default(), "ann").await?, "/");
    assert_eq!(house.arrive(&mut Visitor::default(), "bob").await?, refused);
    assert_eq!(house.count("account").await?, 2, "the first admin and ann");
    house.stop().await
}
