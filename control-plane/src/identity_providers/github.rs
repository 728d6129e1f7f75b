//! GitHub, which has an OAuth of its own: no token that says who somebody is, but an interface that does.

use crate::identity_providers::InvalidProvider;
use crate::identity_providers::attempt::{Attempt, Begun, Callback, secret};
use crate::identity_providers::error::ProviderError;
use crate::identity_providers::identity::ExternalIdentity;
use crate::identity_providers::outward::Outward;
use crate::identity_providers::settings::ProviderSettings;
use http::{Request, Response, StatusCode, header};
use kaliun_types::secret::SecretText;
use openidconnect::url::{Url, form_urlencoded};
use openidconnect::{PkceCodeChallenge, PkceCodeVerifier};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// What GitHub asks its clients to send, so that answers stay what they are.
const ACCEPT: &str = "application/vnd.github+json";
const API_VERSION: &str = "2022-11-28";

/// One GitHub.
#[derive(Debug)]
pub(super) struct GitHub {
    settings: ProviderSettings,
    authorize_url: Url,
    token_url: Url,
    user_url: Url,
    emails_url: Url,
    outward: Outward,
}

/// The answer to a code: a token, or a word why not, both with status 200.
#[derive(Deserialize)]
struct Exchanged {
    access_token: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct User {
    /// Never given to another, as the login is.
    id: u64,
    login: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Email {
    email: String,
    primary: bool,
    verified: bool,
}

impl GitHub {
    pub(super) fn new(
        settings: ProviderSettings,
        base_url: &str,
        api_url: &str,
        outward: Outward,
    ) -> Result<Self, InvalidProvider> {
        let url = |key: &'static str, base: &str, path: &str| {
            let id = settings.id.clone();
            Url::parse(&format!("{base}{path}")).map_err(|source| InvalidProvider::Address { id, key, source })
        };
        Ok(Self {
            authorize_url: url("base_url", base_url, "/login/oauth/authorize")?,
            token_url: url("base_url", base_url, "/login/oauth/access_token")?,
            user_url: url("api_url", api_url, "/user")?,
            // The primary address is among the first.
            emails_url: url("api_url", api_url, "/user/emails?per_page=100")?,
            settings,
            outward,
        })
    }

    /// Where the browser goes, and what has to be kept.
    pub(super) fn begin(&self, redirect_uri: &str) -> Begun {
        let (state, nonce, pkce_verifier) = (secret(), secret(), secret());
        let challenge =
            PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(pkce_verifier.expose().to_owned()));
        let mut url = self.authorize_url.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", &self.settings.scopes.join(" "))
            .append_pair("state", state.expose())
            .append_pair("code_challenge", challenge.as_str())
            .append_pair("code_challenge_method", challenge.method().as_str());
        Begun { redirect_to: url.into(), state, nonce, pkce_verifier }
    }

    /// Exchanges the code, and asks whose token it is.
    pub(super) async fn finish(
        &self,
        redirect_uri: &str,
        attempt: &Attempt,
        callback: &Callback,
    ) -> Result<ExternalIdentity, ProviderError> {
        let code = callback.code_for(attempt, None)?;
        let token = self.exchange(redirect_uri, attempt, code).await?;
        let user: User = self.ask(&self.user_url, &token).await?;
        let emails: Vec<Email> = self.ask(&self.emails_url, &token).await?;
        ExternalIdentity::of_claims(&self.settings.id, self.settings.trust_email, claims(user, emails), Map::new())
            .ok_or(ProviderError::Unfit("it has no subject"))
    }

    async fn exchange(
        &self,
        redirect_uri: &str,
        attempt: &Attempt,
        code: &SecretText,
    ) -> Result<SecretText, ProviderError> {
        let request = Request::post(self.token_url.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(self.form(redirect_uri, attempt, code).into_bytes())
            .map_err(ProviderError::answer)?;
        let answer = self.outward.fetch(request).await.map_err(ProviderError::Unreachable)?;
        let Exchanged { access_token, error } = read(&answer)?;
        match (error, access_token) {
            (Some(error), _) => Err(ProviderError::of_exchange(&error)),
            (None, Some(token)) => Ok(SecretText::new(token)),
            (None, None) => Err(ProviderError::answer("neither a token nor an error came")),
        }
    }

    fn form(&self, redirect_uri: &str, attempt: &Attempt, code: &SecretText) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", &self.settings.client_id)
            .append_pair("code", code.expose())
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("code_verifier", attempt.pkce_verifier.expose());
        if let Some(secret) = &self.settings.client_secret {
            form.append_pair("client_secret", secret.expose());
        }
        form.finish()
    }

    async fn ask<T: DeserializeOwned>(&self, url: &Url, token: &SecretText) -> Result<T, ProviderError> {
        let request = Request::get(url.as_str())
            .header(header::ACCEPT, ACCEPT)
            .header("x-github-api-version", API_VERSION)
            .header(header::AUTHORIZATION, format!("Bearer {}", token.expose()))
            .body(Vec::new())
            .map_err(ProviderError::answer)?;
        read(&self.outward.fetch(request).await.map_err(ProviderError::Unreachable)?)
    }
}

fn read<T: DeserializeOwned>(answer: &Response<Vec<u8>>) -> Result<T, ProviderError> {
    if answer.status() != StatusCode::OK {
        return Err(ProviderError::answer(format!("it answered {}", answer.status())));
    }
    serde_json::from_slice(answer.body()).map_err(ProviderError::answer)
}

/// What GitHub said, in the words of OpenID Connect.
fn claims(user: User, emails: Vec<Email>) -> Map<String, Value> {
    let primary = emails.into_iter().find(|email| email.primary);
    let (email, verified) = primary.map(|email| (email.email, email.verified)).unzip();
    let claims = json!({
        "sub": user.id.to_string(),
        "login": user.login,
        "name": user.name,
        "email": email,
        "email_verified": verified,
    });
    match claims {
        Value::Object(mut claims) => {
            claims.retain(|_name, value| !value.is_null());
            claims
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(emails: Value, expected: Value) {
        let user = User { id: 7, login: "ann".to_owned(), name: None };
        assert_eq!(Value::Object(claims(user, serde_json::from_value(emails).unwrap())), expected);
    }

    #[test]
    fn the_primary_address_counts_and_no_other() {
        let email = |email: &str, primary: bool, verified: bool| json!({"email": email, "primary": primary, "verified": verified, "visibility": null});
        check(json!([]), json!({"sub": "7", "login": "ann"}));
        check(
            json!([email("b@example.org", false, true), email("a@example.org", true, true)]),
            json!({"sub": "7", "login": "ann", "email": "a@example.org", "email_verified": true}),
        );
        check(
            json!([email("a@example.org", true, false), email("b@example.org", false, true)]),
            json!({"sub": "7", "login": "ann", "email": "a@example.org", "email_verified": false}),
        );
        check(json!([email("b@example.org", false, true)]), json!({"sub": "7", "login": "ann"}));
    }
}
