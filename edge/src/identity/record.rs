//! What the control plane said about this box: its id, its name and its certificate, in one file, so that they are never of
//! two different enrolments.

use super::{IdentityKey, sha256};
use crate::state_dir::{StateDir, StateDirError};
use kaliun_types::id::{DeviceId, parse_device_uri};
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

const FILE: &str = "device.json";
const CANDIDATE_FILE: &str = "device-next.json";

/// Most certificates in a chain, as the contract says.
const CHAIN_MAX: usize = 4;

/// An enrolled box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    /// The device's id.
    pub device_id: DeviceId,
    /// The name it was given.
    pub name: String,
    /// The certificate, and behind it who issued it.
    pub certificate_chain: Vec<CertificateDer<'static>>,
    /// When the certificate's validity began. Milliseconds since the Unix epoch.
    pub begins_at_ms: i64,
    /// When the certificate runs out. Milliseconds since the Unix epoch.
    pub expires_at_ms: i64,
}

/// What came is no record for this box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidDeviceRecord {
    /// None, or more than four.
    #[error("the chain does not have one to four certificates")]
    ChainLength,
    /// Not X.509.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// Issued for somebody else's key.
    #[error("the certificate is for another key")]
    OtherKey,
    /// The URI in the certificate and the id beside it differ.
    #[error("the certificate does not name this device")]
    OtherDevice,
    /// The id is no UUID.
    #[error("the device id is not a UUID")]
    Id,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    device_id: String,
    name: String,
    certificate_chain: Vec<String>,
    /// SHA-256 of trust bundle version 1, hexadecimal. Older versions did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trust_hash: Option<String>,
}

impl DeviceRecord {
    /// Checks what enrolment gave against the box's own key.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn check(
        key: &IdentityKey,
        device_id: &str,
        name: &str,
        chain: Vec<Vec<u8>>,
    ) -> Result<Self, InvalidDeviceRecord> {
        let device_id: DeviceId = device_id.parse().map_err(|_| InvalidDeviceRecord::Id)?;
        if chain.len() > CHAIN_MAX {
            return Err(InvalidDeviceRecord::ChainLength);
        }
        let leaf = chain.first().ok_or(InvalidDeviceRecord::ChainLength)?;
        let (_, certificate) = X509Certificate::from_der(leaf).map_err(|_| InvalidDeviceRecord::Unreadable)?;
        if certificate.public_key().raw != key.public_key_info() {
            return Err(InvalidDeviceRecord::OtherKey);
        }
        if named_device(&certificate) != Some(device_id) {
            return Err(InvalidDeviceRecord::OtherDevice);
        }
        let begins_at_ms = certificate.validity().not_before.timestamp().saturating_mul(1000);
        let expires_at_ms = certificate.validity().not_after.timestamp().saturating_mul(1000);
        Ok(Self {
            device_id,
            name: crate::facts::clip(name, kaliun_types::name::DEVICE_NAME_MAX_CHARS).to_owned(),
            certificate_chain: chain.into_iter().map(CertificateDer::from).collect(),
            begins_at_ms,
            expires_at_ms,
        })
    }

    /// When the box asks for its next certificate: after about two thirds of this one's life, each box at its own time, so that
    /// those which were enrolled together do not all ask in the same minute. Milliseconds since the Unix epoch.
    #[must_use]
    pub fn renews_at_ms(&self) -> i64 {
        let life = self.expires_at_ms.saturating_sub(self.begins_at_ms).max(0);
        // As random as the certificate's serial number, and the same after each restart.
        let leaf = self.certificate_chain.first().map(AsRef::as_ref).unwrap_or_default();
        let share = i64::from(sha256(leaf).first().copied().unwrap_or_default());
        // 60 to 70 %: in steps of a 2,560th, and none of them can overflow.
        self.begins_at_ms.saturating_add(life / 10 * 6).saturating_add(life / 2_560 * share)
    }

    /// Reads the record. One that does not fit the key, or cannot be read, counts as none: the box enrols again and gets
    /// its own place back by its key.
    pub(super) fn load(state: &StateDir, key: &IdentityKey) -> Option<Self> {
        Self::read(state, key, FILE)
    }

    /// Reads the candidate: a certificate that no session has begun with yet. One that does not fit counts as none.
    pub(super) fn load_candidate(state: &StateDir, key: &IdentityKey) -> Option<Self> {
        Self::read(state, key, CANDIDATE_FILE)
    }

    fn read(state: &StateDir, key: &IdentityKey, file: &str) -> Option<Self> {
        let content = state.read_if_possible(file)?;
        let record = serde_json::from_slice::<Stored>(&content).ok().and_then(|stored| {
            let decode = |text: &String| data_encoding::BASE64.decode(text.as_bytes()).ok();
            let chain = stored.certificate_chain.iter().map(decode).collect::<Option<Vec<_>>>()?;
            Self::check(key, &stored.device_id, &stored.name, chain).ok()
        });
        if record.is_none() {
            tracing::warn!(file, "the device record does not fit the identity key and counts for nothing");
        }
        record
    }

    /// The hash that the server was known by when the record was stored: a box whose bundles and token are gone begins again from it.
    pub(crate) fn trust_hash(state: &StateDir) -> Option<[u8; 32]> {
        let stored = serde_json::from_slice::<Stored>(&state.read_if_possible(FILE)?).ok()?;
        kaliun_types::join_token::parse_hash(&stored.trust_hash?)
    }

    /// Forgets that hash, and keeps the record. One that cannot be read has none.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn forget_trust_hash(state: &StateDir) -> Result<(), StateDirError> {
        let content = state.read_if_possible(FILE);
        let Some(mut stored) = content.and_then(|content| serde_json::from_slice::<Stored>(&content).ok()) else {
            return Ok(());
        };
        if stored.trust_hash.take().is_none() {
            return Ok(());
        }
        state.write(FILE, &serde_json::to_vec_pretty(&stored).unwrap_or_default())
    }

    /// Stores the record in place of any other, and beside it the hash that the server is known by.
    pub(super) fn store(&self, state: &StateDir, trust_hash: Option<[u8; 32]>) -> Result<(), StateDirError> {
        self.write(state, FILE, trust_hash)
    }

    /// Stores it as the candidate, in place of any other.
    pub(super) fn store_candidate(&self, state: &StateDir) -> Result<(), StateDirError> {
        self.write(state, CANDIDATE_FILE, None)
    }

    fn write(&self, state: &StateDir, file: &str, trust_hash: Option<[u8; 32]>) -> Result<(), StateDirError> {
        let stored = Stored {
            device_id: self.device_id.to_string(),
            name: self.name.clone(),
            certificate_chain: self.certificate_chain.iter().map(|der| data_encoding::BASE64.encode(der)).collect(),
            trust_hash: trust_hash.map(|hash| data_encoding::HEXLOWER.encode(&hash)),
        };
        state.write(file, &serde_json::to_vec_pretty(&stored).unwrap_or_default())
    }

    /// Forgets the record.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn forget(state: &StateDir) -> Result<(), StateDirError> {
        state.remove(FILE)?;
        Self::forget_candidate(state)
    }

    /// Forgets the candidate.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn forget_candidate(state: &StateDir) -> Result<(), StateDirError> {
        state.remove(CANDIDATE_FILE)
    }
}

fn named_device(certificate: &X509Certificate<'_>) -> Option<DeviceId> {
    let names = certificate.subject_alternative_name().ok().flatten()?;
    names
        .value
        .general_names
        .iter()
        .find_map(|name| if let GeneralName::URI(uri) = name { parse_device_uri(uri).ok() } else { None })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A record with a made-up certificate that is valid for so long.
    pub(crate) fn record(leaf: u8, begins_at_ms: i64, expires_at_ms: i64) -> DeviceRecord {
        DeviceRecord {
            device_id: "018f3c1e-7d2a-7c3b-9f10-2b6f0c9a5d11".parse().unwrap(),
            name: "cellar".to_owned(),
            certificate_chain: vec![CertificateDer::from(vec![leaf])],
            begins_at_ms,
            expires_at_ms,
        }
    }

    #[test]
    fn boxes_renew_at_about_two_thirds_each_at_its_own_time() {
        let times: Vec<i64> = (0..=255).map(|leaf| record(leaf, 1_000_000, 2_000_000).renews_at_ms()).collect();
        assert!(times.iter().all(|at| (1_600_000..1_700_000).contains(at)), "{times:?}");
        let distinct: std::collections::BTreeSet<_> = times.iter().collect();
        assert!(distinct.len() > 100, "{}", distinct.len());
        assert_eq!(times, (0..=255).map(|leaf| record(leaf, 1_000_000, 2_000_000).renews_at_ms()).collect::<Vec<_>>());
        // Nonsense from outside leads nowhere far.
        assert_eq!(record(1, 5, 5).renews_at_ms(), 5);
        assert!(record(1, i64::MIN, i64::MAX).renews_at_ms() < i64::MAX);
    }
}
