//! The chain of trust bundles, as a box reads it over a connection that it does not trust.

use super::{Outcome, taken};
use crate::corpus::known;
use aws_lc_rs::digest::{SHA256, digest};
use kaliun_edge::trust::TrustChain;
use kaliun_proto::enrollment::v1::{GetTrustBundleResponse, SignedTrustBundle, TrustBundle};
use prost::Message;
use std::sync::LazyLock;

/// A chain that was really signed. No other can be.
static SIGNED: LazyLock<Vec<SignedTrustBundle>> = LazyLock::new(|| {
    GetTrustBundleResponse::decode(known("trust-chain.pb").as_slice()).expect("the known chain can be read").bundles
});

fn hash_of(bundle: &SignedTrustBundle) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, &bundle.bundle).as_ref());
    hash
}

/// What the known chain says at a version.
fn as_signed(version: u64) -> TrustBundle {
    let place = usize::try_from(version).ok().and_then(|version| version.checked_sub(1));
    let bundle = place.and_then(|place| SIGNED.get(place)).expect("nobody signed such a version");
    TrustBundle::decode(bundle.bundle.as_slice()).expect("the known bundles can be read")
}

fn check(chain: &TrustChain) {
    let signed = as_signed(chain.version());
    let authorities: Vec<Vec<u8>> = chain.authorities().iter().map(|authority| authority.to_vec()).collect();
    assert_eq!(authorities, signed.certificate_authorities, "a box believes whom the signed bundle names");
    assert!(chain.earliest_ms() >= signed.created_at_ms, "no clock of a living box is before its newest bundle");
}

pub(super) fn trust_chain(data: &[u8]) -> Outcome {
    let Ok(answer) = GetTrustBundleResponse::decode(data) else { return Outcome::Refused };
    let first = SIGNED.first().expect("the known chain has a first version");
    let begun = TrustChain::begin(hash_of(first), answer.bundles.clone());
    if let Ok(chain) = &begun {
        check(chain);
        assert_eq!(chain.first_hash(), hash_of(first));
    }
    // A box that has the first version already, and is told more.
    let before = TrustChain::begin(hash_of(first), vec![first.clone()]).expect("the first version alone holds");
    for passes_over_known in [true, false] {
        let mut chain = before.clone();
        let extended = match passes_over_known {
            true => chain.extend_by_newer(answer.bundles.clone()).map(drop),
            false => chain.extend(answer.bundles.clone()),
        };
        check(&chain);
        assert!(extended.is_ok() || chain == before, "all of it or nothing");
        assert!(chain.version() >= before.version(), "a box never goes back");
    }
    // A server that made a chain of its own, for a box that was given its hash: whatever is signed is within bounds.
    if let Some(own) = answer.bundles.first()
        && let Ok(chain) = TrustChain::begin(hash_of(own), answer.bundles.clone())
    {
        assert_eq!(u64::try_from(answer.bundles.len()).ok(), Some(chain.version()), "no version is left out");
        assert!((1..=16).contains(&chain.authorities().len()), "{} authorities", chain.authorities().len());
    }
    taken(begun.is_ok())
}
