//! Hashes, random bytes and signatures, all from the TLS provider's library.

use aws_lc_rs::{digest, rand, signature};

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

/// Random bytes from the operating system.
///
/// # Panics
/// The operating system gives none: nothing that needs a secret can go on.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Whether a signature (ECDSA P-256, SHA-256, ASN.1 DER) over a message fits a public key (uncompressed point).
pub(crate) fn verify_p256(public_key: &[u8], message: &[u8], signed: &[u8]) -> bool {
    signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, public_key).verify(message, signed).is_ok()
}

/// A key's fingerprint for people: the first 16 hexadecimal digits of its hash in groups of four.
pub(crate) fn fingerprint(key_hash: &[u8]) -> String {
    let digits = data_encoding::HEXLOWER.encode(key_hash.get(..8).unwrap_or(key_hash));
    let groups: Vec<&str> = digits.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_grouped() {
        assert_eq!(fingerprint(&[0xab; 32]), "abab abab abab abab");
    }
}
