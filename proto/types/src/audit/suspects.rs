//! Entries that do not follow from the one before, until all of the chain was seen: then it can be told which are only out of order.

use super::fault::{Fault, FaultKind};
use super::{Entry, Hash, Tools};
use std::collections::BTreeMap;

/// Most of them that are looked at closely, each against each other: 60,000 hashes, some 50 ms, and a few hundred kilobytes.
const SUSPECTS_MAX: usize = 256;

/// One entry, and the stored hash of the one before.
struct Suspect {
    entry: Entry,
    previous: Hash,
}

/// Entries that do not follow.
#[derive(Default)]
pub(super) struct Suspects {
    kept: Vec<Suspect>,
    /// Numbers of those that there was no room for.
    others: Vec<u64>,
}

impl Suspects {
    /// Takes one in. Answers false when there are too many even to name.
    pub(super) fn add(&mut self, entry: Entry, previous: Hash, most: usize) -> bool {
        if self.kept.len() < SUSPECTS_MAX {
            self.kept.push(Suspect { entry, previous });
            return true;
        }
        let has_room = self.others.len() < most;
        if has_room {
            self.others.push(entry.sequence);
        }
        has_room
    }

    /// What is wrong with each. They came in the order of the chain.
    pub(super) fn resolve(self, tools: Tools) -> Vec<Fault> {
        let mut faults = Vec::new();
        // Hashes that belong to places where another entry stands.
        let mut truth: BTreeMap<u64, Hash> = BTreeMap::new();
        for suspect in &self.kept {
            let place = suspect.entry.sequence;
            let corrected = place.checked_sub(1).and_then(|before| truth.get(&before));
            let previous = corrected.unwrap_or(&suspect.previous);
            // It follows from the entry that belongs before it.
            if corrected.is_some() && suspect.entry.hash_at(tools, previous, place) == suspect.entry.hash {
                continue;
            }
            let fits = |other: &&Suspect| {
                let hash = other.entry.hash_at(tools, previous, place);
                other.entry.sequence != place && (hash == other.entry.hash || hash == suspect.entry.hash)
            };
            let kind = match self.kept.iter().find(fits) {
                Some(other) => {
                    truth.insert(place, other.entry.hash_at(tools, previous, place));
                    FaultKind::Reordered { stands_at: other.entry.sequence }
                }
                None => FaultKind::Changed,
            };
            faults.push(Fault { sequence: place, kind });
        }
        faults.extend(self.others.into_iter().map(|sequence| Fault { sequence, kind: FaultKind::Changed }));
        faults
    }
}
