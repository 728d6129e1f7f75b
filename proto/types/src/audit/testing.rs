//! Chains for tests.

use super::{
    Checkpoint, Cut, End, Entry, Hash, Known, Origin, PersonalField, Report, Start, Tools, Verifier, genesis_message,
    key_id_message,
};
use crate::audit::Personal;
use crate::id::OrganizationId;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use uuid::Uuid;

/// The library of these tests.
pub(super) const TOOLS: Tools = Tools { sha256, is_signed };

fn sha256(bytes: &[u8]) -> Hash {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

fn is_signed(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(message, signature).is_ok()
}

/// A key that signs checkpoints.
pub(super) struct TestKey(EcdsaKeyPair);

impl TestKey {
    pub(super) fn generate() -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap())
    }

    fn public(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    fn id(&self) -> Hash {
        sha256(&key_id_message(&self.public()))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

/// All that a server tells of a chain.
#[derive(Clone)]
pub(super) struct Chain {
    pub(super) organization: OrganizationId,
    pub(super) entries: Vec<Entry>,
    pub(super) checkpoints: Vec<Checkpoint>,
    pub(super) keys: Vec<Vec<u8>>,
    pub(super) cut: Option<Cut>,
    pub(super) head: Option<(u64, Hash)>,
    pub(super) unsealed: u64,
    pub(super) unsealed_since_us: Option<i64>,
    pub(super) unsealed_erasures: Vec<(String, String)>,
    pub(super) now_us: i64,
}

/// An entry of a number, not sealed.
pub(super) fn entry(organization: OrganizationId, sequence: u64) -> Entry {
    let number = u8::try_from(sequence % 251).unwrap();
    let text = |text: String, byte: u8| PersonalField { text: Some(text), salt: Some([byte; 16]), digest: None };
    Entry {
        organization,
        sequence,
        id: i64::try_from(sequence).unwrap(),
        at_us: 1_790_000_000_000_000 + i64::try_from(sequence).unwrap() * 1_000_000,
        action: "device.update".to_owned(),
        target: format!("device/{}", Uuid::from_u128(u128::from(sequence))),
        request_id: format!("request-{sequence}"),
        actor_kind: 1,
        actor_id: Some(Uuid::from_u128(99)),
        consent_id: sequence.is_multiple_of(3).then(|| Uuid::from_u128(5)),
        personal: [
            text("ada@example.org".to_owned(), number),
            text("192.0.2.7".to_owned(), number + 1),
            text("{\"name\": \"cellar\"}".to_owned(), number + 2),
            text("{\"name\": \"attic\"}".to_owned(), number + 3),
        ],
        hash: [0; 32],
    }
}

impl Chain {
    /// A good chain with a checkpoint at each tenth entry.
    pub(super) fn of(length: usize) -> Self {
        let organization = OrganizationId::from_uuid(Uuid::from_u128(1));
        let entries = (1..=u64::try_from(length).unwrap()).map(|sequence| entry(organization, sequence)).collect();
        let mut chain = Self {
            organization,
            entries,
            checkpoints: Vec::new(),
            keys: Vec::new(),
            cut: None,
            head: None,
            unsealed: 0,
            unsealed_since_us: None,
            unsealed_erasures: Vec::new(),
            now_us: 1_790_000_000_000_000,
        };
        chain.recompute();
        chain.sign(&TestKey::generate(), false);
        if let Some(last) = chain.entries.last() {
            chain.now_us = last.at_us + 10_000_000;
        }
        chain
    }

    /// Makes all digests, hashes and the head anew, as somebody does who owns the database.
    pub(super) fn recompute(&mut self) {
        let mut previous = match &self.cut {
            Some(cut) => cut.hash,
            None => sha256(&genesis_message(self.organization)),
        };
        for entry in &mut self.entries {
            for (kind, field) in Personal::ALL.into_iter().zip(&mut entry.personal) {
                field.digest = field.digest_of_text(TOOLS, kind);
            }
            entry.hash = entry.hash_at(TOOLS, &previous, entry.sequence);
            previous = entry.hash;
        }
        self.head = self.entries.last().map(|entry| (entry.sequence, entry.hash));
    }

    /// Signs checkpoints with a key, which is added to the others or takes their place.
    pub(super) fn sign(&mut self, key: &TestKey, keeps_others: bool) {
        if !keeps_others {
            self.keys.clear();
        }
        self.keys.push(key.public());
        let at = |entry: &Entry| {
            let mut checkpoint = Checkpoint {
                organization: self.organization,
                incarnation: 1,
                sequence: entry.sequence,
                hash: entry.hash,
                at_us: entry.at_us,
                key_id: key.id(),
                signature: Vec::new(),
            };
            checkpoint.signature = key.sign(&checkpoint.message());
            checkpoint
        };
        self.checkpoints = self.entries.iter().filter(|entry| entry.sequence.is_multiple_of(10)).map(at).collect();
    }

    /// Cuts it as retention does.
    pub(super) fn cut_at(&mut self, sequence: u64) {
        let key = TestKey::generate();
        self.sign(&key, false);
        let hash = self.entries.iter().find(|entry| entry.sequence == sequence).unwrap().hash;
        let mut cut =
            Cut { organization: self.organization, sequence, hash, at_us: 5, key_id: key.id(), signature: Vec::new() };
        cut.signature = key.sign(&cut.message());
        self.cut = Some(cut);
        self.entries.retain(|entry| entry.sequence > sequence);
        self.checkpoints.retain(|checkpoint| checkpoint.sequence > sequence);
    }

    /// Lets two entries change places, with their hashes or without.
    pub(super) fn swap(&mut self, one: usize, other: usize, keeps_hash: bool) {
        let (first, second) = (self.entries[one].clone(), self.entries[other].clone());
        let moved = |content: &Entry, place: &Entry| Entry {
            sequence: place.sequence,
            hash: if keeps_hash { place.hash } else { content.hash },
            ..content.clone()
        };
        self.entries[one] = moved(&second, &first);
        self.entries[other] = moved(&first, &second);
    }

    /// Erases a personal field.
    pub(super) fn erase(&mut self, place: usize, field: usize) {
        let field = &mut self.entries[place].personal[field];
        (field.text, field.salt) = (None, None);
    }

    /// Ids of the keys.
    pub(super) fn key_ids(&self) -> Vec<Hash> {
        self.keys.iter().map(|key| sha256(&key_id_message(key))).collect()
    }

    /// Verifies it, as somebody who knows hashes and keys of before.
    pub(super) fn verify(&self, known: &[Known], known_keys: Option<Vec<Hash>>) -> Report {
        let start =
            Start { organization: self.organization, cut: self.cut.clone(), keys: self.keys.clone(), known_keys };
        let mut verifier = Verifier::new(TOOLS, start);
        known.iter().for_each(|known| verifier.known(known.clone()));
        self.checkpoints.iter().for_each(|checkpoint| verifier.checkpoint(checkpoint, Origin::Checkpoint));
        self.entries.iter().for_each(|entry| verifier.entry(entry.clone()));
        verifier.finish(&End {
            head: self.head,
            unsealed: self.unsealed,
            unsealed_since_us: self.unsealed_since_us,
            unsealed_erasures: self.unsealed_erasures.clone(),
            now_us: self.now_us,
        })
    }
}
