//! What can be wrong with a chain, each with a word for programs and a sentence for people.

use super::Personal;
use std::fmt;

/// Who else knows a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The chain's own record of its newest entry.
    Head,
    /// A checkpoint in the database.
    Checkpoint,
    /// A checkpoint that was kept outside of the database.
    File,
    /// Whoever verified the chain before.
    Remembered,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Head => "the record of the chain's newest entry",
            Self::Checkpoint => "a signed checkpoint",
            Self::File => "the checkpoint file",
            Self::Remembered => "the last verification",
        })
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The entry's number; 0 where it is about none.
    pub sequence: u64,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// The entry does not follow from the one before.
    Changed,
    /// A personal field does not fit the digest that was hashed.
    FieldChanged(Personal),
    /// Entries from this one up to another are not there.
    Missing {
        /// The last of them.
        through: u64,
    },
    /// The entry that belongs here stands elsewhere.
    Reordered {
        /// Where.
        stands_at: u64,
    },
    /// It stands after one that comes later, or twice.
    Stray,
    /// The chain ends here, and somebody knows more of it.
    CutOff {
        /// Who.
        origin: Origin,
        /// The newest entry that they know.
        known: u64,
    },
    /// The chain's own record of its newest entry is gone, or is about an older one.
    HeadLost,
    /// The hash is another one than somebody knows, though the chain holds together.
    Recomputed {
        /// Who.
        origin: Origin,
        /// The last entry on which all agree; 0 for none.
        agreed: u64,
    },
    /// Entries after this one are gone, for the database came back from a backup, and an entry says so.
    Restored {
        /// Who knows one of those that are gone.
        origin: Origin,
        /// Which.
        known: u64,
        /// The entry that says so.
        entry: u64,
    },
    /// The checkpoint at this entry was not signed by the control plane.
    CheckpointUnsigned(Origin),
    /// What says where the chain begins was not signed by the control plane.
    CutUnsigned,
    /// A personal field is gone, and no entry says that it was erased.
    ErasedWithoutRecord(Personal),
    /// From this entry on there has been no checkpoint for too long.
    NoCheckpoint {
        /// Age of the entry, seconds.
        age_seconds: u64,
    },
    /// Entries wait to be sealed for too long.
    Unsealed {
        /// How many.
        count: u64,
        /// Age of the oldest, seconds.
        age_seconds: u64,
    },
    /// The control plane has another key than when the chain was verified before.
    OtherKey,
}

impl FaultKind {
    /// A word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Changed | Self::FieldChanged(_) => "audit.changed",
            Self::Missing { .. } => "audit.missing",
            Self::Reordered { .. } => "audit.reordered",
            Self::Stray => "audit.stray",
            Self::CutOff { .. } => "audit.cut_off",
            Self::HeadLost => "audit.head_lost",
            Self::Recomputed { .. } => "audit.recomputed",
            Self::Restored { .. } => "audit.restored",
            Self::CheckpointUnsigned(_) => "audit.checkpoint_unsigned",
            Self::CutUnsigned => "audit.cut_unsigned",
            Self::ErasedWithoutRecord(_) => "audit.erased_without_record",
            Self::NoCheckpoint { .. } => "audit.no_checkpoint",
            Self::Unsealed { .. } => "audit.unsealed",
            Self::OtherKey => "audit.other_key",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sequence = self.sequence;
        match &self.kind {
            FaultKind::Changed if sequence <= 1 => write!(formatter, "entry {sequence} was changed"),
            FaultKind::Changed => {
                let before = sequence - 1;
                write!(formatter, "entry {sequence} was changed, or entry {before} was, and its hash made anew")
            }
            FaultKind::FieldChanged(field) => {
                write!(formatter, "entry {sequence}: its field {} was changed", field.word())
            }
            FaultKind::Missing { through } if *through == sequence => write!(formatter, "entry {sequence} is missing"),
            FaultKind::Missing { through } => write!(formatter, "entries {sequence} to {through} are missing"),
            FaultKind::Reordered { stands_at } => {
                write!(formatter, "entry {sequence} is out of order: it stands as entry {stands_at}")
            }
            FaultKind::Stray => write!(formatter, "entry {sequence} stands twice or in the wrong place"),
            FaultKind::CutOff { origin, known } => {
                write!(formatter, "the chain is cut off after entry {sequence}: {origin} knows entry {known}")
            }
            FaultKind::HeadLost => write!(
                formatter,
                "the record of the chain's newest entry, {sequence}, is gone or is about an older one"
            ),
            FaultKind::Recomputed { origin, agreed } if agreed + 1 >= sequence => {
                write!(formatter, "entry {sequence} was made anew: {origin} has another hash for it")
            }
            FaultKind::Recomputed { origin, agreed } => {
                let first = agreed + 1;
                write!(
                    formatter,
                    "the chain was made anew somewhere in entries {first} to {sequence}: {origin} has another hash for entry {sequence}"
                )
            }
            FaultKind::Restored { origin, known, entry } => write!(
                formatter,
                "entries after {sequence} are gone, up to {known} that {origin} knows, and others have their numbers: the database came \
                 back from a backup, as entry {entry} says"
            ),
            FaultKind::CheckpointUnsigned(origin) => write!(
                formatter,
                "the signature of the checkpoint at entry {sequence} is wrong ({origin}): the control plane did not make it"
            ),
            FaultKind::CutUnsigned => write!(
                formatter,
                "entries up to {sequence} are gone, and what says so was not signed by the control plane"
            ),
            FaultKind::ErasedWithoutRecord(field) => {
                write!(
                    formatter,
                    "entry {sequence}: its field {} is gone, and no entry says that it was erased",
                    field.word()
                )
            }
            FaultKind::NoCheckpoint { age_seconds } => {
                write!(formatter, "from entry {sequence} on there is no checkpoint, though it is {age_seconds} s old")
            }
            FaultKind::Unsealed { count, age_seconds } => {
                write!(
                    formatter,
                    "{count} entries are not sealed, the oldest for {age_seconds} s: nothing proves them yet"
                )
            }
            FaultKind::OtherKey => {
                formatter.write_str("the control plane signs with a key that it did not have at the last verification")
            }
        }
    }
}
