use super::*;
use crate::state_dir::Durability;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData, SigningKey};
use std::sync::LazyLock;

static AUTHORITY: LazyLock<Vec<u8>> =
    LazyLock::new(|| CertificateParams::default().self_signed(&key()).unwrap().der().to_vec());

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn signed(version: u64, own: &KeyPair, signer: &KeyPair) -> SignedTrustBundle {
    signed_with(vec![AUTHORITY.clone()], version, own, signer)
}

fn signed_with(
    certificate_authorities: Vec<Vec<u8>>,
    version: u64,
    own: &KeyPair,
    signer: &KeyPair,
) -> SignedTrustBundle {
    let bundle =
        TrustBundle { version, certificate_authorities, bundle_key: own.der_bytes().to_vec(), created_at_ms: 5 }
            .encode_to_vec();
    let signature = signer.sign(&[SIGNATURE_DOMAIN, &bundle].concat()).unwrap();
    SignedTrustBundle { bundle, signature }
}

/// So many versions, each signed by the one before.
pub(crate) fn bundles(versions: u64) -> Vec<SignedTrustBundle> {
    let mut signer = key();
    let mut bundles = vec![signed(1, &signer, &signer)];
    for version in 2..=versions {
        let own = key();
        bundles.push(signed(version, &own, &signer));
        signer = own;
    }
    bundles
}

/// A chain of so many versions.
pub(crate) fn chain(versions: u64) -> TrustChain {
    let bundles = bundles(versions);
    TrustChain::begin(sha256(&bundles[0].bundle), bundles).unwrap()
}

#[test]
fn only_newer_bundles_are_taken() {
    let all = bundles(4);
    let mut held = TrustChain::begin(sha256(&all[0].bundle), all[..2].to_vec()).unwrap();
    assert_eq!(held.extend_by_newer(all[..2].to_vec()), Ok(false));
    assert_eq!(held.extend_by_newer(all[3..].to_vec()), Err(UntrustedChain::Gap));
    assert_eq!((held.extend_by_newer(all.clone()), held.version()), (Ok(true), 4));
    // Another fleet's bundles are not a continuation, whatever their numbers.
    assert_eq!(held.extend_by_newer(bundles(5)[4..].to_vec()), Err(UntrustedChain::Signature(5)));
    assert_eq!(held.version(), 4);
}

#[test]
fn a_chain_is_followed_from_its_hash() {
    let (one, two, three) = (key(), key(), key());
    let first = signed(1, &one, &one);
    let hash = sha256(&first.bundle);
    let mut chain = TrustChain::begin(hash, vec![first.clone(), signed(2, &two, &one)]).unwrap();
    assert_eq!(chain.version(), 2);
    chain.extend(vec![signed(3, &three, &two)]).unwrap();
    assert_eq!(chain.version(), 3);

    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
    assert_eq!(TrustChain::load(&state), None);
    chain.keep(&state);
    assert_eq!(TrustChain::load(&state), Some(chain));
}

#[test]
fn what_does_not_hold_is_refused() {
    let (one, two) = (key(), key());
    let first = signed(1, &one, &one);
    let hash = sha256(&first.bundle);
    let check = |hash, bundles, expected| assert_eq!(TrustChain::begin(hash, bundles), Err(expected));
    check(hash, vec![], UntrustedChain::Empty);
    check([0; 32], vec![first.clone()], UntrustedChain::OtherHash);
    check(hash, vec![first.clone(), signed(2, &two, &two)], UntrustedChain::Signature(2));
    check(hash, vec![first.clone(), signed(3, &two, &one)], UntrustedChain::Gap);
    check(hash, vec![first.clone(), first.clone()], UntrustedChain::Gap);
    let unsigned = SignedTrustBundle { signature: vec![], ..first.clone() };
    check(hash, vec![unsigned], UntrustedChain::Signature(1));
    let other_domain = SignedTrustBundle { signature: one.sign(&first.bundle).unwrap(), ..first.clone() };
    check(hash, vec![other_domain], UntrustedChain::Signature(1));
    let garbage = SignedTrustBundle { bundle: vec![255; 9], signature: vec![] };
    check(sha256(&garbage.bundle), vec![garbage], UntrustedChain::Unreadable);
}

/// Authorities of a kind that only newer agents know.
#[test]
fn a_bundle_that_this_agent_cannot_use_does_not_cut_it_off() {
    let (one, two, three) = (key(), key(), key());
    let first = signed(1, &one, &one);
    let unusable = signed_with(vec![vec![1, 2, 3]], 2, &two, &one);
    let hash = sha256(&first.bundle);
    let mut chain = TrustChain::begin(hash, vec![first.clone()]).unwrap();
    let before = chain.clone();
    assert_eq!(chain.extend_by_newer(vec![unusable.clone()]), Err(UntrustedChain::Authorities(2)));
    assert_eq!(chain, before, "it goes on with the server that it believes");
    // A later one leads on, whatever was between.
    assert_eq!(chain.extend_by_newer(vec![unusable.clone(), signed(3, &three, &two)]), Ok(true));
    assert_eq!(chain.version(), 3);
    // One that it knows is enough.
    let both = signed_with(vec![vec![1, 2, 3], AUTHORITY.clone()], 2, &two, &one);
    assert!(TrustChain::begin(hash, vec![first.clone(), both]).is_ok());

    // A chain that cannot be used, stored by another version of the agent, is asked for again.
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
    let stored = GetTrustBundleResponse { bundles: vec![first, unusable] }.encode_to_vec();
    state.write(FILE, &stored).unwrap();
    assert_eq!(TrustChain::load(&state), None);
}

#[test]
fn a_bad_extension_changes_nothing() {
    let (one, two, three) = (key(), key(), key());
    let first = signed(1, &one, &one);
    let mut chain = TrustChain::begin(sha256(&first.bundle), vec![first]).unwrap();
    let before = chain.clone();
    assert!(chain.extend(vec![signed(2, &two, &one), signed(3, &three, &one)]).is_err());
    assert_eq!(chain, before);
}

/// Of a box whose server's clock was once years ahead.
#[test]
fn a_newer_bundle_brings_a_box_back_that_was_told_nonsense() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
    let all = bundles(2);
    let mut chain = TrustChain::begin(sha256(&all[0].bundle), all[..1].to_vec()).unwrap();
    let right_ms = chain.earliest_ms();
    let nonsense_ms = right_ms + 10 * 365 * 24 * 3_600_000;
    chain.note_time(&state, nonsense_ms, 0);
    let mut chain = TrustChain::load(&state).unwrap();
    assert_eq!(chain.earliest_ms(), nonsense_ms);
    // The same bundle says nothing new; another fleet's is none of this chain.
    assert_eq!(chain.extend_by_newer(all[..1].to_vec()), Ok(false));
    assert!(chain.extend(bundles(2)[1..].to_vec()).is_err());
    assert_eq!(chain.earliest_ms(), nonsense_ms);
    // The power is cut while the bundle is stored: with whatever is on the disk by then, it can be taken once more and brings the box back.
    let in_the_way = folder.path().join(format!("{FILE}.new"));
    std::fs::create_dir(&in_the_way).unwrap();
    chain.extend(all[1..].to_vec()).unwrap();
    chain.keep(&state);
    assert!(!chain.is_stored());
    let mut chain = TrustChain::load(&state).unwrap();
    assert_eq!((chain.version(), chain.earliest_ms()), (1, right_ms));
    std::fs::remove_dir(&in_the_way).unwrap();
    chain.extend(all[1..].to_vec()).unwrap();
    assert_eq!(chain.earliest_ms(), right_ms);
    chain.keep(&state);
    // Nor is the bundle ever stored beside the time that it takes back.
    let chain = TrustChain::load(&state).unwrap();
    assert_eq!((chain.version(), chain.earliest_ms()), (2, right_ms));
}

/// Where the time cannot be taken back on the disk, the bundle that takes it back is not stored either.
#[test]
fn a_bundle_is_not_stored_beside_the_time_that_it_takes_back() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
    let all = bundles(2);
    let mut chain = TrustChain::begin(sha256(&all[0].bundle), all[..1].to_vec()).unwrap();
    chain.note_time(&state, chain.earliest_ms() + 10 * 365 * 24 * 3_600_000, 0);
    let known_time = folder.path().join("known-time");
    let nonsense = std::fs::read(&known_time).unwrap();
    std::fs::remove_file(&known_time).unwrap();
    std::fs::create_dir(&known_time).unwrap();
    chain.extend(all[1..].to_vec()).unwrap();
    chain.keep(&state);
    assert!(!chain.is_stored());
    std::fs::remove_dir(&known_time).unwrap();
    std::fs::write(&known_time, nonsense).unwrap();
    assert_eq!(TrustChain::load(&state).unwrap().version(), 1);
    chain.keep(&state);
    let stored = TrustChain::load(&state).unwrap();
    assert_eq!((stored.version(), stored.earliest_ms()), (2, chain.earliest_ms()));
}

/// The thief of a bundle key signs bundles of their own. A box that heard of the fleet's next one first, which the thief's key does not
/// sign after, takes none of them; one that is behind and is led to the thief follows.
#[test]
fn a_stolen_bundle_key_is_worth_nothing_once_the_next_bundle_is_there() {
    let (stolen, next, thiefs) = (key(), key(), key());
    let first = signed(1, &stolen, &stolen);
    let hash = sha256(&first.bundle);
    let second = signed(2, &next, &stolen);
    let forged = [signed(2, &thiefs, &stolen), signed(3, &thiefs, &thiefs)];
    let mut prompt = TrustChain::begin(hash, vec![first.clone(), second.clone()]).unwrap();
    assert_eq!(prompt.extend_by_newer(forged[..1].to_vec()), Ok(false), "that version is there");
    assert_eq!(prompt.extend_by_newer(forged.to_vec()), Err(UntrustedChain::Signature(3)));
    let again = signed(3, &thiefs, &stolen);
    assert_eq!(prompt.extend(vec![again]), Err(UntrustedChain::Signature(3)));
    assert_eq!(prompt.version(), 2);

    let mut behind = TrustChain::begin(hash, vec![first.clone()]).unwrap();
    behind.extend(forged[..1].to_vec()).unwrap();
    // It comes back by beginning again from what it was given, once it reaches its own server.
    let third = signed(3, &key(), &next);
    assert_eq!(behind.extend(vec![third.clone()]), Err(UntrustedChain::Signature(3)));
    assert_eq!(TrustChain::begin(hash, vec![first, second, third]).unwrap().version(), 3);
}

#[test]
fn what_cannot_be_stored_counts_and_is_stored_later() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
    let all = bundles(2);
    let mut chain = TrustChain::begin(sha256(&all[0].bundle), all[..1].to_vec()).unwrap();
    chain.keep(&state);
    // In the way of what is written, as a full disk would be.
    let in_the_way = [FILE, "known-time"].map(|file| folder.path().join(format!("{file}.new")));
    for path in &in_the_way {
        std::fs::create_dir(path).unwrap();
    }
    let told_ms = chain.earliest_ms() + 24 * 3_600_000;
    chain.extend(all[1..].to_vec()).unwrap();
    chain.keep(&state);
    chain.note_time(&state, told_ms, 0);
    assert_eq!((chain.version(), chain.earliest_ms(), chain.is_stored()), (2, told_ms, false));
    assert_eq!(TrustChain::load(&state).unwrap().version(), 1);
    for path in &in_the_way {
        std::fs::remove_dir(path).unwrap();
    }
    chain.keep(&state);
    assert!(chain.is_stored());
    assert_eq!(TrustChain::load(&state), Some(chain));
}
