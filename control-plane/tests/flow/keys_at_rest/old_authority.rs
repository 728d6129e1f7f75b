//! An authority as an older program kept it: in a folder, in the clear.

use anyhow::{Context, Result};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use kaliun_proto::enrollment::v1::{SignedTrustBundle, TrustBundle};
use prost::Message;
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair, KeyUsagePurpose};
use std::path::Path;

pub(crate) struct OldAuthority {
    key: KeyPair,
    certificate: Certificate,
    bundle_key: KeyPair,
    bundle: Vec<u8>,
}

impl OldAuthority {
    pub(crate) fn make() -> Result<Self> {
        let (key, bundle_key) = (KeyPair::generate()?, KeyPair::generate()?);
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        let bundle = TrustBundle {
            version: 1,
            certificate_authorities: vec![certificate.der().to_vec()],
            bundle_key: signer(&bundle_key)?.public_key().as_ref().to_vec(),
            created_at_ms: 1_790_000_000_000,
        };
        Ok(Self { key, certificate, bundle_key, bundle: bundle.encode_to_vec() })
    }

    pub(crate) fn trust_hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &self.bundle).as_ref());
        hash
    }

    /// Writes it where the older program would have.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder.join("bundles"))?;
        std::fs::write(folder.join("ca.key"), self.key.serialize_pem())?;
        std::fs::write(folder.join("ca.crt"), self.certificate.pem())?;
        std::fs::write(folder.join("bundle.key"), self.bundle_key.serialize_pem())?;
        let message = [b"kaliun trust bundle v1\0", self.bundle.as_slice()].concat();
        let signature = signer(&self.bundle_key)?.sign(&SystemRandom::new(), &message).ok().context("it signs")?;
        let signed = SignedTrustBundle { bundle: self.bundle.clone(), signature: signature.as_ref().to_vec() };
        std::fs::write(folder.join("bundles").join("1"), signed.encode_to_vec())?;
        Ok(())
    }
}

fn signer(key: &KeyPair) -> Result<EcdsaKeyPair> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.serialized_der()).ok().context("a P-256 key")
}
