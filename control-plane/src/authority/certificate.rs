//! The certificates that an authority makes: its own, those of boxes, and that of the device listener.

use super::AuthorityError;
use super::request::CheckedRequest;
use super::signer::{CertificateKey, Signer};
use crate::digest::random;
use kaliun_store::{CertificateGrant, SERIAL_BYTES};
use kaliun_types::id::{DeviceId, OrganizationId, device_uri};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// An authority is valid this long; rotation comes long before.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// The device listener's own certificate is made anew at each start and once a day, and ends so long after that. It begins with its
/// authority: how long it lasts altogether says nothing about it.
const SERVER_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// Certificates begin this long before they are made, for boxes whose clock is behind.
const BACKDATE: Duration = Duration::from_secs(3600);

/// An authority at work.
pub(super) struct CertificateAuthority {
    issuer: Issuer<'static, CertificateKey>,
    pub(super) certificate: CertificateDer<'static>,
}

impl CertificateAuthority {
    /// Signs with a key for the authority of a certificate.
    ///
    /// # Errors
    /// The certificate cannot be read.
    pub(super) fn new(certificate: CertificateDer<'static>, signer: Arc<dyn Signer>) -> Result<Self, AuthorityError> {
        let issuer = Issuer::from_ca_cert_der(&certificate, CertificateKey(signer))?;
        Ok(Self { issuer, certificate })
    }

    /// Makes the granted certificate for the key of a request; the chain ends with the authority. It also says whose the device is, for a
    /// server whose database is older than it.
    ///
    /// # Errors
    /// The library refused, or the key cannot be used.
    pub(super) fn issue_device(
        &self,
        request: &CheckedRequest,
        device: DeviceId,
        organization: OrganizationId,
        grant: &CertificateGrant,
    ) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&device.to_string());
        params.distinguished_name.push(DnType::OrganizationName, organization.to_string());
        params.subject_alt_names =
            vec![SanType::URI(device_uri(device).try_into().map_err(|_error| AuthorityError::Key)?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        leaf(&mut params, grant.issued_at - BACKDATE, grant.expires_at);
        params.serial_number = Some(SerialNumber::from_slice(&grant.serial));
        let certificate = params.signed_by(&request.request.public_key, &self.issuer)?;
        Ok(vec![certificate.der().clone(), self.certificate.clone()])
    }

    /// When its own certificate begins.
    fn begins_at(&self) -> Result<SystemTime, AuthorityError> {
        let damaged = || AuthorityError::Damaged { what: "the certificate of an authority".to_owned() };
        let (_rest, own) = x509_parser::parse_x509_certificate(&self.certificate).map_err(|_error| damaged())?;
        let seconds = u64::try_from(own.validity().not_before.timestamp()).map_err(|_before_1970| damaged())?;
        Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// Makes a certificate for the device listener with a new key.
    ///
    /// # Errors
    /// A name is no DNS name, the library refused, or the key cannot be used.
    pub(super) fn issue_server(
        &self,
        names: &[String],
        now: SystemTime,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = common_name("Kaliun Fleet device listener");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // From the authority's beginning on: a box whose clock stands when it was switched off must believe the server that tells it the time.
        leaf(&mut params, self.begins_at()?, now + SERVER_LIFETIME);
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok((vec![certificate.der().clone(), self.certificate.clone()], key))
    }
}

/// Makes the certificate of a new authority, signed by itself.
///
/// # Errors
/// The library refused, or the key cannot be used.
pub(super) fn authority(
    number: i32,
    signer: Arc<dyn Signer>,
    now: SystemTime,
) -> Result<CertificateDer<'static>, AuthorityError> {
    let mut params = CertificateParams::default();
    // Told apart by their names: whoever verifies looks for an issuer by name first.
    params.distinguished_name = common_name(&format!("Kaliun Fleet device authority {number}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.not_before = (now - BACKDATE).into();
    params.not_after = (now + AUTHORITY_LIFETIME).into();
    params.serial_number = Some(SerialNumber::from_slice(&serial()));
    Ok(params.self_signed(&CertificateKey(signer))?.der().clone())
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// What all certificates for keys that sign no others have in common.
fn leaf(params: &mut CertificateParams, from: SystemTime, until: SystemTime) {
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.is_ca = IsCa::ExplicitNoCa;
    params.not_before = from.into();
    params.not_after = until.into();
    params.serial_number = Some(SerialNumber::from_slice(&serial()));
}

/// 126 random bits between a first that makes it positive and a second that keeps it from beginning with a zero: 16 octets in DER (RFC
/// 5280 section 4.1.2.2 wants at most 20, the linters at least 64 random bits).
pub(super) fn serial() -> [u8; SERIAL_BYTES] {
    let mut bytes = random::<SERIAL_BYTES>();
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of the 126 bits is seen both ways in 128 numbers: one that is random is not with a chance of 2 in 2^128.
    #[test]
    fn serial_numbers_have_126_bits_that_nobody_can_foretell() {
        let (mut set, mut unset) = ([0_u8; 16], [0_u8; 16]);
        for _ in 0..128 {
            for ((set, unset), octet) in set.iter_mut().zip(&mut unset).zip(serial()) {
                *set |= octet;
                *unset |= !octet;
            }
        }
        let changing: u32 = set.iter().zip(unset).map(|(set, unset)| (set & unset).count_ones()).sum();
        assert_eq!(changing, 126);
        assert_eq!((set[0] & 0x80, unset[0] & 0x40), (0, 0), "positive, and no zero in front");
    }
}
