//! How the box gets trust bundles: the one call over a connection that is not verified.
//!
//! Anybody may answer there. Bundles that verify count, and nothing else: no status, no sentence and no hint of such an answer is shown,
//! obeyed or waited for.

use super::{ANSWER_TIMEOUT, Enrollment, client};
use crate::connection::{Connection, DialError};
use crate::dialer::TlsSetupError;
use crate::trust::{TrustChain, UntrustedChain};
use kaliun_proto::enrollment::v1::GetTrustBundleRequest;
use thiserror::Error;

/// No trust bundles were learned this time.
#[derive(Debug, Error)]
pub enum TrustError {
    /// The connection did not come about.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// The bundles do not hold.
    #[error(transparent)]
    Chain(#[from] UntrustedChain),
    /// The call ended with a status. Which one is not looked at: it is the word of a stranger.
    #[error("whoever answers at the control plane's address gives no trust bundles")]
    Untold,
    /// Nobody said anything.
    #[error("the control plane did not answer in time")]
    TimedOut,
}

impl Enrollment<'_> {
    /// Gets the chain of trust bundles, or what is new in it. `held` is what the box trusts already.
    ///
    /// # Errors
    /// The server cannot be reached, tells none, or its bundles do not hold.
    pub async fn learn_trust(&self, first_hash: [u8; 32], held: Option<TrustChain>) -> Result<TrustChain, TrustError> {
        let connection = Connection::open(self.dialer, self.address, self.dialer.unverified()?).await?;
        let from_version = held.as_ref().map_or(0, TrustChain::version);
        let mut client = client(&connection);
        let call = client.get_trust_bundle(GetTrustBundleRequest { from_version });
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, call).await.map_err(|_| TrustError::TimedOut)?;
        let bundles = answer.map_err(|_stranger| TrustError::Untold)?.into_inner().bundles;
        match held {
            None => Ok(TrustChain::begin(first_hash, bundles)?),
            Some(mut chain) => {
                chain.extend(bundles)?;
                Ok(chain)
            }
        }
    }
}
