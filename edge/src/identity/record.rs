//! What the control plane said about this box: its id, its name and its certificate, in one file, so that they are never of
//! two different enrolments.

use super::IdentityKey;
use crate::state_dir::{StateDir, StateDirError};
use kaliun_types::id::{DeviceId, parse_device_uri};
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

const FILE: &str = "device.json";

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
        let expires_at_ms = certificate.validity().not_after.timestamp().saturating_mul(1000);
        Ok(Self {
            device_id,
            name: crate::facts::clip(name, kaliun_types::name::DEVICE_NAME_MAX_CHARS).to_owned(),
            certificate_chain: chain.into_iter().map(CertificateDer::from).collect(),
            expires_at_ms,
        })
    }

    /// Reads the record. One that does not fit the key, or cannot be read, counts as none: the box enrols again and gets
    /// its own place back by its key.
    pub(super) fn load(state: &StateDir, key: &IdentityKey) -> Result<Option<Self>, StateDirError> {
        let Some(content) = state.read(FILE)? else {
            return Ok(None);
        };
        let record = serde_json::from_slice::<Stored>(&content).ok().and_then(|stored| {
            let decode = |text: &String| data_encoding::BASE64.decode(text.as_bytes()).ok();
            let chain = stored.certificate_chain.iter().map(decode).collect::<Option<Vec<_>>>()?;
            Self::check(key, &stored.device_id, &stored.name, chain).ok()
        });
        if record.is_none() {
            tracing::warn!("the device record does not fit the identity key, the box enrols again");
        }
        Ok(record)
    }

    /// Stores the record in place of any other.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn store(&self, state: &StateDir) -> Result<(), StateDirError> {
        let stored = Stored {
            device_id: self.device_id.to_string(),
            name: self.name.clone(),
            certificate_chain: self.certificate_chain.iter().map(|der| data_encoding::BASE64.encode(der)).collect(),
        };
        state.write(FILE, &serde_json::to_vec_pretty(&stored).unwrap_or_default())
    }

    /// Forgets the record.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn forget(state: &StateDir) -> Result<(), StateDirError> {
        state.remove(FILE)
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
