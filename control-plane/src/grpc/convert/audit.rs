//! The audit on its way out to people and to verifiers, and what people ask of it on its way in.

use crate::grpc::status;
use kaliun_proto::fleet::v1 as proto;
use kaliun_store::{AuditFilter, AuditStart, AuditTail};
use kaliun_types::audit::{Checkpoint, Cut, Entry, Personal, PersonalField};
use kaliun_types::id::OrganizationId;
use tonic::Status;

/// Longest texts of a filter, bytes: what fits no entry is not looked for.
const ACTOR_MAX: usize = 320;
const ACTION_MAX: usize = 64;
const TARGET_MAX: usize = 512;
const REQUEST_ID_MAX: usize = 128;
/// Latest time that is asked for, milliseconds since the Unix epoch: the end of the year 9999.
const LATEST_MS: i64 = 253_402_300_799_000;

fn text(field: &str, text: String, most: usize) -> Result<Option<String>, Status> {
    match text.len() {
        0 => Ok(None),
        length if length <= most && !text.contains('\0') => Ok(Some(text)),
        _ => Err(status::invalid(field, format!("must be at most {most} bytes, without the character 0"))),
    }
}

fn time(field: &str, ms: i64) -> Result<Option<i64>, Status> {
    match ms {
        0 => Ok(None),
        1..=LATEST_MS => Ok(Some(ms * 1_000)),
        _ => Err(status::invalid(field, "must be milliseconds since the Unix epoch, up to the year 9999")),
    }
}

/// What people ask.
///
/// # Errors
/// A text is too long, or a time is none.
pub(crate) fn filter(asked: Option<proto::AuditFilter>) -> Result<AuditFilter, Status> {
    let asked = asked.unwrap_or_default();
    let filter = AuditFilter {
        actor: text("filter.actor", asked.actor, ACTOR_MAX)?,
        action: text("filter.action_prefix", asked.action_prefix, ACTION_MAX)?,
        target: text("filter.target", asked.target, TARGET_MAX)?,
        request_id: text("filter.request_id", asked.request_id, REQUEST_ID_MAX)?,
        since_us: time("filter.since_ms", asked.since_ms)?,
        until_us: time("filter.until_ms", asked.until_ms)?,
    };
    match (filter.since_us, filter.until_us) {
        (Some(since), Some(until)) if until <= since => {
            Err(status::invalid("filter.until_ms", "must be after since_ms"))
        }
        _ => Ok(filter),
    }
}

/// Whether an entry fits, as the database would say. Times are not looked at.
pub(crate) fn fits(filter: &AuditFilter, entry: &Entry) -> bool {
    let name = entry.personal.first().and_then(|field| field.text.as_deref()).unwrap_or_default();
    let is_named = |part: &String| name.to_lowercase().contains(&part.to_lowercase());
    filter.actor.as_ref().is_none_or(is_named)
        && filter.action.as_ref().is_none_or(|action| entry.action.starts_with(action.as_str()))
        && filter.target.as_ref().is_none_or(|target| entry.target == *target)
        && filter.request_id.as_ref().is_none_or(|request| entry.request_id == *request)
}

/// What makes a question another one: a page token fits its own alone.
pub(crate) fn question(filter: &AuditFilter) -> String {
    let AuditFilter { actor, action, target, request_id, since_us, until_us } = filter;
    format!("audit {actor:?} {action:?} {target:?} {request_id:?} {since_us:?} {until_us:?}")
}

const fn field_to_proto(field: Personal) -> proto::AuditField {
    match field {
        Personal::ActorName => proto::AuditField::Actor,
        Personal::Source => proto::AuditField::Source,
        Personal::Before => proto::AuditField::Before,
        Personal::After => proto::AuditField::After,
    }
}

/// An entry for people.
pub(crate) fn entry_to_proto(entry: Entry) -> proto::AuditEntry {
    let (mut shown, personal) = parted(entry);
    let erased = Personal::ALL.into_iter().zip(&personal).filter(|(_kind, field)| field.is_erased());
    shown.erased_fields = erased.map(|(kind, _field)| field_to_proto(kind).into()).collect();
    let [actor, source, before, after] = personal.map(|field| field.text.unwrap_or_default());
    (shown.actor, shown.source, shown.before_json, shown.after_json) = (actor, source, before, after);
    shown
}

/// An entry without what may be erased, and that.
fn parted(entry: Entry) -> (proto::AuditEntry, [PersonalField; 4]) {
    let id = |id: Option<uuid::Uuid>| id.map_or_else(String::new, |id| id.to_string());
    let shown = proto::AuditEntry {
        id: entry.id,
        sequence: entry.sequence,
        at_us: entry.at_us,
        action: entry.action,
        target: entry.target,
        request_id: entry.request_id,
        actor_kind: entry.actor_kind.into(),
        actor_id: id(entry.actor_id),
        consent_id: id(entry.consent_id),
        ..proto::AuditEntry::default()
    };
    (shown, entry.personal)
}

/// An entry for a verifier.
pub(crate) fn sealed_to_proto(entry: Entry) -> proto::SealedAuditEntry {
    let hash = entry.hash.to_vec();
    let (entry, personal) = parted(entry);
    let [actor, source, before, after] = personal.map(|field| {
        Some(proto::AuditPersonal {
            text: field.text,
            salt: field.salt.map(|salt| salt.to_vec()),
            digest: field.digest.map(|digest| digest.to_vec()),
        })
    });
    proto::SealedAuditEntry { entry: Some(entry), hash, actor, source, before, after }
}

/// A checkpoint for a verifier.
pub(crate) fn checkpoint_to_proto(checkpoint: Checkpoint) -> proto::AuditCheckpoint {
    proto::AuditCheckpoint {
        sequence: checkpoint.sequence,
        hash: checkpoint.hash.to_vec(),
        incarnation: checkpoint.incarnation,
        at_us: checkpoint.at_us,
        key_id: checkpoint.key_id.to_vec(),
        signature: checkpoint.signature,
    }
}

/// Where a chain begins, for a verifier.
pub(crate) fn start_to_proto(organization: OrganizationId, start: AuditStart) -> proto::AuditChainStart {
    let cut = |cut: Cut| proto::AuditCut {
        sequence: cut.sequence,
        hash: cut.hash.to_vec(),
        at_us: cut.at_us,
        key_id: cut.key_id.to_vec(),
        signature: cut.signature,
    };
    proto::AuditChainStart {
        organization_id: organization.to_string(),
        incarnation: start.incarnation,
        public_keys: start.keys,
        cut: start.cut.map(cut),
    }
}

/// Where a chain ends, for a verifier.
pub(crate) fn end_to_proto(tail: AuditTail) -> proto::AuditChainEnd {
    let (head_sequence, head_hash) = tail.head.map(|(sequence, hash)| (sequence, hash.to_vec())).unwrap_or_default();
    let erasure = |(target, after_json)| proto::AuditErasure { target, after_json };
    proto::AuditChainEnd {
        head_sequence,
        head_hash,
        unsealed_count: tail.unsealed,
        unsealed_since_us: tail.unsealed_since_us.unwrap_or_default(),
        unsealed_erasures: tail.unsealed_erasures.into_iter().map(erasure).collect(),
        now_us: tail.now_us,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_bounded_and_name_what_is_wrong() {
        let check = |asked: proto::AuditFilter, expected: Option<&str>| {
            let refused = filter(Some(asked.clone())).err();
            assert_eq!(refused.is_none(), expected.is_none(), "{asked:?}");
            if let (Some(status), Some(field)) = (refused, expected) {
                assert!(status.message().starts_with(field), "{status:?}");
            }
        };
        let none = proto::AuditFilter::default;
        check(none(), None);
        check(proto::AuditFilter { actor: "a".repeat(320), ..none() }, None);
        check(proto::AuditFilter { actor: "a".repeat(321), ..none() }, Some("filter.actor: "));
        check(proto::AuditFilter { target: "a\0".to_owned(), ..none() }, Some("filter.target: "));
        check(proto::AuditFilter { since_ms: -1, ..none() }, Some("filter.since_ms: "));
        check(proto::AuditFilter { since_ms: 5, until_ms: 6, ..none() }, None);
        check(proto::AuditFilter { since_ms: 5, until_ms: 5, ..none() }, Some("filter.until_ms: "));
        check(proto::AuditFilter { until_ms: i64::MAX, ..none() }, Some("filter.until_ms: "));
    }
}
