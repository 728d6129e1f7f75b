//! Other people's identity providers: sending somebody there, and judging what they come back with.
//!
//! Nothing here knows accounts or sessions, and nothing is stored: [`IdentityProviders::begin`] answers what has to be kept until somebody
//! comes back, and [`IdentityProviders::finish`] makes an [`ExternalIdentity`] of it. What is kept in memory is what providers publish about
//! themselves, for an hour. Requests go out over TLS, take 10 s at most and are bounded in size; so many sign-ins are under way at once and
//! no more.

mod attempt;
mod claims;
mod error;
mod github;
mod identity;
mod oidc;
mod outward;
mod settings;

pub use attempt::{Attempt, Begun, Callback, state_hash};
pub use error::ProviderError;
pub use identity::ExternalIdentity;
pub use outward::{InvalidAuthorities, OutwardError};
pub use settings::{ProviderSettings, ProvidersFileError, Speaks, read};

use crate::clock::Clock;
use crate::config::Config;
use github::GitHub;
use oidc::OpenIdConnect;
use outward::Outward;
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::Semaphore;

/// Sign-ins through one provider that wait for it at once. Each waits for four answers at most, so that one that answers in a tenth of a
/// second serves 80 people a second; one that is dead keeps so many waiting and no more.
const UNDER_WAY_MAX: usize = 32;

/// The providers that people can sign in through.
#[derive(Debug, Clone, Default)]
pub struct IdentityProviders {
    providers: Arc<BTreeMap<String, Provider>>,
}

/// One of them.
#[derive(Debug)]
struct Provider {
    name: String,
    under_way: Semaphore,
    client: Client,
}

#[derive(Debug)]
enum Client {
    OpenIdConnect(Box<OpenIdConnect>),
    GitHub(Box<GitHub>),
}

/// What is configured does not serve.
#[derive(Debug, Error)]
pub enum InvalidProvider {
    /// The file as a whole.
    #[error(transparent)]
    File(#[from] ProvidersFileError),
    /// Its file of certificate authorities.
    #[error("identity_providers_file: provider {id:?}: ca_file: {source}")]
    Authorities {
        /// Which provider.
        id: String,
        /// Why.
        source: InvalidAuthorities,
    },
    /// One of its addresses.
    #[error("identity_providers_file: provider {id:?}: {key} is no address: {source}")]
    Address {
        /// Which provider.
        id: String,
        /// The key.
        key: &'static str,
        /// Why.
        source: openidconnect::url::ParseError,
    },
}

impl IdentityProviders {
    /// Reads the file that the configuration names, and makes ready to speak to those in it. Without one there are none.
    ///
    /// # Errors
    /// What is wrong with it, naming the key.
    pub fn open(config: &Config, clock: &Clock) -> Result<Self, InvalidProvider> {
        let settings = config.identity_providers_file.as_deref().map(read).transpose()?;
        Self::new(settings.unwrap_or_default(), clock)
    }

    /// Makes ready to speak to them. Nobody is asked yet: one that is down keeps nothing from starting.
    ///
    /// # Errors
    /// A file with certificate authorities does not serve, or an address is none.
    pub fn new(settings: Vec<ProviderSettings>, clock: &Clock) -> Result<Self, InvalidProvider> {
        let mut providers = BTreeMap::new();
        for settings in settings {
            let (id, name) = (settings.id.clone(), settings.name.clone());
            let outward = Outward::new(settings.ca_file.as_deref())
                .map_err(|source| InvalidProvider::Authorities { id: id.clone(), source })?;
            let client = match settings.speaks.clone() {
                Speaks::OpenIdConnect { issuer } => {
                    Client::OpenIdConnect(Box::new(OpenIdConnect::new(settings, issuer, outward, clock.clone())?))
                }
                Speaks::GitHub { base_url, api_url } => {
                    Client::GitHub(Box::new(GitHub::new(settings, &base_url, &api_url, outward)?))
                }
            };
            providers.insert(id, Provider { name, under_way: Semaphore::new(UNDER_WAY_MAX), client });
        }
        Ok(Self { providers: Arc::new(providers) })
    }

    /// Each one's id and name, by id.
    pub fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.providers.iter().map(|(id, provider)| (id.as_str(), provider.name.as_str()))
    }

    /// Whether there is such a one.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.providers.contains_key(id)
    }

    /// Begins a sign-in through a provider. None: there is no such provider. `redirect_uri` is where it sends people back to, and has to be
    /// another for each provider: an answer then cannot be taken for another's.
    ///
    /// # Errors
    /// The provider cannot be asked, or what it publishes does not serve.
    pub async fn begin(&self, id: &str, redirect_uri: &str) -> Option<Result<Begun, ProviderError>> {
        let provider = self.providers.get(id)?;
        let Ok(_place) = provider.under_way.try_acquire() else { return Some(Err(ProviderError::Busy)) };
        Some(match &provider.client {
            Client::OpenIdConnect(client) => client.begin(redirect_uri).await,
            Client::GitHub(client) => Ok(client.begin(redirect_uri)),
        })
    }

    /// Judges what somebody came back with, and says who they are. None: there is no such provider.
    ///
    /// # Errors
    /// See [`ProviderError`]. Nobody is signed in then.
    pub async fn finish(
        &self,
        id: &str,
        redirect_uri: &str,
        attempt: &Attempt,
        callback: &Callback,
    ) -> Option<Result<ExternalIdentity, ProviderError>> {
        let provider = self.providers.get(id)?;
        let Ok(_place) = provider.under_way.try_acquire() else { return Some(Err(ProviderError::Busy)) };
        Some(match &provider.client {
            Client::OpenIdConnect(client) => client.finish(redirect_uri, attempt, callback).await,
            Client::GitHub(client) => client.finish(redirect_uri, attempt, callback).await,
        })
    }
}
