//! Answers that are not what they seem to be: each of them would sign somebody in if one check were missing.

use super::{Client, callback, refused};
use crate::support::http::{Visitor, answer};
use crate::support::provider::{TestProvider, Wanted, agree};
use anyhow::{Context, Result};
use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use kaliun_control_plane::identity_providers::{Attempt, Callback};
use kaliun_types::reason::ReasonCode;
use kaliun_types::secret::SecretText;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Lets somebody sign in, and answers the ID token that came.
async fn token_of(provider: &TestProvider, client: &Client, login: &str) -> Result<String> {
    let seen = Arc::new(Mutex::new(None));
    provider.lie({
        let seen = Arc::clone(&seen);
        move |path, response| {
            if path == "/token" {
                let body: Value = serde_json::from_slice(response.body()).expect("a token's answer is JSON");
                *seen.lock().expect("nobody panicked") =
                    body.get("id_token").and_then(Value::as_str).map(str::to_owned);
            }
            response
        }
    });
    client.sign_in(login).await?;
    let token = seen.lock().expect("nobody panicked").take();
    token.context("a token came")
}

/// A token's claims.
fn claims(token: &str) -> Result<Value> {
    let payload = token.split('.').nth(1).context("a token has a payload")?;
    Ok(serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes())?)?)
}

fn encoded(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

/// The reason in the log, with its sources.
fn told(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        told = format!("{told}: {error}");
        source = error.source();
    }
    told
}

/// Signs in while another token comes than the provider gave. It is refused, and the log says why.
async fn check(provider: &TestProvider, client: &Client, token: String, why: &str) -> Result<()> {
    provider.swap_token(token);
    let error = client.refused("ann").await?;
    assert_eq!(error.reason(), ReasonCode::SignInAnswerInvalid, "{}", told(&error));
    assert!(told(&error).contains(why), "{} has no {why:?}", told(&error));
    Ok(())
}

#[tokio::test]
async fn a_token_counts_once_and_for_its_client_alone() -> Result<()> {
    let provider = TestProvider::start(Wanted::default()).await?;
    let client = Client::new(provider.settings())?;
    // Given to us for another attempt: a replay.
    let earlier = token_of(&provider, &client, "ann").await?;
    check(&provider, &client, earlier, "nonce").await?;
    // Given to another client, who shows it around.
    let other = Client::new(provider.settings_of("another-client"))?;
    let theirs = token_of(&provider, &other, "ann").await?;
    check(&provider, &client, theirs, "audience").await
}

#[tokio::test]
async fn a_token_that_somebody_made_is_refused() -> Result<()> {
    let provider = TestProvider::start(Wanted::default()).await?;
    let client = Client::new(provider.settings())?;
    let real = token_of(&provider, &client, "ann").await?;
    let claims = claims(&real)?;
    let (head, signed) = real.split_once('.').context("a token has a head")?;

    let unsigned = format!("{}.{}.", encoded(&json!({"alg": "none"})), encoded(&claims));
    check(&provider, &client, unsigned, "No signature found").await?;

    // Signed with what both sides know, and with what everybody knows.
    let head_of_shared = encoded(&json!({"alg": "HS256", "typ": "JWT"}));
    for secret in ["secret-of-kaliun-fleet", ""] {
        let text = format!("{head_of_shared}.{}", encoded(&claims));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), text.as_bytes());
        let forged = format!("{text}.{}", BASE64URL_NOPAD.encode(tag.as_ref()));
        check(&provider, &client, forged, "Disallowed signature algorithm").await?;
    }

    // The provider's own signature under other claims.
    let mut changed = claims.clone();
    changed["sub"] = Value::from("bob");
    let (_claims, signature) = signed.split_once('.').context("a token has a signature")?;
    let forged = format!("{head}.{}.{signature}", encoded(&changed));
    check(&provider, &client, forged, "Crypto error").await?;

    // By another issuer's key, under this one's name.
    let elsewhere = TestProvider::start(Wanted::default()).await?;
    let theirs = token_of(&elsewhere, &Client::new(elsewhere.settings())?, "ann").await?;
    check(&provider, &client, theirs, "issuer").await
}

#[tokio::test]
async fn a_token_runs_out_with_a_minute_of_grace() -> Result<()> {
    let provider = TestProvider::start(Wanted::default()).await?;
    let client = Client::new(provider.settings())?;
    // The provider's tokens hold for five minutes. Its own clock stays where it is.
    client.clock.advance(Duration::from_secs(300 + 50));
    assert_eq!(client.sign_in("ann").await?.subject, "ann");
    client.clock.advance(Duration::from_secs(20));
    let error = client.refused("ann").await?;
    assert_eq!(error.reason(), ReasonCode::SignInAnswerInvalid);
    assert!(told(&error).contains("Expired"), "{}", told(&error));
    Ok(())
}

#[tokio::test]
async fn what_comes_back_has_to_be_the_answer_to_what_went_out() -> Result<()> {
    let provider = TestProvider::start(Wanted::default()).await?;
    let client = Client::new(provider.settings())?;
    let check = async |attempt: &Attempt, callback: &Callback, expected: ReasonCode| -> Result<()> {
        let error = refused(client.finish(attempt, callback).await)?;
        assert_eq!(error.reason(), expected, "{}", told(&error));
        Ok(())
    };
    let (attempt, back) = client.come_back("ann").await?;
    let (other, _back) = client.come_back("ann").await?;

    // Somebody else's answer, put into this browser.
    check(&other, &back, ReasonCode::SignInAttemptOver).await?;
    let nameless = Callback { state: None, ..back.clone() };
    check(&attempt, &nameless, ReasonCode::SignInAttemptOver).await?;
    // Another issuer's answer, or one that does not say whose it is, from a provider that always does.
    let mixed_up = Callback { issuer: Some("https://elsewhere.example.org".to_owned()), ..back.clone() };
    check(&attempt, &mixed_up, ReasonCode::SignInAnswerInvalid).await?;
    let silent = Callback { issuer: None, ..back.clone() };
    check(&attempt, &silent, ReasonCode::SignInAnswerInvalid).await?;
    // Nothing of that cost the code its worth.
    assert_eq!(client.finish(&attempt, &back).await?.subject, "ann");
    // Now it has none any more.
    check(&attempt, &back, ReasonCode::SignInAttemptOver).await?;

    // A code that somebody took on its way: without the verifier it is worth nothing.
    let (attempt, back) = client.come_back("ann").await?;
    let stolen = Attempt { pkce_verifier: SecretText::new("x".repeat(43)), ..attempt.clone() };
    check(&stolen, &back, ReasonCode::SignInAttemptOver).await?;
    let invented = Callback { code: Some(SecretText::new("a-code".to_owned())), ..back };
    check(&attempt, &invented, ReasonCode::SignInAttemptOver).await
}

#[tokio::test]
async fn another_persons_userinfo_is_refused() -> Result<()> {
    let provider = TestProvider::start(Wanted::default()).await?;
    let client = Client::new(provider.settings())?;
    provider.lie(|path, response| match path {
        "/me" => answer(200, "application/json", r#"{"sub": "bob", "email": "bob@example.org"}"#),
        _other => response,
    });
    let error = client.refused("ann").await?;
    assert_eq!(error.reason(), ReasonCode::SignInAnswerInvalid);
    assert!(told(&error).contains("subject"), "{}", told(&error));
    Ok(())
}

#[tokio::test]
async fn an_access_token_of_somebody_else_is_refused() -> Result<()> {
    let provider = TestProvider::start(Wanted::default()).await?;
    let client = Client::new(provider.settings())?;
    let begun = client.begin().await?;
    let back = callback(&agree(&mut Visitor::default(), &begun.redirect_to, "ann").await?)?;
    provider.lie(|path, response| {
        if path != "/token" {
            return response;
        }
        let mut body: Value = serde_json::from_slice(response.body()).expect("a token's answer is JSON");
        body["access_token"] = Value::from("another");
        answer(200, "application/json", body.to_string())
    });
    let error = refused(client.finish(&begun.attempt(), &back).await)?;
    assert_eq!(error.reason(), ReasonCode::SignInAnswerInvalid);
    // Providers put its hash into the token or do not; either way it opens nothing.
    assert!(told(&error).contains("another access token") || told(&error).contains("401"), "{}", told(&error));
    Ok(())
}
