//! A provider that speaks OpenID Connect: authorization code with PKCE, and a token that is checked to the last claim.

mod published;
mod token;

use crate::clock::Clock;
use crate::identity_providers::InvalidProvider;
use crate::identity_providers::attempt::{Attempt, Begun, Callback, secret};
use crate::identity_providers::error::ProviderError;
use crate::identity_providers::identity::ExternalIdentity;
use crate::identity_providers::outward::{Outward, OutwardError, is_secure};
use crate::identity_providers::settings::ProviderSettings;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
};
use openidconnect::{
    AdditionalClaims, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, StandardErrorResponse, SubjectIdentifier, TokenResponse, UserInfoError,
};
use published::{Publications, Published};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// One such provider.
#[derive(Debug)]
pub(super) struct OpenIdConnect {
    settings: ProviderSettings,
    publications: Publications,
    outward: Outward,
    clock: Clock,
}

/// openidconnect's client, with the endpoints that a provider may publish.
type KnownClient =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// What a userinfo endpoint says beyond the standard, whatever it is.
#[derive(Debug, Serialize, Deserialize)]
struct OtherClaims(Map<String, Value>);

impl AdditionalClaims for OtherClaims {}

impl OpenIdConnect {
    pub(super) fn new(
        settings: ProviderSettings,
        issuer: String,
        outward: Outward,
        clock: Clock,
    ) -> Result<Self, InvalidProvider> {
        let issuer = IssuerUrl::new(issuer).map_err(|source| InvalidProvider::Address {
            id: settings.id.clone(),
            key: "issuer",
            source,
        })?;
        Ok(Self { settings, publications: Publications::new(issuer), outward, clock })
    }

    /// Where the browser goes, and what has to be kept.
    pub(super) async fn begin(&self, redirect_uri: &str) -> Result<Begun, ProviderError> {
        let published = self.publications.current(&self.outward, self.clock.now()).await?;
        let (state, nonce, pkce_verifier) = (secret(), secret(), secret());
        let challenge =
            PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(pkce_verifier.expose().to_owned()));
        let client = self.client(&published);
        let redirect = redirect_url(redirect_uri)?;
        let sent = (CsrfToken::new(state.expose().to_owned()), Nonce::new(nonce.expose().to_owned()));
        let (url, _state, _nonce) = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || sent.0, || sent.1)
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .set_redirect_uri(Cow::Borrowed(&redirect))
            .url();
        let redirect_to = String::from(url);
        if !redirect_to.parse().is_ok_and(|uri| is_secure(&uri)) {
            return Err(ProviderError::Discovery("its authorization endpoint is not https".into()));
        }
        Ok(Begun { redirect_to, state, nonce, pkce_verifier })
    }

    /// Exchanges the code, and judges what comes.
    pub(super) async fn finish(
        &self,
        redirect_uri: &str,
        attempt: &Attempt,
        callback: &Callback,
    ) -> Result<ExternalIdentity, ProviderError> {
        let published = self.publications.current(&self.outward, self.clock.now()).await?;
        let code = callback.code_for(attempt, Some((published.issuer(), published.says_issuer())))?;
        let client = self.client(&published);
        let redirect = redirect_url(redirect_uri)?;
        let response = client
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .map_err(|error| ProviderError::Discovery(error.into()))?
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.pkce_verifier.expose().to_owned()))
            .set_redirect_uri(Cow::Borrowed(&redirect))
            .request_async(&self.outward)
            .await
            .map_err(exchange_failed)?;
        let token = response.id_token().ok_or(ProviderError::Unfit("no ID token came with the access token"))?;
        let expected = token::Expected {
            client_id: &self.settings.client_id,
            nonce: &attempt.nonce,
            access_token: response.access_token(),
            now: self.clock.now(),
        };
        let signed = match expected.claims(token, &client) {
            // The provider may have changed its keys since we asked for them.
            Err(ProviderError::Token(error)) if token::may_be_new_key(&error) => {
                match self.publications.newer(&published, &self.outward, self.clock.now()).await? {
                    Some(newer) => expected.claims(token, &self.client(&newer))?,
                    None => return Err(ProviderError::Token(error)),
                }
            }
            judged => judged?,
        };
        let others = self.user_info(&client, response.access_token(), &signed).await?;
        ExternalIdentity::of_claims(&self.settings.id, self.settings.trust_email, signed, others)
            .ok_or(ProviderError::Unfit("its subject is longer than 255 bytes"))
    }

    /// What the userinfo endpoint says about the token's subject. Many providers say no more than that in the token.
    async fn user_info(
        &self,
        client: &KnownClient,
        access_token: &openidconnect::AccessToken,
        signed: &Map<String, Value>,
    ) -> Result<Map<String, Value>, ProviderError> {
        let subject =
            signed.get("sub").and_then(Value::as_str).map(|subject| SubjectIdentifier::new(subject.to_owned()));
        // It is no duty to have one.
        let Ok(request) = client.user_info(access_token.clone(), subject) else { return Ok(Map::new()) };
        let claims =
            request.request_async::<OtherClaims, _, CoreGenderClaim>(&self.outward).await.map_err(user_info_failed)?;
        match serde_json::to_value(claims) {
            Ok(Value::Object(mut claims)) => {
                // Absent claims are written as null.
                claims.retain(|_name, value| !value.is_null());
                Ok(claims)
            }
            Ok(_other) => Ok(Map::new()),
            Err(error) => Err(ProviderError::answer(error)),
        }
    }

    fn client(&self, published: &Published) -> KnownClient {
        let secret = self.settings.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose().to_owned()));
        let client_id = ClientId::new(self.settings.client_id.clone());
        CoreClient::from_provider_metadata(published.metadata.clone(), client_id, secret)
            .set_auth_type(auth_type(published.metadata.token_endpoint_auth_methods_supported()))
            // Which scopes are asked for, stands in the settings.
            .disable_openid_scope()
    }
}

/// How the client proves itself: as the provider likes it. One that does not say so takes the header.
fn auth_type(offered: Option<&Vec<CoreClientAuthMethod>>) -> AuthType {
    let offers = |method| offered.is_some_and(|offered| offered.contains(&method));
    if !offers(CoreClientAuthMethod::ClientSecretBasic) && offers(CoreClientAuthMethod::ClientSecretPost) {
        return AuthType::RequestBody;
    }
    AuthType::BasicAuth
}

fn redirect_url(redirect_uri: &str) -> Result<RedirectUrl, ProviderError> {
    RedirectUrl::new(redirect_uri.to_owned()).map_err(ProviderError::answer)
}

fn exchange_failed(
    error: RequestTokenError<OutwardError, StandardErrorResponse<CoreErrorResponseType>>,
) -> ProviderError {
    match error {
        RequestTokenError::ServerResponse(said) => ProviderError::of_exchange(said.error().as_ref()),
        RequestTokenError::Request(error) => ProviderError::Unreachable(error),
        // Without the body that could not be read: a token may stand in it.
        RequestTokenError::Parse(error, _body) => ProviderError::answer(error),
        RequestTokenError::Other(problem) => ProviderError::answer(problem),
    }
}

fn user_info_failed(error: UserInfoError<OutwardError>) -> ProviderError {
    if let UserInfoError::Request(error) = error {
        return ProviderError::Unreachable(error);
    }
    ProviderError::answer(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_proves_itself_as_the_provider_likes_it() {
        use CoreClientAuthMethod::{ClientSecretBasic, ClientSecretPost, PrivateKeyJwt};
        let check = |offered: Option<Vec<CoreClientAuthMethod>>, in_body: bool| {
            assert_eq!(matches!(auth_type(offered.as_ref()), AuthType::RequestBody), in_body, "{offered:?}");
        };
        check(None, false);
        check(Some(vec![ClientSecretBasic, ClientSecretPost]), false);
        check(Some(vec![ClientSecretPost]), true);
        check(Some(vec![PrivateKeyJwt]), false);
        check(Some(vec![]), false);
    }
}
