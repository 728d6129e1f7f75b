//! Personal fields that were erased, and the entries that say so: those come later in the chain.

use super::{Entry, Fault, FaultKind, Personal};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Most erased fields that are remembered until all of the chain was seen, 60 bytes each: an account that made a change a minute for
/// half a year. Fields beyond that are faults that are counted.
const ERASED_MAX: usize = 1_000_000;

/// The kind of actor that is a person.
const PERSON: u8 = 1;

/// With what the target of an entry about an account begins.
const ACCOUNT: &str = "account/";

/// A field that was erased, and why it may have been.
struct Erased {
    sequence: u64,
    field: Personal,
    row: i64,
    by: Option<Uuid>,
    about: Option<Uuid>,
}

/// What was erased, and of what it is said.
#[derive(Default)]
pub(super) struct Erasures {
    fields: Vec<Erased>,
    /// Fields that there was no room for.
    more: u64,
    accounts: BTreeSet<Uuid>,
    rows: BTreeSet<i64>,
}

impl Erasures {
    /// Takes in what was erased of an entry.
    pub(super) fn add(&mut self, entry: &Entry) {
        let by = entry.actor_id.filter(|_id| entry.actor_kind == PERSON);
        for field in entry.erased() {
            if self.fields.len() >= ERASED_MAX {
                self.more += 1;
                continue;
            }
            let (sequence, row, about) = (entry.sequence, entry.id, account_of(&entry.target));
            self.fields.push(Erased { sequence, field, row, by, about });
        }
    }

    /// Takes in what an entry says: whom it is about, and what was after it.
    pub(super) fn say(&mut self, target: &str, after: &str) {
        self.accounts.extend(account_of(target));
        self.rows.extend(rows_of(after));
    }

    /// Fields that are gone without a word, and how many there was no room for.
    pub(super) fn judge(self) -> (Vec<Fault>, u64) {
        let has_gone = |account: Option<Uuid>| account.is_some_and(|account| self.accounts.contains(&account));
        let is_told = |erased: &Erased| match erased.field {
            Personal::ActorName | Personal::Source => has_gone(erased.by),
            Personal::Before | Personal::After => {
                has_gone(erased.by) || has_gone(erased.about) || self.rows.contains(&erased.row)
            }
        };
        let untold = self.fields.iter().filter(|erased| !is_told(erased));
        let fault =
            |erased: &Erased| Fault { sequence: erased.sequence, kind: FaultKind::ErasedWithoutRecord(erased.field) };
        (untold.map(fault).collect(), self.more)
    }
}

/// The account that an entry is about.
fn account_of(target: &str) -> Option<Uuid> {
    target.strip_prefix(ACCOUNT).and_then(|id| Uuid::try_parse(id).ok())
}

/// The rows that an erasure names beside those by and about the account: `{"entries": 3, "rows": [17, 19]}`.
fn rows_of(after: &str) -> impl Iterator<Item = i64> + '_ {
    let list = after.split_once("\"rows\": [").and_then(|(_, rest)| rest.split_once(']')).map_or("", |(list, _)| list);
    list.split(',').filter_map(|row| row.trim().parse().ok())
}
