//! What an ID token has to be. openidconnect checks issuer, audience, signature, nonce and expiry; the rest is here.

use super::KnownClient;
use crate::identity_providers::error::ProviderError;
use chrono::{DateTime, Utc};
use data_encoding::BASE64URL_NOPAD;
use kaliun_types::secret::SecretText;
use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier, CoreJwsSigningAlgorithm};
use openidconnect::{AccessToken, AccessTokenHash, ClaimsVerificationError, Nonce, SignatureVerificationError};
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime};

/// How far the provider's clock and ours may be apart.
const LEEWAY: Duration = Duration::from_secs(60);

/// Signatures that are taken, whatever else a token asks for or a provider offers: none of a secret both sides know, and not none at all.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 4] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// What the token has to fit.
pub(super) struct Expected<'a> {
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a SecretText,
    pub(super) access_token: &'a AccessToken,
    pub(super) now: SystemTime,
}

impl Expected<'_> {
    /// The token's claims, all of them, if it holds.
    pub(super) fn claims(
        &self,
        token: &CoreIdToken,
        client: &KnownClient,
    ) -> Result<Map<String, Value>, ProviderError> {
        let verifier = self.verifier(client);
        let claims =
            token.claims(&verifier, &Nonce::new(self.nonce.expose().to_owned())).map_err(ProviderError::Token)?;
        let audiences: Vec<&str> = claims.audiences().iter().map(|audience| audience.as_str()).collect();
        let party = claims.authorized_party().map(|party| party.as_str());
        if !is_party(self.client_id, &audiences, party) {
            return Err(ProviderError::Unfit("it was given to another party"));
        }
        if let Some(expected) = claims.access_token_hash() {
            let key = token.signing_key(&verifier).map_err(refused)?;
            let algorithm = token.signing_alg().map_err(refused)?;
            let found =
                AccessTokenHash::from_token(self.access_token, algorithm, key).map_err(ProviderError::answer)?;
            if found != *expected {
                return Err(ProviderError::Unfit("another access token came with it"));
            }
        }
        payload(token).ok_or_else(|| ProviderError::answer("the token's claims are no object"))
    }

    fn verifier<'c>(&self, client: &'c KnownClient) -> CoreIdTokenVerifier<'c> {
        let (earliest, latest) = (time(self.now.checked_sub(LEEWAY)), time(self.now.checked_add(LEEWAY)));
        client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            // Others may be named beside us when the token says that it was given to us: judged afterwards.
            .set_other_audience_verifier_fn(|_audience| true)
            .set_time_fn(move || earliest)
            .set_issue_time_verifier_fn(move |issued_at| match issued_at <= latest {
                true => Ok(()),
                false => Err(format!("it was issued at {issued_at}, which is to come")),
            })
    }
}

fn time(time: Option<SystemTime>) -> DateTime<Utc> {
    time.unwrap_or(SystemTime::UNIX_EPOCH).into()
}

/// Whether the token was given to us. Whoever it was given to may show it around; the others in its audience are told that they may believe it.
fn is_party(client_id: &str, audiences: &[&str], party: Option<&str>) -> bool {
    match party {
        Some(party) => party == client_id,
        None => audiences.len() == 1,
    }
}

/// Whether a signature that does not hold might, with keys that we have not seen yet.
pub(super) fn may_be_new_key(error: &ClaimsVerificationError) -> bool {
    matches!(
        error,
        ClaimsVerificationError::SignatureVerification(
            // A provider that does not name its keys shows a new one by a signature that does not hold.
            SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_)
        )
    )
}

fn refused(error: SignatureVerificationError) -> ProviderError {
    ProviderError::Token(ClaimsVerificationError::SignatureVerification(error))
}

/// The claims as they were signed, for openidconnect leaves out those that it does not know.
fn payload(token: &CoreIdToken) -> Option<Map<String, Value>> {
    let text = token.to_string();
    let payload = BASE64URL_NOPAD.decode(text.split('.').nth(1)?.as_bytes()).ok()?;
    serde_json::from_slice(&payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_whom_it_was_given_to() {
        let check = |audiences: &[&str], party: Option<&str>, expected: bool| {
            assert_eq!(is_party("us", audiences, party), expected, "{audiences:?} {party:?}");
        };
        check(&["us"], None, true);
        check(&["us"], Some("us"), true);
        check(&["us"], Some("them"), false);
        check(&["us", "them"], None, false);
        check(&["us", "them"], Some("us"), true);
        check(&["them", "us"], Some("them"), false);
    }

    #[test]
    fn new_keys_are_looked_for_when_they_could_help() {
        let check = |error: SignatureVerificationError, expected: bool| {
            let error = ClaimsVerificationError::SignatureVerification(error);
            assert_eq!(may_be_new_key(&error), expected, "{error:?}");
        };
        check(SignatureVerificationError::NoMatchingKey, true);
        check(SignatureVerificationError::CryptoError("bad signature".to_owned()), true);
        check(SignatureVerificationError::DisallowedAlg("HS256".to_owned()), false);
        check(SignatureVerificationError::NoSignature, false);
        assert!(!may_be_new_key(&ClaimsVerificationError::Expired(String::new())));
    }
}
