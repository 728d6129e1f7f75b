//! Certificates, signing requests, and proofs of keys.

use super::{Outcome, taken};
use crate::corpus::{known, known_words};
use crate::parts;
use data_encoding::HEXLOWER;
use kaliun_control_plane::authority::CheckedRequest;
use kaliun_control_plane::fuzzing::{Judge, Judged};
use rustls::pki_types::CertificateDer;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

/// Now, as the targets have it: 2026-06-01, within the life of the good certificates in the corpus.
#[must_use]
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_780_272_000)
}

static JUDGE: LazyLock<Judge> = LazyLock::new(|| {
    let authority = |number, file| (number, CertificateDer::from(known(file)));
    let authorities = vec![authority(1, "authority-1.der"), authority(2, "authority-2.der")];
    Judge::new(authorities).expect("the known authorities are certificates")
});
/// "number/device/key/organization" of each certificate that the authorities signed and that is good.
static CERTIFIED: LazyLock<BTreeSet<String>> = LazyLock::new(|| known_words("certified").into_iter().collect());
/// The keys that signed a request.
static REQUESTED: LazyLock<BTreeSet<String>> = LazyLock::new(|| known_words("requested").into_iter().collect());
static PROVED: LazyLock<CheckedRequest> =
    LazyLock::new(|| CheckedRequest::parse(&known("request.der")).expect("the known request is one"));

/// Each part of the input is a certificate, that of the box first.
pub(super) fn certificate(data: &[u8]) -> Outcome {
    let chain: Vec<CertificateDer<'_>> = parts::split(data).into_iter().map(CertificateDer::from).collect();
    let (judged, key_hash) = JUDGE.judge(&chain, now());
    match judged {
        Judged::Device { device, expires_at, authority, organization } => {
            assert!(expires_at >= now(), "it has run out");
            let key = HEXLOWER.encode(&key_hash.expect("whose certificate can be read, has a key"));
            let of = organization.map_or_else(String::new, |organization| organization.to_string());
            let name = format!("{authority}/{device}/{key}/{of}");
            assert!(CERTIFIED.contains(&name), "nobody certified {name}");
            Outcome::Taken
        }
        Judged::Stranger(reason) => {
            assert!(reason.code().starts_with("peer."), "{reason} is no reason of a peer's");
            Outcome::Refused
        }
    }
}

pub(super) fn certificate_request(data: &[u8]) -> Outcome {
    let Some(request) = CheckedRequest::parse(data) else { return Outcome::Refused };
    let key = HEXLOWER.encode(&request.key_hash);
    assert!(REQUESTED.contains(&key), "the key {key} signed no request");
    Outcome::Taken
}

/// A nonce, an exporter and a signature. What is known was signed for these two and for one purpose each.
pub(super) fn proof(data: &[u8]) -> Outcome {
    let found = parts::split(data);
    let [nonce, exporter, signature, ..] = found.as_slice() else { return Outcome::Refused };
    let (enrols, recovers) = (PROVED.proves(nonce, signature), PROVED.proves_recovery(nonce, exporter, signature));
    if enrols || recovers {
        assert_eq!(*nonce, crate::target::KNOWN_NONCE, "a proof is for its nonce");
        assert!(!(enrols && recovers), "a proof is for its purpose");
    }
    if recovers {
        assert_eq!(*exporter, crate::target::KNOWN_EXPORTER, "a proof is for its connection");
    }
    taken(enrols || recovers)
}
