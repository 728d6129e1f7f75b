//! Providers that do not answer, or answer what cannot be.

use super::{Client, refused};
use crate::support::http::{StandIn, answer};
use crate::support::provider::{TestProvider, Wanted};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::Response;
use kaliun_control_plane::clock::Clock;
use kaliun_control_plane::identity_providers::{IdentityProviders, ProviderError, ProviderSettings, Speaks};
use kaliun_types::reason::ReasonCode;
use kaliun_types::secret::SecretText;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;

fn settings(issuer: String) -> ProviderSettings {
    ProviderSettings {
        id: "company".to_owned(),
        name: "The company".to_owned(),
        client_id: "kaliun-fleet".to_owned(),
        client_secret: None,
        scopes: vec!["openid".to_owned()],
        trust_email: false,
        ca_file: None,
        speaks: Speaks::OpenIdConnect { issuer },
    }
}

/// Begins a sign-in that has to fail.
async fn cannot_begin(settings: ProviderSettings) -> Result<ProviderError> {
    let providers = IdentityProviders::new(vec![settings], &Clock::default())?;
    match providers.begin("company", super::REDIRECT).await.context("there is such a provider")? {
        Ok(_begun) => bail!("the sign-in began"),
        Err(error) => Ok(error),
    }
}

async fn check_discovery(response: fn() -> Response<Bytes>, expected: ReasonCode) -> Result<()> {
    let stand_in = StandIn::start(move |_request| async move { response() }).await?;
    let error = cannot_begin(settings(stand_in.url())).await?;
    assert_eq!(error.reason(), expected, "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_provider_that_cannot_answer_is_said_to_be_unreachable() -> Result<()> {
    let unreachable = ReasonCode::SignInProviderUnreachable;
    check_discovery(|| answer(500, "text/html", "<h1>Oh</h1>"), unreachable).await?;
    check_discovery(|| answer(503, "text/html", ""), unreachable).await?;
    check_discovery(|| answer(429, "text/html", ""), unreachable).await?;
    check_discovery(|| answer(200, "application/json", vec![b' '; 300_000]), unreachable).await?;
    // Nobody listens.
    let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let error = cannot_begin(settings(format!("http://{address}"))).await?;
    assert_eq!(error.reason(), unreachable, "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_provider_that_is_not_one_is_said_to_be_misconfigured() -> Result<()> {
    let misconfigured = ReasonCode::SignInProviderMisconfigured;
    check_discovery(|| answer(404, "text/html", "nothing here"), misconfigured).await?;
    check_discovery(|| answer(200, "text/html", "<h1>Welcome</h1>"), misconfigured).await?;
    check_discovery(|| answer(200, "application/json", "[]"), misconfigured).await?;
    // A redirect is not followed, wherever it leads.
    let redirect = || {
        let mut response = answer(302, "text/plain", "");
        response.headers_mut().insert("location", http::HeaderValue::from_static("http://127.0.0.1:1/"));
        response
    };
    check_discovery(redirect, misconfigured).await?;
    // It calls itself something else than it is called here.
    let provider = TestProvider::start(Wanted::default()).await?;
    let error = cannot_begin(settings(provider.issuer().replace("127.0.0.1", "localhost"))).await?;
    assert_eq!(error.reason(), misconfigured, "{error:?}");
    // Its people would be sent over the open network.
    provider.lie(|path, response| {
        if path != "/.well-known/openid-configuration" {
            return response;
        }
        let text = String::from_utf8_lossy(response.body()).into_owned();
        let mut body: serde_json::Value = serde_json::from_str(&text).expect("discovery is JSON");
        body["authorization_endpoint"] = serde_json::Value::from("http://login.example.org/auth");
        answer(200, "application/json", body.to_string())
    });
    let error = cannot_begin(provider.settings()).await?;
    assert_eq!(error.reason(), misconfigured, "{error:?}");
    Ok(())
}

/// Time does not pass here but when everybody waits.
#[tokio::test(start_paused = true)]
async fn a_provider_that_is_silent_is_waited_for_no_longer_than_ten_seconds() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let began = tokio::time::Instant::now();
    let error = cannot_begin(settings(format!("http://{}", listener.local_addr()?))).await?;
    assert_eq!(error.reason(), ReasonCode::SignInProviderUnreachable);
    assert!((10..12).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_provider_is_believed_by_its_certificate_alone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec!["fleet.example.org".to_owned()])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, key)?;
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, authority.pem())?;
    // What it calls itself does not matter here: that it was heard at all shows in the reason.
    let check = async |names: &[&str], ca_file: Option<&Path>, expected: ReasonCode| -> Result<()> {
        let key = KeyPair::generate()?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
        let stand_in = StandIn::start_with_tls(tls, |_request| async { answer(404, "text/plain", "") }).await?;
        let issuer = stand_in.url().replace("http://127.0.0.1", "https://localhost");
        let settings = ProviderSettings { ca_file: ca_file.map(Path::to_owned), ..settings(issuer) };
        let error = cannot_begin(settings).await?;
        assert_eq!(error.reason(), expected, "{error:?}");
        Ok(())
    };
    check(&["localhost"], Some(&ca_file), ReasonCode::SignInProviderMisconfigured).await?;
    check(&["localhost"], None, ReasonCode::SignInProviderUnreachable).await?;
    check(&["other.example.org"], Some(&ca_file), ReasonCode::SignInProviderUnreachable).await?;
    // A file that is none is found before anything starts.
    for text in ["", "no certificate"] {
        std::fs::write(&ca_file, text)?;
        let settings = ProviderSettings { ca_file: Some(ca_file.clone()), ..settings("https://localhost".to_owned()) };
        let error = IdentityProviders::new(vec![settings], &Clock::default()).err().context("it is refused")?;
        assert!(error.to_string().contains("provider \"company\": ca_file"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_provider_that_dies_meanwhile_signs_nobody_in() -> Result<()> {
    let provider = TestProvider::start(Wanted::default()).await?;
    let client = Client::new(provider.settings())?;
    let (attempt, back) = client.come_back("ann").await?;
    drop(provider);
    let error = refused(client.finish(&attempt, &back).await)?;
    assert_eq!(error.reason(), ReasonCode::SignInProviderUnreachable, "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_wrong_secret_is_the_operators_affair() -> Result<()> {
    let provider = TestProvider::start(Wanted::default()).await?;
    let mut settings = provider.settings();
    settings.client_secret = Some(SecretText::new("another".to_owned()));
    let error = Client::new(settings)?.refused("ann").await?;
    assert_eq!(error.reason(), ReasonCode::SignInProviderMisconfigured, "{error:?}");
    Ok(())
}

#[tokio::test]
async fn there_is_no_provider_that_is_not_configured() -> Result<()> {
    let providers = IdentityProviders::default();
    assert!(providers.begin("company", super::REDIRECT).await.is_none());
    assert!(!providers.has("company") && providers.names().next().is_none());
    Ok(())
}
