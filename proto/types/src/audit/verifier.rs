//! Verifies a chain from one end to the other, an entry at a time.

use super::fault::{Fault, FaultKind, Origin};
use super::suspects::Suspects;
use super::{
    ACTION_ERASE, ACTION_RESTORED, CHECKPOINT_MAX_US, Checkpoint, Cut, Entry, Hash, Personal, Tools, UNSEALED_MAX_US,
    genesis_message, key_id_message,
};
use crate::id::OrganizationId;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Most faults that are named; the others are counted. Whoever finds a thousand needs a backup and no longer list.
const FAULTS_MAX: usize = 1_000;

/// Most erased fields that are remembered until all of the chain was seen, 60 bytes each: an account that made a change a minute for
/// half a year. Fields beyond that are faults that are counted.
const ERASED_MAX: usize = 1_000_000;

/// The kind of actor that is a person.
const PERSON: u8 = 1;

/// With what the target of an entry about an account begins.
const ACCOUNT: &str = "account/";

/// What is known before the first entry.
#[derive(Debug, Clone)]
pub struct Start {
    /// Whose chain.
    pub organization: OrganizationId,
    /// Where it begins, when old entries were deleted.
    pub cut: Option<Cut>,
    /// The control plane's public keys: uncompressed points.
    pub keys: Vec<Vec<u8>>,
    /// Ids of the keys that it had when the chain was verified before; none the first time.
    pub known_keys: Option<Vec<Hash>>,
}

/// A hash that somebody knows. Those at or before the first entry given to the verifier are to be told before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Who.
    pub origin: Origin,
    /// How often the database had come back from a backup when they knew it.
    pub incarnation: u64,
    /// The entry's number.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
}

/// What is known after the last entry.
#[derive(Debug, Clone, Default)]
pub struct End {
    /// The chain's own record of its newest entry; none when it has no such record.
    pub head: Option<(u64, Hash)>,
    /// Entries that are not sealed yet.
    pub unsealed: u64,
    /// When the oldest of them was written, microseconds since the Unix epoch.
    pub unsealed_since_us: Option<i64>,
    /// Unsealed entries that say that something was erased: target, and what was after, each.
    pub unsealed_erasures: Vec<(String, String)>,
    /// Now, microseconds since the Unix epoch.
    pub now_us: i64,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries that were looked at.
    pub entries: u64,
    /// The first and the last number; 0 for none.
    pub first: u64,
    /// See `first`.
    pub last: u64,
    /// The hash of the last.
    pub head: Option<Hash>,
    /// Signed checkpoints that agree with the chain.
    pub checkpoints: u64,
    /// How the database came back from a backup, as entries say, in the order of the chain.
    pub restored: Vec<Restored>,
    /// Entries that are not sealed yet.
    pub unsealed: u64,
    /// Age of the oldest of them, seconds; 0 for none.
    pub unsealed_age_seconds: u64,
    /// What is wrong, by number.
    pub faults: Vec<Fault>,
    /// Faults beyond those that are named.
    pub more_faults: u64,
}

/// What an entry says of a database that came back from a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// The entry's number.
    pub entry: u64,
    /// How often it has come back since.
    pub incarnation: u64,
    /// The newest entry that came back; those after it are gone, and others have their numbers.
    pub last: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.faults.is_empty() && self.more_faults == 0
    }
}

/// Verifies one chain.
pub struct Verifier {
    tools: Tools,
    start: Start,
    report: Report,
    suspects: Suspects,
    /// Number that comes next.
    next: u64,
    /// Hash of the entry before; none after a gap.
    previous: Option<Hash>,
    /// What it should have been, when it is another.
    previous_made: Option<Hash>,
    known: BTreeMap<u64, Vec<(Origin, u64, Hash)>>,
    /// Those whose hash the chain does not have, with the last entry on which all had agreed.
    disagreed: Vec<(Disagreed, u64)>,
    /// The newest entry whose hash somebody else knows alike.
    agreed: u64,
    /// The first entry after the newest checkpoint, and its time.
    unsigned: Option<(u64, i64)>,
    /// Erased fields: the entry that says so comes later.
    erased: Vec<Erased>,
    accounts_erased: BTreeSet<Uuid>,
    rows_erased: BTreeSet<i64>,
}

/// Somebody who knows another chain.
#[derive(Debug, Clone, Copy)]
struct Disagreed {
    origin: Origin,
    incarnation: u64,
    sequence: u64,
    /// Whether the chain ends before it.
    is_beyond: bool,
}

/// A field that was erased, and why it may have been.
struct Erased {
    sequence: u64,
    field: Personal,
    row: i64,
    by: Option<Uuid>,
    about: Option<Uuid>,
}

impl Verifier {
    /// Begins.
    #[must_use]
    pub fn new(tools: Tools, start: Start) -> Self {
        let (next, previous) = match &start.cut {
            Some(cut) => (cut.sequence.saturating_add(1), cut.hash),
            None => (1, (tools.sha256)(&genesis_message(start.organization))),
        };
        let mut verifier = Self {
            tools,
            report: Report::default(),
            suspects: Suspects::default(),
            next,
            previous: Some(previous),
            previous_made: None,
            known: BTreeMap::new(),
            disagreed: Vec::new(),
            agreed: next - 1,
            unsigned: None,
            erased: Vec::new(),
            accounts_erased: BTreeSet::new(),
            rows_erased: BTreeSet::new(),
            start,
        };
        verifier.check_start();
        verifier
    }

    fn check_start(&mut self) {
        let Start { organization, cut, keys, known_keys } = &self.start;
        let is_unsigned = |cut: &&Cut| cut.organization != *organization || !cut.is_signed_by_one_of(self.tools, keys);
        let unsigned_cut = cut.as_ref().filter(is_unsigned).map(|cut| cut.sequence);
        let is_new = |key: &Vec<u8>| {
            let id = (self.tools.sha256)(&key_id_message(key));
            known_keys.as_ref().is_some_and(|known| !known.contains(&id))
        };
        let has_new_key = keys.iter().any(is_new);
        if let Some(sequence) = unsigned_cut {
            self.fault(sequence, FaultKind::CutUnsigned);
        }
        if has_new_key {
            self.fault(0, FaultKind::OtherKey);
        }
    }

    /// Takes a hash that somebody knows. One of an entry that was deleted for its age says nothing any more.
    pub fn known(&mut self, known: Known) {
        let Known { origin, incarnation, sequence, hash } = known;
        if sequence + 1 == self.next && self.report.entries == 0 {
            if self.start.cut.is_some() && self.previous != Some(hash) {
                self.disagreed.push((Disagreed { origin, incarnation, sequence, is_beyond: false }, 0));
            }
            return;
        }
        if sequence >= self.next {
            self.known.entry(sequence).or_default().push((origin, incarnation, hash));
        }
    }

    /// Takes a checkpoint, before the entry that it is about.
    pub fn checkpoint(&mut self, checkpoint: &Checkpoint, origin: Origin) {
        let is_ours = checkpoint.organization == self.start.organization;
        if !is_ours || !checkpoint.is_signed_by_one_of(self.tools, &self.start.keys) {
            self.fault(checkpoint.sequence, FaultKind::CheckpointUnsigned(origin));
            return;
        }
        let Checkpoint { incarnation, sequence, hash, .. } = *checkpoint;
        self.known(Known { origin, incarnation, sequence, hash });
    }

    /// Takes the next entry.
    pub fn entry(&mut self, entry: Entry) {
        let sequence = entry.sequence;
        if sequence < self.next {
            self.fault(sequence, FaultKind::Stray);
            return;
        }
        if sequence > self.next {
            self.fault(self.next, FaultKind::Missing { through: sequence - 1 });
            // Somebody may know the hash of the last that is missing.
            self.previous = self.known.get(&(sequence - 1)).and_then(|known| known.first()).map(|(_, _, hash)| *hash);
            self.previous_made = None;
            self.known = self.known.split_off(&sequence);
        }
        let unsound: Vec<Personal> = entry.unsound(self.tools).collect();
        for field in &unsound {
            self.fault(sequence, FaultKind::FieldChanged(*field));
        }
        self.note(&entry);
        let (hash, at_us) = (entry.hash, entry.at_us);
        self.follow(entry, !unsound.is_empty());
        self.compare(sequence, hash, at_us);
        self.report.first = if self.report.entries == 0 { sequence } else { self.report.first };
        self.report.last = sequence;
        self.report.head = Some(hash);
        self.report.entries += 1;
        self.next = sequence.saturating_add(1);
    }

    /// Whether it follows from the one before.
    fn follow(&mut self, entry: Entry, is_told: bool) {
        let (hash, sequence) = (entry.hash, entry.sequence);
        let made = self.previous.map(|previous| entry.hash_at(self.tools, &previous, sequence));
        let follows = |previous: Option<Hash>| {
            previous.is_some_and(|previous| entry.hash_at(self.tools, &previous, sequence) == hash)
        };
        // After a gap nothing can be said.
        let is_good = made.is_none() || made == Some(hash) || follows(self.previous_made);
        let previous = self.previous.unwrap_or_default();
        if !is_good && !is_told && !self.suspects.add(entry, previous, FAULTS_MAX) {
            self.report.more_faults += 1;
        }
        self.previous = Some(hash);
        self.previous_made = made.filter(|made| *made != hash);
    }

    /// Whether all who know its hash know this one.
    fn compare(&mut self, sequence: u64, hash: Hash, at_us: i64) {
        self.unsigned = self.unsigned.or(Some((sequence, at_us)));
        for (origin, incarnation, expected) in self.known.remove(&sequence).unwrap_or_default() {
            if expected != hash {
                let disagreed = Disagreed { origin, incarnation, sequence, is_beyond: false };
                self.disagreed.push((disagreed, self.agreed));
                continue;
            }
            if origin == Origin::Checkpoint {
                self.report.checkpoints += 1;
                self.unsigned = None;
            }
            self.agreed = sequence;
        }
    }

    /// Remembers what it says of erasures, and what was erased of it.
    fn note(&mut self, entry: &Entry) {
        let after = entry.personal.last().and_then(|after| after.text.as_deref()).unwrap_or_default();
        if entry.action == ACTION_ERASE {
            self.note_erasure(&entry.target, after);
        }
        if entry.action == ACTION_RESTORED {
            self.report.restored.extend(restored_of(entry.sequence, after));
        }
        let by = entry.actor_id.filter(|_id| entry.actor_kind == PERSON);
        for field in entry.erased() {
            if self.erased.len() >= ERASED_MAX {
                self.report.more_faults += 1;
                continue;
            }
            let (sequence, row, about) = (entry.sequence, entry.id, account_of(&entry.target));
            self.erased.push(Erased { sequence, field, row, by, about });
        }
    }

    fn note_erasure(&mut self, target: &str, after: &str) {
        self.accounts_erased.extend(account_of(target));
        self.rows_erased.extend(rows_of(after));
    }

    /// Comes to an end.
    #[must_use]
    pub fn finish(mut self, end: &End) -> Report {
        for (target, after) in &end.unsealed_erasures {
            self.note_erasure(target, after);
        }
        self.check_erased();
        let last = self.next - 1;
        // The database's own word is of now.
        let incarnation = u64::MAX;
        if let Some((sequence, hash)) = end.head {
            self.known(Known { origin: Origin::Head, incarnation, sequence, hash });
        }
        for (sequence, known) in std::mem::take(&mut self.known) {
            let beyond = |(origin, incarnation, _)| Disagreed { origin, incarnation, sequence, is_beyond: true };
            self.disagreed.extend(known.into_iter().map(|known| (beyond(known), self.agreed)));
        }
        self.judge_disagreed(last);
        match end.head {
            Some((sequence, hash)) if sequence == last && self.report.head.is_some_and(|head| head != hash) => {
                self.fault(last, FaultKind::Recomputed { origin: Origin::Head, agreed: self.agreed });
            }
            // It was set back, or is gone, and entries were not.
            Some((sequence, _hash)) if sequence < last => self.fault(last, FaultKind::HeadLost),
            None if self.report.entries > 0 => self.fault(last, FaultKind::HeadLost),
            Some(_) | None => {}
        }
        let age = |since_us: i64| end.now_us.saturating_sub(since_us).max(0).unsigned_abs();
        if let Some((sequence, at_us)) = self.unsigned
            && age(at_us) > CHECKPOINT_MAX_US.unsigned_abs()
        {
            self.fault(sequence, FaultKind::NoCheckpoint { age_seconds: age(at_us) / 1_000_000 });
        }
        self.report.unsealed = end.unsealed;
        let unsealed_age = end.unsealed_since_us.map_or(0, age);
        self.report.unsealed_age_seconds = unsealed_age / 1_000_000;
        if unsealed_age > UNSEALED_MAX_US.unsigned_abs() {
            let age_seconds = self.report.unsealed_age_seconds;
            self.fault(0, FaultKind::Unsealed { count: end.unsealed, age_seconds });
        }
        let suspects = std::mem::take(&mut self.suspects).resolve(self.tools);
        // Whose entry stands elsewhere has another hash in its place: that is one thing, and not two.
        let is_elsewhere = |sequence: u64| {
            let is_it = |fault: &Fault| fault.sequence == sequence && matches!(fault.kind, FaultKind::Reordered { .. });
            suspects.iter().any(is_it)
        };
        self.report
            .faults
            .retain(|fault| !(matches!(fault.kind, FaultKind::Recomputed { .. }) && is_elsewhere(fault.sequence)));
        for Fault { sequence, kind } in suspects {
            self.fault(sequence, kind);
        }
        self.report.faults.sort_by_key(|fault| fault.sequence);
        self.report
    }

    /// What it means that somebody knows another chain.
    fn judge_disagreed(&mut self, last: u64) {
        // One line for each who knows of more, with the newest that they know.
        let mut beyond: BTreeMap<Origin, u64> = BTreeMap::new();
        for (Disagreed { origin, incarnation, sequence, is_beyond }, agreed) in std::mem::take(&mut self.disagreed) {
            // It knows what a backup did not bring back.
            let of_before = |restored: &Restored| incarnation < restored.incarnation && sequence > restored.last;
            if let Some(restored) = self.report.restored.iter().find(|restored| of_before(restored)).copied() {
                // The file knows it for ever.
                if origin == Origin::Remembered {
                    let kind = FaultKind::Restored { origin, known: sequence, entry: restored.entry };
                    self.fault(restored.last, kind);
                }
            } else if is_beyond {
                beyond.insert(origin, sequence);
            } else {
                self.fault(sequence, FaultKind::Recomputed { origin, agreed });
            }
        }
        for (origin, known) in beyond {
            self.fault(last, FaultKind::CutOff { origin, known });
        }
    }

    fn check_erased(&mut self) {
        for Erased { sequence, field, row, by, about } in std::mem::take(&mut self.erased) {
            let has_gone =
                |account: Option<Uuid>| account.is_some_and(|account| self.accounts_erased.contains(&account));
            let is_told = match field {
                Personal::ActorName | Personal::Source => has_gone(by),
                Personal::Before | Personal::After => {
                    has_gone(by) || has_gone(about) || self.rows_erased.contains(&row)
                }
            };
            if !is_told {
                self.fault(sequence, FaultKind::ErasedWithoutRecord(field));
            }
        }
    }

    fn fault(&mut self, sequence: u64, kind: FaultKind) {
        if self.report.faults.len() < FAULTS_MAX {
            self.report.faults.push(Fault { sequence, kind });
        } else {
            self.report.more_faults += 1;
        }
    }
}

/// The account that an entry is about.
fn account_of(target: &str) -> Option<Uuid> {
    target.strip_prefix(ACCOUNT).and_then(|id| Uuid::try_parse(id).ok())
}

/// What an entry says of a restored database: `{"sequence": 700, "incarnation": 2}`.
fn restored_of(entry: u64, after: &str) -> Option<Restored> {
    Some(Restored { entry, incarnation: number_in(after, "incarnation")?, last: number_in(after, "sequence")? })
}

/// A number in an object, as Postgres writes it.
fn number_in(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.split_once(&format!("\"{name}\": "))?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The rows that an erasure names beside those by and about the account: `{"entries": 3, "rows": [17, 19]}`.
fn rows_of(after: &str) -> impl Iterator<Item = i64> + '_ {
    let list = after.split_once("\"rows\": [").and_then(|(_, rest)| rest.split_once(']')).map_or("", |(list, _)| list);
    list.split(',').filter_map(|row| row.trim().parse().ok())
}

#[cfg(test)]
mod tests;
