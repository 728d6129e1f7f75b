//! The chain of trust bundles by which boxes know this server: version n+1 is signed by the key that version n names.

use super::AuthorityError;
use super::signer::Signer;
use crate::clock;
use crate::digest::verify_p256;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use kaliun_proto::enrollment::v1::{SignedTrustBundle, TrustBundle};
use prost::Message;
use rustls::pki_types::CertificateDer;
use std::time::SystemTime;

/// What is signed for a trust bundle begins with this, so that the signature fits nothing else.
const DOMAIN: &[u8] = b"kaliun trust bundle v1\0";

/// Signs a version. `next_key` is the public key that will sign the one after it; the first is signed by that key itself.
///
/// # Errors
/// The key cannot be used.
pub(super) fn sign(
    version: u64,
    authorities: &[CertificateDer<'_>],
    signer: &dyn Signer,
    next_key: &[u8],
    now: SystemTime,
) -> Result<SignedTrustBundle, AuthorityError> {
    let bundle = TrustBundle {
        version,
        certificate_authorities: authorities.iter().map(|certificate| certificate.to_vec()).collect(),
        bundle_key: next_key.to_vec(),
        created_at_ms: clock::to_ms(now),
    };
    sign_named(&bundle, signer)
}

/// Signs what says all of that itself.
///
/// # Errors
/// The key cannot be used.
pub(super) fn sign_named(bundle: &TrustBundle, signer: &dyn Signer) -> Result<SignedTrustBundle, AuthorityError> {
    let bundle = bundle.encode_to_vec();
    let signature = signer.sign(&[DOMAIN, &bundle].concat())?;
    Ok(SignedTrustBundle { bundle, signature })
}

/// Whether a signature over a bundle was made with the key of a public key.
pub(super) fn verify(public_key: &[u8], bundle: &[u8], signature: &[u8]) -> bool {
    verify_p256(public_key, &[DOMAIN, bundle].concat(), signature)
}

/// Whether it is a public key as a bundle names one: an uncompressed point on P-256.
pub(super) fn is_public_key(bytes: &[u8]) -> bool {
    bytes.len() == 65 && ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, bytes).is_ok()
}
