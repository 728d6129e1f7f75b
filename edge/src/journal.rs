//! What the box has to tell: its two spools and its facts. Written by the measuring side, read by the link.
//!
//! Both sides run in one task, one after the other; the lock is there for the compiler and is never held across an await.

use crate::identity::sha256;
use crate::spool::{Batch, EVENT_LIMITS, Position, SAMPLE_LIMITS, Spool, SpoolError, SpoolLimits};
use crate::state_dir::{Durability, StateDir, StateDirError};
use kaliun_proto::link::v1::{DeviceEvent, ItemClass};
use kaliun_proto::telemetry::v1::{Facts, Sample};
use kaliun_types::reason::ReasonCode;
use prost::Message;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The folder of the spools.
const FOLDER: &str = "spool";

/// Bytes that a batch adds to each item: field tag and a length below 16 kB.
const ITEM_OVERHEAD_BYTES: usize = 4;

/// The classes of durable items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Facts in time.
    Events,
    /// Readings.
    Samples,
}

impl Class {
    /// All classes, the more important first.
    pub const ALL: [Self; 2] = [Self::Events, Self::Samples];

    /// As the wire names it.
    #[must_use]
    pub const fn wire(self) -> ItemClass {
        match self {
            Self::Events => ItemClass::Events,
            Self::Samples => ItemClass::Samples,
        }
    }

    /// Reads the wire's number. `None` for one that this version does not know.
    #[must_use]
    pub fn from_wire(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.wire() as i32 == number)
    }
}

/// Facts with their encoding's hash.
#[derive(Debug, Clone, PartialEq)]
pub struct HashedFacts {
    /// What the box says of itself.
    pub facts: Facts,
    /// SHA-256 of the encoded facts.
    pub hash: [u8; 32],
}

/// The spools and the facts of one box.
#[derive(Debug)]
pub struct Journal {
    events: Mutex<Spool>,
    samples: Mutex<Spool>,
    facts: Mutex<HashedFacts>,
    changed: Notify,
    durability: Durability,
}

/// Limits of both spools.
#[derive(Debug, Clone, Copy)]
pub struct JournalLimits {
    /// Of the events.
    pub events: SpoolLimits,
    /// Of the samples.
    pub samples: SpoolLimits,
}

impl Default for JournalLimits {
    fn default() -> Self {
        Self { events: EVENT_LIMITS, samples: SAMPLE_LIMITS }
    }
}

impl Journal {
    /// Opens both spools.
    ///
    /// # Errors
    /// A folder cannot be read or written.
    pub fn open(state: &StateDir, limits: JournalLimits, boot_id: &str, facts: Facts) -> Result<Self, SpoolError> {
        let spools = state.subfolder(FOLDER)?;
        Ok(Self {
            events: Mutex::new(Spool::open(spools.subfolder("events")?, limits.events, boot_id)?),
            samples: Mutex::new(Spool::open(spools.subfolder("samples")?, limits.samples, boot_id)?),
            facts: Mutex::new(hashed(facts)),
            changed: Notify::new(),
            durability: state.durability(),
        })
    }

    /// Adds a reading.
    ///
    /// # Errors
    /// It cannot be written; it is counted as dropped.
    pub fn append_sample(&self, sample: &Sample) -> Result<u64, SpoolError> {
        let appended = self.spool(Class::Samples).append(&sample.encode_to_vec());
        self.changed.notify_one();
        appended
    }

    /// Adds a fact in time, and forces it to disk.
    ///
    /// # Errors
    /// It cannot be written; it is counted as dropped.
    pub async fn append_event(&self, happened_at_ms: i64, code: ReasonCode, message: &str) -> Result<(), SpoolError> {
        let message = crate::facts::clip(message, kaliun_types::limits::EVENT_MESSAGE_MAX_BYTES).to_owned();
        let event = DeviceEvent { happened_at_ms, code: code.code().to_owned(), message };
        let written = {
            let mut spool = self.spool(Class::Events);
            spool.append(&event.encode_to_vec())?;
            if self.durability == Durability::Disk { spool.newest_file() } else { None }
        };
        if let Some(file) = written {
            force_to_disk(file).await.map_err(|source| SpoolError::Segment { operation: "sync", source })?;
        }
        self.changed.notify_one();
        Ok(())
    }

    /// Takes what the box says of itself now. True when it differs from before.
    pub fn set_facts(&self, facts: Facts) -> bool {
        let facts = hashed(facts);
        let mut held = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let differs = held.hash != facts.hash;
        if differs {
            *held = facts;
            self.changed.notify_one();
        }
        differs
    }

    /// What the box says of itself.
    #[must_use]
    pub fn facts(&self) -> HashedFacts {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hash of what the box says of itself.
    #[must_use]
    pub fn facts_hash(&self) -> [u8; 32] {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).hash
    }

    /// Where a class stands.
    #[must_use]
    pub fn position(&self, class: Class) -> Position {
        self.spool(class).position()
    }

    /// Items of a class behind a sequence, so many bytes at most.
    ///
    /// # Errors
    /// The spool cannot be read.
    pub fn read_after(&self, class: Class, sequence: u64, bytes_max: usize) -> Result<Option<Batch>, SpoolError> {
        self.spool(class).read_after(sequence, kaliun_types::limits::BATCH_ITEMS_MAX, bytes_max, ITEM_OVERHEAD_BYTES)
    }

    /// Forgets items that are stored elsewhere.
    ///
    /// # Errors
    /// The spool's folder cannot be written.
    pub fn acknowledge(&self, class: Class, sequence: u64) -> Result<(), SpoolError> {
        self.spool(class).acknowledge(sequence)
    }

    /// Counts an item that cannot be understood any more.
    pub fn count_dropped(&self, class: Class, items: u64) {
        self.spool(class).count_dropped(items);
    }

    /// Waits until something was added or the facts changed.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Writes down what is otherwise written rarely. For an orderly end.
    ///
    /// # Errors
    /// A folder cannot be written.
    pub fn close(self) -> Result<(), SpoolError> {
        self.events.into_inner().unwrap_or_else(PoisonError::into_inner).close()?;
        self.samples.into_inner().unwrap_or_else(PoisonError::into_inner).close()
    }

    /// Deletes what was recorded. A journal that is open on the folder takes nothing any more.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(crate) fn forget(state: &StateDir) -> Result<(), StateDirError> {
        state.remove_folder(FOLDER)
    }

    fn spool(&self, class: Class) -> MutexGuard<'_, Spool> {
        let spool = match class {
            Class::Events => &self.events,
            Class::Samples => &self.samples,
        };
        spool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hashed(facts: Facts) -> HashedFacts {
    let hash = sha256(&facts.encode_to_vec());
    HashedFacts { facts, hash }
}

/// Off the runtime's thread: an SD card takes up to a second.
async fn force_to_disk(file: io::Result<std::fs::File>) -> io::Result<()> {
    tokio::task::spawn_blocking(move || file?.sync_data()).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
