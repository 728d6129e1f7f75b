//! What a provider publishes about itself: its endpoints and its keys, kept for an hour.

use crate::identity_providers::error::ProviderError;
use crate::identity_providers::outward::{Outward, OutwardError};
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType,
};
use openidconnect::{AdditionalProviderMetadata, DiscoveryError, IssuerUrl, JsonWebKeySet, ProviderMetadata};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// How long what was published is believed: keys that a provider withdrew are not taken for longer.
const BELIEVED_FOR: Duration = Duration::from_secs(3600);
/// Between two looks for new keys. Anybody can send a token with a key that does not exist.
const KEYS_INTERVAL: Duration = Duration::from_secs(60);

/// Endpoints and the rest, as openidconnect reads them.
pub(super) type Metadata = ProviderMetadata<
    Extensions,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What else matters to us.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Extensions {
    /// Whether it says with each answer who it is (RFC 9207).
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Extensions {}

/// What one look brought.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) metadata: Metadata,
    read_at: SystemTime,
}

impl Published {
    pub(super) fn issuer(&self) -> &str {
        self.metadata.issuer().as_str()
    }

    pub(super) fn says_issuer(&self) -> bool {
        self.metadata.additional_metadata().authorization_response_iss_parameter_supported
    }
}

/// The newest look, and when there may be the next.
#[derive(Debug)]
pub(super) struct Publications {
    issuer: IssuerUrl,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    newest: Option<Arc<Published>>,
    keys_asked_at: Option<SystemTime>,
}

impl Publications {
    pub(super) fn new(issuer: IssuerUrl) -> Self {
        Self { issuer, state: Mutex::default() }
    }

    /// What is published, at most an hour old. Several who find it old at once ask several times, which harms nobody.
    pub(super) async fn current(&self, outward: &Outward, now: SystemTime) -> Result<Arc<Published>, ProviderError> {
        if let Some(newest) = &self.state().newest
            && !is_over(newest.read_at, BELIEVED_FOR, now)
        {
            return Ok(Arc::clone(newest));
        }
        let metadata = Metadata::discover_async(self.issuer.clone(), outward).await.map_err(failed)?;
        let published = Arc::new(Published { metadata, read_at: now });
        *self.state() = State { newest: Some(Arc::clone(&published)), keys_asked_at: Some(now) };
        Ok(published)
    }

    /// The same with newer keys than those known, for a token whose key is not among them. None: there are none, or it is not a minute
    /// since somebody looked.
    pub(super) async fn newer(
        &self,
        known: &Arc<Published>,
        outward: &Outward,
        now: SystemTime,
    ) -> Result<Option<Arc<Published>>, ProviderError> {
        {
            let mut state = self.state();
            if let Some(newest) = state.newest.as_ref().filter(|newest| !Arc::ptr_eq(newest, known)) {
                return Ok(Some(Arc::clone(newest)));
            }
            if state.keys_asked_at.is_some_and(|asked_at| !is_over(asked_at, KEYS_INTERVAL, now)) {
                return Ok(None);
            }
            state.keys_asked_at = Some(now);
        }
        let keys = JsonWebKeySet::fetch_async(known.metadata.jwks_uri(), outward).await.map_err(failed)?;
        let metadata = known.metadata.clone().set_jwks(keys);
        let published = Arc::new(Published { metadata, read_at: known.read_at });
        self.state().newest = Some(Arc::clone(&published));
        Ok(Some(published))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether so much time has passed. When the clock was set back nobody knows.
fn is_over(since: SystemTime, interval: Duration, now: SystemTime) -> bool {
    now.duration_since(since).map_or(true, |passed| passed >= interval)
}

fn failed(error: DiscoveryError<OutwardError>) -> ProviderError {
    if let DiscoveryError::Request(error) = error {
        return ProviderError::Unreachable(error);
    }
    ProviderError::Discovery(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn what_was_read_is_believed_for_its_time() {
        let check = |since: u64, now: u64, expected: bool| {
            let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(is_over(at(since), BELIEVED_FOR, at(now)), expected, "{since} {now}");
        };
        check(1_000, 1_000, false);
        check(1_000, 4_599, false);
        check(1_000, 4_600, true);
        check(1_000, 999, true);
    }
}
