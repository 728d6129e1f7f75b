//! Rows of the chain as values.

use crate::error::StoreError;
use crate::pool::column;
use kaliun_types::audit::{Checkpoint, Cut, Entry, Hash, PersonalField, SALT_BYTES};
use kaliun_types::id::OrganizationId;
use tokio_postgres::Row;
use uuid::Uuid;

/// The columns of an entry, of the table `audit` under the name `a`. Times are exact to the microsecond, as they are hashed; what is
/// empty is not there.
macro_rules! entry_columns {
    () => {
        "a.id, a.sequence, a.hash, (extract(epoch FROM a.at) * 1000000)::bigint AS at_us, a.action, a.target, a.request_id,
         a.actor_kind, a.actor_id, a.consent_id,
         nullif(a.actor, '') AS actor, a.actor_salt, a.actor_digest,
         nullif(a.source_address, '') AS source_address, a.source_salt, a.source_digest,
         a.before::text AS before, a.before_salt, a.before_digest, a.after::text AS after, a.after_salt, a.after_digest"
    };
}
pub(super) use entry_columns;

const AUDIT: &str = "audit";

fn inconsistent(table: &'static str, name: &'static str, row: &Row) -> StoreError {
    let id = row.try_get::<_, i64>("id").map_or_else(|_| "a row just read".to_owned(), |id| id.to_string());
    StoreError::Inconsistent { table, column: name, id }
}

/// A hash's column.
pub(super) fn hash(row: &Row, table: &'static str, name: &'static str) -> Result<Option<Hash>, StoreError> {
    let bytes: Option<Vec<u8>> = column(row, table, name)?;
    bytes.map(|bytes| bytes.try_into().map_err(|_length| inconsistent(table, name, row))).transpose()
}

/// A number that is never below zero.
pub(super) fn unsigned(row: &Row, table: &'static str, name: &'static str) -> Result<u64, StoreError> {
    let number: i64 = column(row, table, name)?;
    u64::try_from(number).map_err(|_negative| inconsistent(table, name, row))
}

/// What the database takes as a number of an entry. There are never so many that one does not fit.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn personal(
    row: &Row,
    text: &'static str,
    salt: &'static str,
    digest: &'static str,
) -> Result<PersonalField, StoreError> {
    let text: Option<String> = column(row, AUDIT, text)?;
    let salt: Option<Uuid> = column(row, AUDIT, salt)?;
    let digest = hash(row, AUDIT, digest)?;
    // A field that was never there has a salt that nothing was salted with.
    let salt = salt.filter(|_salt| text.is_some() || digest.is_some());
    Ok(PersonalField { text, salt: salt.map(|salt: Uuid| -> [u8; SALT_BYTES] { *salt.as_bytes() }), digest })
}

/// An entry. One that is not sealed has the number 0.
pub(super) fn entry(organization: OrganizationId, row: &Row) -> Result<Entry, StoreError> {
    let kind: i16 = column(row, AUDIT, "actor_kind")?;
    let sequence: Option<i64> = column(row, AUDIT, "sequence")?;
    Ok(Entry {
        organization,
        sequence: u64::try_from(sequence.unwrap_or(0)).map_err(|_negative| inconsistent(AUDIT, "sequence", row))?,
        id: column(row, AUDIT, "id")?,
        at_us: column(row, AUDIT, "at_us")?,
        action: column(row, AUDIT, "action")?,
        target: column(row, AUDIT, "target")?,
        request_id: column(row, AUDIT, "request_id")?,
        actor_kind: u8::try_from(kind).map_err(|_range| inconsistent(AUDIT, "actor_kind", row))?,
        actor_id: column(row, AUDIT, "actor_id")?,
        consent_id: column(row, AUDIT, "consent_id")?,
        personal: [
            personal(row, "actor", "actor_salt", "actor_digest")?,
            personal(row, "source_address", "source_salt", "source_digest")?,
            personal(row, "before", "before_salt", "before_digest")?,
            personal(row, "after", "after_salt", "after_digest")?,
        ],
        hash: hash(row, AUDIT, "hash")?.unwrap_or_default(),
    })
}

/// A checkpoint: `sequence`, `incarnation`, `hash`, `at_us`, `public_key`, `signature`. `key_id` makes the id of a public key.
pub(super) fn checkpoint(
    organization: OrganizationId,
    row: &Row,
    key_id: impl Fn(&[u8]) -> Hash,
) -> Result<Checkpoint, StoreError> {
    const TABLE: &str = "audit_checkpoint";
    let public_key: Vec<u8> = column(row, "audit_key", "public_key")?;
    Ok(Checkpoint {
        organization,
        incarnation: unsigned(row, TABLE, "incarnation")?,
        sequence: unsigned(row, TABLE, "sequence")?,
        hash: hash(row, TABLE, "hash")?.ok_or_else(|| inconsistent(TABLE, "hash", row))?,
        at_us: column(row, TABLE, "at_us")?,
        key_id: key_id(&public_key),
        signature: column(row, TABLE, "signature")?,
    })
}

/// Where a chain begins: `cut_sequence`, `cut_hash`, `cut_at_us`, `cut_public_key`, `cut_signature`; none when nothing was deleted.
pub(super) fn cut(
    organization: OrganizationId,
    row: &Row,
    key_id: impl Fn(&[u8]) -> Hash,
) -> Result<Option<Cut>, StoreError> {
    const TABLE: &str = "audit_chain";
    let sequence = unsigned(row, TABLE, "cut_sequence")?;
    let signature: Option<Vec<u8>> = column(row, TABLE, "cut_signature")?;
    let public_key: Option<Vec<u8>> = column(row, "audit_key", "cut_public_key")?;
    if sequence == 0 {
        return Ok(None);
    }
    Ok(Some(Cut {
        organization,
        sequence,
        // Whatever is missing makes a signature that does not fit, and that is what whoever verifies it is to be told.
        hash: hash(row, TABLE, "cut_hash")?.unwrap_or_default(),
        at_us: column::<Option<i64>>(row, TABLE, "cut_at_us")?.unwrap_or_default(),
        key_id: key_id(&public_key.unwrap_or_default()),
        signature: signature.unwrap_or_default(),
    }))
}
