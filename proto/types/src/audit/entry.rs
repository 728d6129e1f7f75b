//! One entry, and the bytes of it that are hashed.

use super::{Hash, Tools};
use crate::id::OrganizationId;
use uuid::Uuid;

/// Version of the form that is hashed. Chains of old forms stay as they are, so a new one begins with another number.
pub const FORM: u8 = 1;

/// Bytes of a salt.
pub const SALT_BYTES: usize = 16;

/// So that a hash fits nothing else.
const GENESIS_DOMAIN: &[u8] = b"kaliun audit genesis v1\0";
const ENTRY_DOMAIN: &[u8] = b"kaliun audit entry v1\0";
const FIELD_DOMAIN: &[u8] = b"kaliun audit field v1\0";

/// Fields that may be erased, in the order in which their digests are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Personal {
    /// How people read who acted: an address, or `token:<name>`.
    ActorName,
    /// The address they came from.
    Source,
    /// What was before, JSON.
    Before,
    /// What was after, JSON.
    After,
}

impl Personal {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ActorName, Self::Source, Self::Before, Self::After];

    /// As people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ActorName => "actor",
            Self::Source => "source",
            Self::Before => "before",
            Self::After => "after",
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::ActorName => 1,
            Self::Source => 2,
            Self::Before => 3,
            Self::After => 4,
        }
    }
}

/// A field that may be erased, as it is stored. One without text, salt and digest was never there; one with a digest alone was erased.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonalField {
    /// What it says.
    pub text: Option<String>,
    /// Random; erased with the text, or the digest could be found by trying.
    pub salt: Option<[u8; SALT_BYTES]>,
    /// SHA-256 over both, made when the entry was sealed.
    pub digest: Option<Hash>,
}

impl PersonalField {
    /// Makes the digest of what is there; none where there is nothing, or no salt.
    #[must_use]
    pub fn digest_of_text(&self, tools: Tools, kind: Personal) -> Option<Hash> {
        let (text, salt) = (self.text.as_ref()?, self.salt.as_ref()?);
        Some((tools.sha256)(&[FIELD_DOMAIN, &[kind.number()], salt, text.as_bytes()].concat()))
    }

    /// What of it is hashed with the entry: the digest of what is there, or that of what was erased.
    fn effective(&self, tools: Tools, kind: Personal) -> Option<Hash> {
        if self.text.is_some() { self.digest_of_text(tools, kind) } else { self.digest }
    }

    /// Whether it was there once and is not any more.
    #[must_use]
    pub const fn is_erased(&self) -> bool {
        self.text.is_none() && self.digest.is_some()
    }

    /// Whether what is stored fits together.
    fn is_sound(&self, tools: Tools, kind: Personal) -> bool {
        match (&self.text, &self.digest) {
            (Some(_), Some(digest)) => self.digest_of_text(tools, kind).as_ref() == Some(digest),
            (Some(_), None) => false,
            (None, Some(_)) => self.salt.is_none(),
            (None, None) => true,
        }
    }
}

/// The digests of an entry's personal fields, in the order of [`Personal::ALL`].
pub type Digests = [Option<Hash>; 4];

/// One entry, as it is stored. Whatever is stored and shown is hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whose it is.
    pub organization: OrganizationId,
    /// Its place in the chain, from 1 on.
    pub sequence: u64,
    /// Its row, which has its number before the entry has a place.
    pub id: i64,
    /// When the change was made, microseconds since the Unix epoch.
    pub at_us: i64,
    /// What was done.
    pub action: String,
    /// To what.
    pub target: String,
    /// In which request.
    pub request_id: String,
    /// What kind of actor: 0 of an entry of an old version, 1 a person, 2 an API token, 3 the control plane.
    pub actor_kind: u8,
    /// The account or the API token.
    pub actor_id: Option<Uuid>,
    /// The consent by which support acted.
    pub consent_id: Option<Uuid>,
    /// What may be erased, in the order of [`Personal::ALL`].
    pub personal: [PersonalField; 4],
    /// Its hash as it is stored.
    pub hash: Hash,
}

/// What the hash before the first entry of an organization is made of.
#[must_use]
pub fn genesis_message(organization: OrganizationId) -> Vec<u8> {
    [GENESIS_DOMAIN, organization.as_uuid().as_bytes()].concat()
}

impl Entry {
    /// The digests of its personal fields.
    #[must_use]
    pub fn digests(&self, tools: Tools) -> Digests {
        let [name, source, before, after] = &self.personal;
        [
            name.effective(tools, Personal::ActorName),
            source.effective(tools, Personal::Source),
            before.effective(tools, Personal::Before),
            after.effective(tools, Personal::After),
        ]
    }

    /// What is hashed. Each part has one length or says its own, so nothing can be moved from one to the next.
    #[must_use]
    pub fn message(&self, previous: &Hash, sequence: u64, digests: &Digests) -> Vec<u8> {
        let mut message = Vec::with_capacity(512);
        message.extend_from_slice(ENTRY_DOMAIN);
        message.push(FORM);
        message.extend_from_slice(previous);
        message.extend_from_slice(self.organization.as_uuid().as_bytes());
        message.extend_from_slice(&sequence.to_be_bytes());
        message.extend_from_slice(&self.id.to_be_bytes());
        message.extend_from_slice(&self.at_us.to_be_bytes());
        for text in [&self.action, &self.target, &self.request_id] {
            // A text longer than 4 GiB is none that anybody stores.
            message.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            message.extend_from_slice(text.as_bytes());
        }
        message.push(self.actor_kind);
        for id in [&self.actor_id, &self.consent_id] {
            optional(&mut message, id.as_ref().map(|id| id.as_bytes().as_slice()));
        }
        for digest in digests {
            optional(&mut message, digest.as_ref().map(<[u8; 32]>::as_slice));
        }
        message
    }

    /// Its hash at a place after another one.
    #[must_use]
    pub fn hash_at(&self, tools: Tools, previous: &Hash, sequence: u64) -> Hash {
        (tools.sha256)(&self.message(previous, sequence, &self.digests(tools)))
    }

    /// The personal fields whose text, salt and digest do not fit together.
    pub(super) fn unsound(&self, tools: Tools) -> impl Iterator<Item = Personal> + '_ {
        Personal::ALL
            .into_iter()
            .zip(&self.personal)
            .filter(move |(kind, field)| !field.is_sound(tools, *kind))
            .map(|(kind, _field)| kind)
    }

    /// The personal fields that were erased.
    pub(super) fn erased(&self) -> impl Iterator<Item = Personal> + '_ {
        Personal::ALL
            .into_iter()
            .zip(&self.personal)
            .filter(|(_kind, field)| field.is_erased())
            .map(|(kind, _field)| kind)
    }
}

/// Whether it is there, and then what it is: the length follows from where it stands.
fn optional(message: &mut Vec<u8>, part: Option<&[u8]>) {
    match part {
        None => message.push(0),
        Some(part) => {
            message.push(1);
            message.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests;
