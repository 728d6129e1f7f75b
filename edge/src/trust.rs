//! Whom the box trusts to be its server: a chain of signed bundles that begins with a hash it was given.

use crate::identity::sha256;
use crate::kept::Kept;
use crate::state_dir::{StateDir, StateDirError};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use kaliun_proto::enrollment::v1::{GetTrustBundleResponse, SignedTrustBundle, TrustBundle};
use kaliun_types::limits::TRUST_BUNDLES_MAX;
use prost::Message;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use thiserror::Error;

mod known_time;

use known_time::KnownTime;

const FILE: &str = "trust-bundles.pb";
const SIGNATURE_DOMAIN: &[u8] = b"kaliun trust bundle v1\0";

/// Largest bundle, bytes, as the contract says.
const BUNDLE_MAX_BYTES: usize = 64 * 1024;
/// Most authorities in a bundle, as the contract says.
const AUTHORITIES_MAX: usize = 16;

/// The verified chain. Its newest bundle counts, whether or not it can be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct TrustChain {
    bundles: Vec<SignedTrustBundle>,
    current: TrustBundle,
    first_hash: [u8; 32],
    known_time: KnownTime,
    kept: Kept,
}

/// Why a chain is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UntrustedChain {
    /// The server sent no bundle at all.
    #[error("the server has no trust bundle")]
    Empty,
    /// Version 1 is not the one whose hash the box was given.
    #[error("the server's trust bundle is not the one whose hash this box was given")]
    OtherHash,
    /// A signature does not hold.
    #[error("the signature of trust bundle version {0} does not hold")]
    Signature(u64),
    /// A version is missing or twice.
    #[error("the trust bundles are not numbered without gaps")]
    Gap,
    /// A bundle cannot be read or breaks a bound.
    #[error("a trust bundle cannot be read")]
    Unreadable,
    /// It is signed, and this agent knows none of the authorities' kinds.
    #[error("this agent can use none of the authorities in trust bundle version {0}; update the agent")]
    Authorities(u64),
}

impl TrustChain {
    /// Verifies a chain from version 1 on against the hash the box was given.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn begin(first_hash: [u8; 32], bundles: Vec<SignedTrustBundle>) -> Result<Self, UntrustedChain> {
        let mut bundles = bundles.into_iter();
        let first = bundles.next().ok_or(UntrustedChain::Empty)?;
        if sha256(&first.bundle) != first_hash {
            return Err(UntrustedChain::OtherHash);
        }
        let current = read(&first)?;
        if current.version != 1 {
            return Err(UntrustedChain::Gap);
        }
        verify(&first, &current.bundle_key, 1)?;
        let mut chain =
            Self { bundles: vec![first], current, first_hash, known_time: KnownTime::default(), kept: Kept::Changed };
        chain.extend(bundles.collect())?;
        Ok(chain)
    }

    /// Adds those of some versions that are newer; the others are passed over. All or none. Says whether there were any.
    ///
    /// # Errors
    /// The first thing that does not hold; the chain is unchanged then.
    pub fn extend_by_newer(&mut self, bundles: Vec<SignedTrustBundle>) -> Result<bool, UntrustedChain> {
        let mut newer = Vec::new();
        for signed in bundles {
            if read(&signed)?.version > self.current.version {
                newer.push(signed);
            }
        }
        let has_newer = !newer.is_empty();
        self.extend(newer)?;
        Ok(has_newer)
    }

    /// Adds newer versions. All or none. The newest has to be one that this agent can use; those between only lead to it.
    ///
    /// # Errors
    /// The first thing that does not hold; the chain is unchanged then.
    pub fn extend(&mut self, bundles: Vec<SignedTrustBundle>) -> Result<(), UntrustedChain> {
        if self.bundles.len() + bundles.len() > TRUST_BUNDLES_MAX {
            return Err(UntrustedChain::Unreadable);
        }
        let mut current = self.current.clone();
        for signed in &bundles {
            let next = read(signed)?;
            if next.version != current.version + 1 {
                return Err(UntrustedChain::Gap);
            }
            verify(signed, &current.bundle_key, next.version)?;
            current = next;
        }
        if !is_usable(&current) {
            return Err(UntrustedChain::Authorities(current.version));
        }
        if !bundles.is_empty() {
            self.known_time.bundle_taken(current.created_at_ms);
            self.kept.changed();
        }
        self.bundles.extend(bundles);
        self.current = current;
        Ok(())
    }

    /// Reads the stored chain and verifies it again. `None` when there is none that holds.
    #[must_use]
    pub fn load(state: &StateDir) -> Option<Self> {
        let content = state.read_if_possible(FILE)?;
        let chain = GetTrustBundleResponse::decode(content.as_slice()).ok().and_then(|stored| {
            let first_hash = sha256(&stored.bundles.first()?.bundle);
            Self::begin(first_hash, stored.bundles).ok()
        });
        if chain.is_none() {
            tracing::warn!("the stored trust bundles do not hold and are asked for again");
        }
        let known_time = KnownTime::load(state);
        chain.map(|chain| Self { known_time, kept: Kept::Stored, ..chain })
    }

    /// Stores what is not stored yet, in place of any other chain. Where that fails, what was stored last counts after a restart, and the
    /// next call tries again.
    pub(crate) fn keep(&mut self, state: &StateDir) {
        if !self.kept.is_stored() {
            let outcome = self.store(state);
            self.kept.tried("the trust bundles", outcome);
        }
    }

    /// Whether the files say what counts here.
    #[must_use]
    pub(crate) fn is_stored(&self) -> bool {
        self.kept.is_stored()
    }

    fn store(&self, state: &StateDir) -> Result<(), StateDirError> {
        // First what a bundle takes back: the other way round a power cut in between would leave a time that was nonsense beside the bundle
        // that says so, and no bundle says it twice.
        self.known_time.store(state)?;
        state.write(FILE, &GetTrustBundleResponse { bundles: self.bundles.clone() }.encode_to_vec())
    }

    /// Forgets all bundles: the box knows no server any more.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub(crate) fn forget(state: &StateDir) -> Result<(), StateDirError> {
        state.remove(FILE)?;
        KnownTime::forget(state)
    }

    /// Version of the newest bundle.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.current.version
    }

    /// SHA-256 of version 1.
    #[must_use]
    pub fn first_hash(&self) -> [u8; 32] {
        self.first_hash
    }

    /// Names this state of the chain: equal ids mean equal authorities.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        self.bundles.last().map_or(self.first_hash, |newest| sha256(&newest.bundle))
    }

    /// The authorities whose servers the box accepts.
    #[must_use]
    pub fn authorities(&self) -> Vec<CertificateDer<'static>> {
        self.current.certificate_authorities.iter().cloned().map(CertificateDer::from).collect()
    }

    /// The earliest that it can be now, whatever the box's clock says. Milliseconds since the Unix epoch.
    #[must_use]
    pub fn earliest_ms(&self) -> i64 {
        self.known_time.earliest_ms().max(self.current.created_at_ms)
    }

    /// Takes note of a time that a server said: on a connection where it proved its certificate's key over this box's own random
    /// number, or as the beginning of a certificate that it gave there.
    pub(crate) fn note_time(&mut self, state: &StateDir, said_ms: i64, clock_ms: i64) {
        let earliest_ms = self.earliest_ms();
        if self.known_time.note(said_ms, clock_ms, earliest_ms) {
            self.kept.changed();
            self.keep(state);
        }
    }
}

fn read(signed: &SignedTrustBundle) -> Result<TrustBundle, UntrustedChain> {
    if signed.bundle.len() > BUNDLE_MAX_BYTES {
        return Err(UntrustedChain::Unreadable);
    }
    let bundle = TrustBundle::decode(signed.bundle.as_slice()).map_err(|_| UntrustedChain::Unreadable)?;
    let authorities = bundle.certificate_authorities.len();
    if authorities == 0 || authorities > AUTHORITIES_MAX {
        return Err(UntrustedChain::Unreadable);
    }
    Ok(bundle)
}

/// Whether a server can be verified by it. Without that the box would be cut off from the server that it believes now.
fn is_usable(bundle: &TrustBundle) -> bool {
    let mut authorities = bundle.certificate_authorities.iter().map(|der| CertificateDer::from(der.as_slice()));
    authorities.any(|authority| RootCertStore::empty().add(authority.into_owned()).is_ok())
}

fn verify(signed: &SignedTrustBundle, bundle_key: &[u8], version: u64) -> Result<(), UntrustedChain> {
    let message = [SIGNATURE_DOMAIN, &signed.bundle].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, bundle_key)
        .verify(&message, &signed.signature)
        .map_err(|_| UntrustedChain::Signature(version))
}

#[cfg(test)]
pub(crate) mod tests;
