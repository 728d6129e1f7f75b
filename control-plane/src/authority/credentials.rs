//! What counts at one moment: who signs what, whom the server believes, and the bundles that boxes are told.

use super::certificate::{CertificateAuthority, serial};
use super::key_file::KeyFile;
use super::request::CheckedRequest;
use super::signer::{MemorySigner, Signer};
use super::{AuthorityError, authority_purpose};
use crate::digest::sha256;
use kaliun_domain::enrollment::CERTIFICATE_LIFETIME;
use kaliun_domain::rotation::Rotation;
use kaliun_proto::enrollment::v1::SignedTrustBundle;
use kaliun_store::{AuthorityRow, AuthorityRows, CertificateGrant};
use kaliun_types::id::{DeviceId, OrganizationId};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;
use std::time::SystemTime;

/// What counts. Does not change; when something changed there is another one.
pub struct Credentials {
    revision: i64,
    rotation: Rotation,
    issuing: CertificateAuthority,
    serving: CertificateAuthority,
    trusted: Vec<CertificateDer<'static>>,
    /// Certificates of the authorities that are not believed any more.
    retired: Vec<CertificateDer<'static>>,
    bundles: Vec<SignedTrustBundle>,
    trust_hash: [u8; 32],
}

impl Credentials {
    /// Opens the keys that are needed and puts the rest together.
    ///
    /// # Errors
    /// The key file is another one, or what is kept is damaged.
    pub(super) fn unseal(rows: AuthorityRows, keys: &KeyFile) -> Result<Self, AuthorityError> {
        let damaged = |what: String| AuthorityError::Damaged { what };
        let open = |number: i32| {
            let row = rows.authorities.iter().find(|row| row.number == number && !row.is_retired);
            open(row.ok_or_else(|| damaged(authority_purpose(number)))?, keys)
        };
        let rotation = rows.rotation;
        let trusted = rotation
            .trusted()
            .map(|number| Ok(open(number)?.certificate))
            .collect::<Result<Vec<_>, AuthorityError>>()?;
        let retired = rows.authorities.iter().filter(|row| row.is_retired);
        let retired = retired.map(|row| CertificateDer::from(row.certificate.clone())).collect();
        let bundles: Vec<SignedTrustBundle> = rows
            .bundles
            .iter()
            .map(|row| SignedTrustBundle { bundle: row.bundle.clone(), signature: row.signature.clone() })
            .collect();
        if !rows.bundles.iter().map(|row| row.version).eq(1..=i64::try_from(bundles.len()).unwrap_or(0)) {
            return Err(damaged("the chain of trust bundles".to_owned()));
        }
        let first = bundles.first().ok_or_else(|| damaged("the chain of trust bundles".to_owned()))?;
        let trust_hash = sha256(&first.bundle);
        Ok(Self {
            revision: rows.revision,
            rotation,
            issuing: open(rotation.issuing())?,
            serving: open(rotation.serving())?,
            trusted,
            retired,
            bundles,
            trust_hash,
        })
    }

    /// Grows with each change.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// Which authority does what.
    #[must_use]
    pub fn rotation(&self) -> Rotation {
        self.rotation
    }

    /// SHA-256 of trust bundle version 1, by which boxes know this server.
    #[must_use]
    pub fn trust_hash(&self) -> [u8; 32] {
        self.trust_hash
    }

    /// The authorities whose certificates boxes may show.
    #[must_use]
    pub fn trusted(&self) -> &[CertificateDer<'static>] {
        &self.trusted
    }

    /// Whether an authority with this certificate is or was one of this fleet.
    pub(super) fn knows(&self, certificate: &CertificateDer<'_>) -> bool {
        self.trusted.iter().chain(&self.retired).any(|known| known == certificate)
    }

    /// Whether the certificates of an authority are believed.
    #[must_use]
    pub fn trusts(&self, authority: i32) -> bool {
        self.rotation.trusted().any(|number| number == authority)
    }

    /// The version of the newest bundle.
    #[must_use]
    pub fn bundle_version(&self) -> u64 {
        self.bundles.len() as u64
    }

    /// The bundles after a version, ascending.
    #[must_use]
    pub fn bundles_from(&self, version: u64) -> Vec<SignedTrustBundle> {
        (1_u64..).zip(&self.bundles).filter(|(number, _)| *number > version).map(|(_, bundle)| bundle.clone()).collect()
    }

    /// What a certificate that is made now amounts to.
    #[must_use]
    pub fn grant(&self, now: SystemTime) -> CertificateGrant {
        CertificateGrant {
            authority: self.rotation.issuing(),
            serial: serial(),
            issued_at: now,
            expires_at: now + CERTIFICATE_LIFETIME,
        }
    }

    /// Makes a granted certificate for the key of a request; the chain ends with the authority.
    ///
    /// # Errors
    /// The library refused, or the key cannot be used.
    pub fn issue_device(
        &self,
        request: &CheckedRequest,
        device: DeviceId,
        organization: OrganizationId,
        grant: &CertificateGrant,
    ) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
        self.issuing.issue_device(request, device, organization, grant)
    }

    /// Makes a certificate for the device listener with a new key.
    ///
    /// # Errors
    /// A name is no DNS name, the library refused, or the key cannot be used.
    pub fn issue_server(
        &self,
        names: &[String],
        now: SystemTime,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), AuthorityError> {
        self.serving.issue_server(names, now)
    }
}

/// Opens an authority's key, and sees that it is the one of its certificate: a row that somebody else put into the database opens nothing.
///
/// # Errors
/// The key file is another one, or what is kept is damaged.
pub(super) fn open(row: &AuthorityRow, keys: &KeyFile) -> Result<CertificateAuthority, AuthorityError> {
    let purpose = authority_purpose(row.number);
    let Some(sealed) = &row.sealed_key else { return Err(AuthorityError::Damaged { what: purpose }) };
    let signer = MemorySigner::new(&keys.unseal(&purpose, sealed)?)?;
    let certificate = CertificateDer::from(row.certificate.clone());
    if !is_key_of(&signer, &certificate) {
        return Err(AuthorityError::Damaged { what: purpose });
    }
    CertificateAuthority::new(certificate, Arc::new(signer))
}

/// Whether a key is the one that a certificate is for.
fn is_key_of(signer: &dyn Signer, certificate: &CertificateDer<'_>) -> bool {
    x509_parser::parse_x509_certificate(certificate)
        .is_ok_and(|(_rest, certificate)| *certificate.public_key().subject_public_key.data == *signer.public_key())
}
