//! The certificate authority for devices, and the trust bundles by which boxes know this server.
//!
//! Kept in the folder `authority` of the state directory: `ca.key`, `ca.crt`, `bundle.key` and `bundles/<version>`.

use crate::clock;
use crate::digest::{random, sha256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use kaliun_domain::enrollment::CERTIFICATE_LIFETIME;
use kaliun_proto::enrollment::v1::{SignedTrustBundle, TrustBundle};
use kaliun_types::id::{DeviceId, device_uri};
use prost::Message;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};
use thiserror::Error;

/// The authority is valid this long; rotation comes long before.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// The device listener's own certificate is made anew at each start and once a day.
const SERVER_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// Certificates begin this long before they are made, for boxes whose clock is behind.
const BACKDATE: Duration = Duration::from_secs(3600);
/// What is signed for a trust bundle begins with this, so that the signature fits nothing else.
const BUNDLE_DOMAIN: &[u8] = b"kaliun trust bundle v1\0";
/// What a box signs to prove its key begins with this.
const PROOF_DOMAIN: &[u8] = b"kaliun enrollment v1\0";

/// Something is wrong with the authority's files, or a request does not fit.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// A file could not be read or written.
    #[error("the authority's file {} could not be read or written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file has another content than it should.
    #[error("the authority's file {} is damaged; restore the folder from a backup", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
    },
    /// A certificate could not be made.
    #[error("a certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    /// A key could not be made or used.
    #[error("a key could not be made or used")]
    Key,
}

/// The authority. Signs what this server vouches for.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    bundles: Vec<SignedTrustBundle>,
    trust_hash: [u8; 32],
}

/// A box's signing request, checked: whose key it is.
pub struct CheckedRequest {
    request: CertificateSigningRequestParams,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key_hash: [u8; 32],
}

impl Authority {
    /// Opens the authority in a folder, and makes it there when there is none.
    ///
    /// # Errors
    /// A file cannot be read or written, or is damaged. Nothing that exists is ever overwritten.
    pub fn open(folder: &Path) -> Result<Self, AuthorityError> {
        let bundles = folder.join("bundles");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&bundles)
            .map_err(|source| AuthorityError::File { path: bundles.clone(), source })?;
        let key = open_key(&folder.join("ca.key"))?;
        let certificate = open_certificate(&folder.join("ca.crt"), &key)?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)?;
        let first = open_first_bundle(folder, &certificate)?;
        let trust_hash = sha256(&first.bundle);
        Ok(Self { issuer, certificate, bundles: vec![first], trust_hash })
    }

    /// SHA-256 of trust bundle version 1, by which boxes know this server.
    #[must_use]
    pub fn trust_hash(&self) -> [u8; 32] {
        self.trust_hash
    }

    /// The authority's certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The bundles after a version, ascending.
    #[must_use]
    pub fn bundles_from(&self, version: u64) -> Vec<SignedTrustBundle> {
        (1_u64..).zip(&self.bundles).filter(|(number, _)| *number > version).map(|(_, bundle)| bundle.clone()).collect()
    }

    /// Makes a device's certificate for the key of a request; the chain ends with the authority.
    ///
    /// # Errors
    /// The library refused.
    pub fn issue_device(
        &self,
        request: &CheckedRequest,
        device: DeviceId,
        now: SystemTime,
    ) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&device.to_string());
        params.subject_alt_names =
            vec![SanType::URI(device_uri(device).try_into().map_err(|_error| AuthorityError::Key)?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        leaf(&mut params, now, now + CERTIFICATE_LIFETIME);
        let certificate = params.signed_by(&request.request.public_key, &self.issuer)?;
        Ok(vec![certificate.der().clone(), self.certificate.clone()])
    }

    /// Makes a certificate for the device listener with a new key.
    ///
    /// # Errors
    /// A name is no DNS name, or the library refused.
    pub fn issue_server(
        &self,
        names: &[String],
        now: SystemTime,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = common_name("Kaliun Fleet device listener");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf(&mut params, now, now + SERVER_LIFETIME);
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok((vec![certificate.der().clone(), self.certificate.clone()], key))
    }
}

impl CheckedRequest {
    /// Reads a PKCS#10 request; its own signature must fit, and the key must be P-256.
    #[must_use]
    pub fn parse(der: &[u8]) -> Option<Self> {
        let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der)).ok()?;
        if request.public_key.algorithm() != &rcgen::PKCS_ECDSA_P256_SHA256 {
            return None;
        }
        let key_hash = sha256(&request.public_key.subject_public_key_info());
        Some(Self { request, key_hash })
    }

    /// Whether a signature proves that the sender holds the request's key now.
    #[must_use]
    pub fn proves(&self, nonce: &[u8], signature: &[u8]) -> bool {
        let message = [PROOF_DOMAIN, nonce, &self.key_hash].concat();
        crate::digest::verify_p256(self.request.public_key.der_bytes(), &message, signature)
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// What all certificates for keys that sign no others have in common.
fn leaf(params: &mut CertificateParams, now: SystemTime, until: SystemTime) {
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.is_ca = IsCa::ExplicitNoCa;
    params.not_before = (now - BACKDATE).into();
    params.not_after = until.into();
    params.serial_number = Some(serial());
}

/// 127 random bits: positive in DER (RFC 5280 section 4.1.2.2 wants at most 20 octets, the linters at least 64 bits).
fn serial() -> SerialNumber {
    let mut bytes = random::<16>();
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    SerialNumber::from_slice(&bytes)
}

fn open_key(path: &Path) -> Result<KeyPair, AuthorityError> {
    if let Some(pem) = read(path)? {
        return KeyPair::from_pem(&pem).map_err(|_error| AuthorityError::Damaged { path: path.to_owned() });
    }
    let key = KeyPair::generate()?;
    create(path, key.serialize_pem().as_bytes())?;
    Ok(key)
}

fn open_certificate(path: &Path, key: &KeyPair) -> Result<CertificateDer<'static>, AuthorityError> {
    use rustls::pki_types::pem::PemObject;
    if let Some(pem) = read(path)? {
        return CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_error| AuthorityError::Damaged { path: path.to_owned() });
    }
    let now = clock::now();
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name("Kaliun Fleet device authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = (now - BACKDATE).into();
    params.not_after = (now + AUTHORITY_LIFETIME).into();
    params.serial_number = Some(serial());
    let certificate = params.self_signed(key)?;
    create(path, certificate.pem().as_bytes())?;
    Ok(certificate.der().clone())
}

fn open_first_bundle(folder: &Path, certificate: &CertificateDer<'_>) -> Result<SignedTrustBundle, AuthorityError> {
    let path = folder.join("bundles").join("1");
    match fs::read(&path) {
        Ok(bytes) => {
            return SignedTrustBundle::decode(bytes.as_slice())
                .map_err(|_error| AuthorityError::Damaged { path: path.clone() });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(AuthorityError::File { path, source }),
    }
    let key = open_key(&folder.join("bundle.key"))?;
    let signer = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.serialize_der())
        .map_err(|_error| AuthorityError::Key)?;
    let bundle = TrustBundle {
        version: 1,
        certificate_authorities: vec![certificate.to_vec()],
        bundle_key: signer.public_key().as_ref().to_vec(),
        created_at_ms: clock::to_ms(clock::now()),
    }
    .encode_to_vec();
    let message = [BUNDLE_DOMAIN, &bundle].concat();
    let signature = signer
        .sign(&aws_lc_rs::rand::SystemRandom::new(), &message)
        .map_err(|_error| AuthorityError::Key)?
        .as_ref()
        .to_vec();
    let signed = SignedTrustBundle { bundle, signature };
    create(&path, &signed.encode_to_vec())?;
    Ok(signed)
}

fn read(path: &Path) -> Result<Option<String>, AuthorityError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AuthorityError::File { path: path.to_owned(), source }),
    }
}

/// Writes a file that must not exist yet, so that a crash leaves all of it or none.
fn create(path: &Path, bytes: &[u8]) -> Result<(), AuthorityError> {
    let wrap = |source| AuthorityError::File { path: path.to_owned(), source };
    let temporary = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary).map_err(wrap)?;
    file.write_all(bytes).map_err(wrap)?;
    file.sync_all().map_err(wrap)?;
    fs::rename(&temporary, path).map_err(wrap)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(wrap)
}
