//! Signing in with other people's providers, against a real one that is certified, and against a stand-in for GitHub.

mod forged;
mod keys;
mod trouble;

use crate::support::github::{TestGitHub, User};
use crate::support::http::{Visitor, location};
use crate::support::provider::{TestProvider, Wanted, agree, refuse};
use anyhow::{Context, Result, bail};
use kaliun_control_plane::clock::Clock;
use kaliun_control_plane::identity_providers::{
    Attempt, Callback, ExternalIdentity, IdentityProviders, ProviderError, ProviderSettings,
};
use kaliun_types::reason::ReasonCode;
use serde_json::{Value, json};

/// Where the provider sends people back to. Nobody listens there.
const REDIRECT: &str = "http://127.0.0.1:9/sign-in/company/callback";

/// One provider, as a server speaks to it.
pub(super) struct Client {
    providers: IdentityProviders,
    pub(super) clock: Clock,
    id: String,
}

impl Client {
    pub(super) fn new(settings: ProviderSettings) -> Result<Self> {
        let (clock, id) = (Clock::default(), settings.id.clone());
        Ok(Self { providers: IdentityProviders::new(vec![settings], &clock)?, clock, id })
    }

    /// Begins, signs in as somebody at the provider, and answers what is there to finish with.
    pub(super) async fn come_back(&self, login: &str) -> Result<(Attempt, Callback)> {
        let begun = self.begin().await?;
        let url = agree(&mut Visitor::default(), &begun.redirect_to, login).await?;
        Ok((begun.attempt(), callback(&url)?))
    }

    pub(super) async fn begin(&self) -> Result<kaliun_control_plane::identity_providers::Begun> {
        Ok(self.providers.begin(&self.id, REDIRECT).await.context("there is such a provider")??)
    }

    pub(super) async fn finish(
        &self,
        attempt: &Attempt,
        callback: &Callback,
    ) -> Result<ExternalIdentity, ProviderError> {
        let finished = self.providers.finish(&self.id, REDIRECT, attempt, callback).await;
        finished.expect("there is such a provider")
    }

    /// All of it.
    pub(super) async fn sign_in(&self, login: &str) -> Result<ExternalIdentity> {
        let (attempt, callback) = self.come_back(login).await?;
        Ok(self.finish(&attempt, &callback).await?)
    }

    /// All of it, which has to fail.
    pub(super) async fn refused(&self, login: &str) -> Result<ProviderError> {
        let (attempt, callback) = self.come_back(login).await?;
        refused(self.finish(&attempt, &callback).await)
    }
}

/// What an address says that the provider sent the browser to.
pub(super) fn callback(url: &str) -> Result<Callback> {
    let (place, query) = url.split_once('?').context("the address has a query")?;
    anyhow::ensure!(place == REDIRECT || place.ends_with("/github"), "{place}");
    Callback::of_query(query).context("the query can be read")
}

pub(super) fn refused(finished: Result<ExternalIdentity, ProviderError>) -> Result<ProviderError> {
    match finished {
        Ok(identity) => bail!("{identity:?} was signed in"),
        Err(error) => Ok(error),
    }
}

#[tokio::test]
async fn somebody_signs_in_with_each_signature_that_is_taken() -> Result<()> {
    for (alg, in_token) in [("RS256", false), ("PS256", true), ("ES256", true), ("EdDSA", false)] {
        let provider = TestProvider::start(Wanted { alg, in_token, ..Wanted::default() }).await?;
        let client = Client::new(provider.settings())?;
        let ann = client.sign_in("ann").await?;
        assert_eq!((ann.provider.as_str(), ann.subject.as_str()), ("company", "ann"), "{alg}");
        assert_eq!(ann.email.as_deref(), Some("ann@example.org"), "{alg}");
        assert!(ann.email_verified && ann.email_confirmed, "{alg}");
        assert_eq!(ann.name.as_deref(), Some("Ann"), "{alg}");
        assert_eq!(ann.claims.get("groups"), Some(&json!(["crew"])), "{alg}");
        assert_eq!(ann.claims.get("iss"), Some(&json!(provider.issuer())), "{alg}");
    }
    Ok(())
}

#[tokio::test]
async fn somebody_without_an_address_is_somebody_all_the_same() -> Result<()> {
    let provider = TestProvider::start(Wanted::default()).await?;
    let client = Client::new(ProviderSettings { trust_email: false, ..provider.settings() })?;
    let bob = client.sign_in("bob").await?;
    assert_eq!((bob.subject.as_str(), bob.email, bob.name), ("bob", None, None));
    let ann = client.sign_in("ann").await?;
    assert!(ann.email_verified && !ann.email_confirmed, "this provider's word does not count");
    Ok(())
}

#[tokio::test]
async fn what_goes_out_has_all_that_protects_it() -> Result<()> {
    let provider = TestProvider::start(Wanted::default()).await?;
    let begun = Client::new(provider.settings())?.begin().await?;
    let url = openidconnect::url::Url::parse(&begun.redirect_to)?;
    let sent: std::collections::BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let text = |name: &str| sent.get(name).map(String::as_str);
    assert_eq!(text("response_type"), Some("code"));
    assert_eq!(text("client_id"), Some("kaliun-fleet"));
    assert_eq!(text("redirect_uri"), Some(REDIRECT));
    assert_eq!(text("scope"), Some("openid email profile groups"));
    assert_eq!(text("state"), Some(begun.state.expose()));
    assert_eq!(text("nonce"), Some(begun.nonce.expose()));
    assert_eq!(text("code_challenge_method"), Some("S256"));
    assert!(text("code_challenge").is_some_and(|challenge| challenge != begun.pkce_verifier.expose()));
    assert!(!begun.redirect_to.contains(begun.pkce_verifier.expose()), "the verifier stays here");
    assert!(!begun.redirect_to.contains("secret-of-kaliun-fleet"));
    Ok(())
}

#[tokio::test]
async fn somebody_who_does_not_agree_is_told_so() -> Result<()> {
    let provider = TestProvider::start(Wanted::default()).await?;
    let client = Client::new(provider.settings())?;
    let begun = client.begin().await?;
    let url = refuse(&mut Visitor::default(), &begun.redirect_to).await?;
    let error = refused(client.finish(&begun.attempt(), &callback(&url)?).await)?;
    assert_eq!(error.reason(), ReasonCode::SignInDenied);
    Ok(())
}

#[tokio::test]
async fn somebody_signs_in_with_github() -> Result<()> {
    let github = TestGitHub::start().await?;
    let client = GitHubClient { providers: IdentityProviders::new(vec![github.settings()], &Clock::default())? };
    let email =
        |email: &str, primary: bool, verified: bool| json!({"email": email, "primary": primary, "verified": verified});
    let emails = json!([email("old@example.org", false, true), email("ann@example.org", true, true)]);
    github.sign_in_as(User { id: 583_231, login: "ann".to_owned(), emails });
    let (attempt, back) = client.come_back().await?;
    let ann = client.finish(&attempt, &back).await?;
    assert_eq!((ann.subject.as_str(), ann.email.as_deref()), ("583231", Some("ann@example.org")));
    assert!(ann.email_verified && ann.email_confirmed);
    assert_eq!(ann.claims.get("login"), Some(&Value::from("ann")));

    // The code is good once, for who began, in the browser that began.
    let again = refused(client.finish(&attempt, &back).await)?;
    assert_eq!(again.reason(), ReasonCode::SignInAttemptOver);
    let (theirs, _back) = client.come_back().await?;
    let (ours, back) = client.come_back().await?;
    let stolen = Attempt { pkce_verifier: theirs.pkce_verifier.clone(), ..ours.clone() };
    assert_eq!(refused(client.finish(&stolen, &back).await)?.reason(), ReasonCode::SignInAttemptOver);
    assert_eq!(refused(client.finish(&theirs, &back).await)?.reason(), ReasonCode::SignInAttemptOver);

    // Another name at GitHub is the same person; an address that is not verified is nobody's.
    let emails = json!([email("ann@example.net", true, false), email("old@example.org", false, true)]);
    github.sign_in_as(User { id: 583_231, login: "ann-of-before".to_owned(), emails });
    let (attempt, back) = client.come_back().await?;
    let ann = client.finish(&attempt, &back).await?;
    assert_eq!((ann.subject.as_str(), ann.email.as_deref()), ("583231", Some("ann@example.net")));
    assert!(!ann.email_verified && !ann.email_confirmed);

    // Whoever has another secret is not this server.
    let mut settings = github.settings();
    settings.client_secret = Some(kaliun_types::secret::SecretText::new("another".to_owned()));
    let client = GitHubClient { providers: IdentityProviders::new(vec![settings], &Clock::default())? };
    let (attempt, back) = client.come_back().await?;
    let error = refused(client.finish(&attempt, &back).await)?;
    assert_eq!(error.reason(), ReasonCode::SignInProviderMisconfigured);
    Ok(())
}

struct GitHubClient {
    providers: IdentityProviders,
}

impl GitHubClient {
    const REDIRECT: &str = "http://127.0.0.1:9/github";

    async fn come_back(&self) -> Result<(Attempt, Callback)> {
        let begun = self.providers.begin("github", Self::REDIRECT).await.context("there is GitHub")??;
        let page = Visitor::default().get(&begun.redirect_to).await?;
        Ok((begun.attempt(), callback(&location(&begun.redirect_to, &page)?)?))
    }

    async fn finish(&self, attempt: &Attempt, callback: &Callback) -> Result<ExternalIdentity, ProviderError> {
        self.providers.finish("github", Self::REDIRECT, attempt, callback).await.expect("there is GitHub")
    }
}
