//! The devices' identities, kept between runs: enrolling thousands takes a while.

use anyhow::Context as _;
use data_encoding::BASE64;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Identities older than this are made anew: certificates live for 30 days.
const LIFETIME: Duration = Duration::from_secs(20 * 24 * 3600);

/// One enrolled device.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// What the control plane calls it; empty in files of an older benchmark.
    #[serde(default)]
    pub(crate) device_id: String,
    /// PKCS#8, base64.
    private_key: String,
    /// DER, base64; the device's own first.
    certificate_chain: Vec<String>,
}

impl Identity {
    /// Takes what enrolment gave.
    pub(crate) fn new(device_id: String, private_key: &[u8], chain: &[Vec<u8>]) -> Self {
        Self {
            device_id,
            private_key: BASE64.encode(private_key),
            certificate_chain: chain.iter().map(|der| BASE64.encode(der)).collect(),
        }
    }

    /// The key as TLS wants it.
    pub(crate) fn private_key(&self) -> anyhow::Result<PrivateKeyDer<'static>> {
        let der = BASE64.decode(self.private_key.as_bytes()).context("a kept key is damaged")?;
        Ok(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der)))
    }

    /// The certificates as TLS wants them.
    pub(crate) fn chain(&self) -> anyhow::Result<Vec<CertificateDer<'static>>> {
        self.certificate_chain.iter().map(|text| certificate(text)).collect()
    }
}

/// All that is kept.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Seconds since the Unix epoch.
    made_at: u64,
    /// The control plane's authorities. DER, base64.
    authorities: Vec<String>,
    pub(crate) devices: Vec<Identity>,
}

impl Kept {
    /// Reads what is kept; nothing when there is nothing that can still be used.
    pub(crate) fn read(file: &Path) -> Self {
        let kept: Self =
            std::fs::read(file).ok().and_then(|content| serde_json::from_slice(&content).ok()).unwrap_or_default();
        if now().saturating_sub(kept.made_at) > LIFETIME.as_secs() { Self::default() } else { kept }
    }

    /// Writes all of it.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        std::fs::write(file, serde_json::to_vec(self)?).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Begins with some authorities.
    pub(crate) fn begin(&mut self, authorities: &[Vec<u8>]) {
        if self.devices.is_empty() {
            self.made_at = now();
        }
        self.authorities = authorities.iter().map(|der| BASE64.encode(der)).collect();
    }

    /// The control plane's authorities.
    pub(crate) fn authorities(&self) -> anyhow::Result<Vec<CertificateDer<'static>>> {
        self.authorities.iter().map(|text| certificate(text)).collect()
    }
}

fn certificate(text: &str) -> anyhow::Result<CertificateDer<'static>> {
    Ok(CertificateDer::from(BASE64.decode(text.as_bytes()).context("a kept certificate is damaged")?))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
