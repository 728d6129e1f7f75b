//! A chain as it comes over the wire, as the verifier takes it. What does not fit is a broken server's, or somebody's in between.

use crate::failure::{Failure, Kind};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use kaliun_proto::fleet::v1 as proto;
use kaliun_types::audit::{Checkpoint, Cut, End, Entry, Hash, PersonalField, Tools, key_id_message};
use kaliun_types::id::OrganizationId;
use uuid::Uuid;

/// Hashing and signatures of fleetctl.
pub(super) const TOOLS: Tools = Tools { sha256, is_signed };

fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

fn is_signed(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(message, signature).is_ok()
}

/// The id of a public key.
pub(super) fn key_id(key: &[u8]) -> Hash {
    sha256(&key_id_message(key))
}

fn unfit(what: &str) -> Failure {
    Failure::new(
        Kind::General,
        format!("the server's chain holds a {what} that is none"),
        "compare the versions with `fleetctl version`, and report this",
    )
}

fn hash(bytes: &[u8]) -> Result<Hash, Failure> {
    bytes.try_into().map_err(|_| unfit("hash"))
}

fn optional_id(text: &str) -> Result<Option<Uuid>, Failure> {
    if text.is_empty() { Ok(None) } else { Uuid::try_parse(text).map(Some).map_err(|_| unfit("UUID")) }
}

/// Whose chain.
pub(super) fn organization(text: &str) -> Result<OrganizationId, Failure> {
    text.parse().map_err(|_| unfit("UUID"))
}

/// Where it begins.
pub(super) fn cut(organization: OrganizationId, cut: proto::AuditCut) -> Result<Cut, Failure> {
    Ok(Cut {
        organization,
        sequence: cut.sequence,
        hash: hash(&cut.hash)?,
        at_us: cut.at_us,
        key_id: hash(&cut.key_id)?,
        signature: cut.signature,
    })
}

/// A checkpoint.
pub(super) fn checkpoint(
    organization: OrganizationId,
    checkpoint: proto::AuditCheckpoint,
) -> Result<Checkpoint, Failure> {
    Ok(Checkpoint {
        organization,
        incarnation: checkpoint.incarnation,
        sequence: checkpoint.sequence,
        hash: hash(&checkpoint.hash)?,
        at_us: checkpoint.at_us,
        key_id: hash(&checkpoint.key_id)?,
        signature: checkpoint.signature,
    })
}

fn personal(field: Option<proto::AuditPersonal>) -> Result<PersonalField, Failure> {
    let field = field.unwrap_or_default();
    let salt = field.salt.map(|salt| salt.try_into().map_err(|_| unfit("salt"))).transpose()?;
    Ok(PersonalField { text: field.text, salt, digest: field.digest.as_deref().map(hash).transpose()? })
}

/// An entry.
pub(super) fn entry(organization: OrganizationId, sealed: proto::SealedAuditEntry) -> Result<Entry, Failure> {
    let entry = sealed.entry.unwrap_or_default();
    Ok(Entry {
        organization,
        sequence: entry.sequence,
        id: entry.id,
        at_us: entry.at_us,
        action: entry.action,
        target: entry.target,
        request_id: entry.request_id,
        actor_kind: u8::try_from(entry.actor_kind).map_err(|_| unfit("kind of actor"))?,
        actor_id: optional_id(&entry.actor_id)?,
        consent_id: optional_id(&entry.consent_id)?,
        personal: [
            personal(sealed.actor)?,
            personal(sealed.source)?,
            personal(sealed.before)?,
            personal(sealed.after)?,
        ],
        hash: hash(&sealed.hash)?,
    })
}

/// Where it ends.
pub(super) fn end(end: proto::AuditChainEnd) -> Result<End, Failure> {
    let head = if end.head_sequence == 0 { None } else { Some((end.head_sequence, hash(&end.head_hash)?)) };
    let erasure = |erasure: proto::AuditErasure| (erasure.target, erasure.after_json);
    Ok(End {
        head,
        unsealed: end.unsealed_count,
        unsealed_since_us: Some(end.unsealed_since_us).filter(|since| *since != 0),
        unsealed_erasures: end.unsealed_erasures.into_iter().map(erasure).collect(),
        now_us: end.now_us,
    })
}
