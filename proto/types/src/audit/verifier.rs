//! Verifies a chain from one end to the other, an entry at a time.

use super::erasures::Erasures;
use super::fault::{Fault, FaultKind, Origin};
use super::report::{End, Known, Report, Restored, Start};
use super::suspects::Suspects;
use super::{
    ACTION_ERASE, ACTION_RESTORED, CHECKPOINT_MAX_US, Checkpoint, Cut, Entry, Hash, Personal, Tools, UNSEALED_MAX_US,
    genesis_message, key_id_message,
};
use std::collections::BTreeMap;

/// Most faults that are named; the others are counted. Whoever finds a thousand needs a backup and no longer list.
const FAULTS_MAX: usize = 1_000;

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
    erasures: Erasures,
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
            erasures: Erasures::default(),
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
            self.erasures.say(&entry.target, after);
        }
        if entry.action == ACTION_RESTORED {
            self.report.restored.extend(restored_of(entry.sequence, after));
        }
        self.erasures.add(entry);
    }

    /// Comes to an end.
    #[must_use]
    pub fn finish(mut self, end: &End) -> Report {
        for (target, after) in &end.unsealed_erasures {
            self.erasures.say(target, after);
        }
        let (untold, more) = std::mem::take(&mut self.erasures).judge();
        untold.into_iter().for_each(|fault| self.fault(fault.sequence, fault.kind));
        self.report.more_faults += more;
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

    fn fault(&mut self, sequence: u64, kind: FaultKind) {
        if self.report.faults.len() < FAULTS_MAX {
            self.report.faults.push(Fault { sequence, kind });
        } else {
            self.report.more_faults += 1;
        }
    }
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

#[cfg(test)]
mod tests;
