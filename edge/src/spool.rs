//! What the box has to say and nobody has stored yet: one spool for each class of durable items.
//!
//! A spool is a folder of segment files with records in order of their sequence numbers. A record is kept until it was
//! acknowledged; beyond the caps the oldest segment is dropped and counted. Sequence numbers are never used twice:
//! - after the end of the process (kill -9 too) the files say where it stood, because what was written to a file stays in
//!   the kernel's page cache however the process ended;
//! - after the end of the machine the last unsynced records may be gone from the files though the server has them. Numbers
//!   are therefore reserved in blocks, on disk, before they are used; after another boot the spool goes on behind the
//!   reserved block. The gap says that nothing is there.
//!
//! Events are rare and each matters: their writer forces them to disk by [`Spool::newest_file`]. Samples come every few seconds for years: forcing each to an
//! SD card would wear it out to save at most some seconds of readings before a power cut.

mod meta;
mod record;
mod segment;

use crate::link::transport::with_sources;
use crate::state_dir::{StateDir, StateDirError};
use meta::Meta;
use segment::{Cursor, Segment};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use thiserror::Error;

pub use record::PAYLOAD_MAX_BYTES;

/// Numbers reserved at a time: one forced write in 17 hours at a sample each 15 s.
const RESERVED_BLOCK: u64 = 4096;

/// Names one life of a spool.
pub type SpoolId = [u8; 16];

/// How much a spool keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Most records kept.
    pub records_max: u64,
    /// Most bytes kept on disk.
    pub bytes_max: u64,
    /// A segment that reached this size is followed by a new one. The unit in which records are dropped or removed, bytes.
    pub segment_bytes: u64,
}

/// Limits of the samples' spool: seven days at 15 s. A sample takes about 200 bytes, so the byte cap has room for twice that.
pub const SAMPLE_LIMITS: SpoolLimits = SpoolLimits {
    records_max: kaliun_types::limits::SPOOL_SAMPLES_MAX as u64,
    bytes_max: 16 * 1024 * 1024,
    segment_bytes: 128 * 1024,
};

/// Limits of the events' spool: a box that flaps once a minute for a week makes 10,000.
pub const EVENT_LIMITS: SpoolLimits =
    SpoolLimits { records_max: 10_000, bytes_max: 4 * 1024 * 1024, segment_bytes: 64 * 1024 };

/// A spool operation failed.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// A file of the spool could not be read or written.
    #[error("cannot {operation} a segment of the spool")]
    Segment {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The spool's folder or its description failed.
    #[error("cannot keep the spool's folder")]
    Folder(#[from] StateDirError),
    /// The item is larger than any message could carry.
    #[error("an item of {0} bytes is larger than the 16 kB a spool takes")]
    TooLarge(usize),
}

/// Where a spool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Names this life of the spool.
    pub spool_id: SpoolId,
    /// First and last sequence kept and not acknowledged; `None` when there is none.
    pub kept: Option<(u64, u64)>,
    /// Highest sequence that was acknowledged; 0 for none.
    pub acknowledged: u64,
    /// Items that were dropped since this spool began.
    pub dropped: u64,
}

impl Position {
    /// How many sequence numbers wait for an acknowledgement.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.kept.map_or(0, |(first, last)| last - first + 1)
    }
}

/// Records in order and without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Sequence of the first.
    pub first_sequence: u64,
    /// At least one.
    pub payloads: Vec<Vec<u8>>,
}

impl Batch {
    /// Sequence of the last.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.first_sequence + self.payloads.len() as u64 - 1
    }
}

/// An open spool. Holds no file open between two operations, so that thousands fit in one process.
#[derive(Debug)]
pub struct Spool {
    folder: StateDir,
    limits: SpoolLimits,
    meta: Meta,
    segments: VecDeque<Segment>,
    next_sequence: u64,
    /// The highest number that anybody can have heard of by this folder: used before it was opened, or read to be sent since.
    known_max: u64,
    cursor: Option<Cursor>,
}

impl Spool {
    /// Opens the spool in a folder, or begins a new one. Mends a torn end.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn open(folder: StateDir, limits: SpoolLimits, boot_id: &str) -> Result<Self, SpoolError> {
        let held = match Meta::load(&folder) {
            Ok(held) => held,
            Err(error) if segment::is_about_process(error.io_error()) => return Err(error.into()),
            Err(error) => {
                tracing::error!(error = %with_sources(&error), "the spool's description cannot be read, a new spool begins");
                // Could it be read again later, it would give out once more the numbers of the records that are removed now.
                Meta::forget(&folder)?;
                None
            }
        };
        let Some(mut meta) = held else {
            let dropped = segment::remove_all(folder.path())
                .map_err(|source| SpoolError::Segment { operation: "remove", source })?;
            let meta = Meta { dropped, ..Meta::begin(boot_id) };
            let segments = VecDeque::new();
            return Ok(Self { folder, limits, meta, segments, next_sequence: 1, known_max: 0, cursor: None });
        };
        let scan =
            segment::open_all(folder.path()).map_err(|source| SpoolError::Segment { operation: "scan", source })?;
        let last_written = scan.segments.back().map_or(0, |segment| segment.last).max(meta.acknowledged);
        if meta.boot_id != boot_id || scan.is_unsure {
            meta.next_floor = meta.next_floor.max(meta.reserved + 1);
            boot_id.clone_into(&mut meta.boot_id);
        }
        let next_sequence = (last_written + 1).max(meta.next_floor);
        meta.dropped += scan.lost;
        let known_max = next_sequence - 1;
        let mut spool = Self { folder, limits, meta, segments: scan.segments, next_sequence, known_max, cursor: None };
        // A box whose disk is full must be able to say so. Nothing is lost by it: after another boot the next number is above
        // the reserved block, so that the description is written, or the record refused, before the number is used.
        spool.store_meta_if_possible();
        spool.remove_acknowledged()?;
        Ok(spool)
    }

    /// Adds a record and gives its sequence. An item that cannot be written is counted as dropped.
    ///
    /// # Errors
    /// The item is too large, or the disk takes no more.
    pub fn append(&mut self, payload: &[u8]) -> Result<u64, SpoolError> {
        let appended = self.try_append(payload);
        if appended.is_err() {
            self.meta.dropped += 1;
        }
        appended
    }

    fn try_append(&mut self, payload: &[u8]) -> Result<u64, SpoolError> {
        if payload.len() > PAYLOAD_MAX_BYTES {
            return Err(SpoolError::TooLarge(payload.len()));
        }
        let sequence = self.next_sequence;
        if sequence > self.meta.reserved {
            let before = std::mem::replace(&mut self.meta.reserved, sequence + RESERVED_BLOCK - 1);
            // Numbers are reserved only once that is on the disk: after a power cut they would be given out again.
            self.meta.store(&self.folder).inspect_err(|_| self.meta.reserved = before)?;
        }
        let begins_segment = self.segments.back().is_none_or(|last| last.is_closed(self.limits.segment_bytes));
        if begins_segment {
            self.segments.push_back(Segment::begin(self.folder.path(), sequence));
        }
        if let Some(segment) = self.segments.back_mut() {
            let written = segment.append(sequence, payload);
            if written.is_err() && begins_segment {
                self.segments.pop_back();
            }
            written.map_err(|source| SpoolError::Segment { operation: "append to", source })?;
        }
        if begins_segment {
            self.folder.sync_folder()?;
        }
        self.next_sequence = sequence + 1;
        self.drop_beyond_caps()?;
        Ok(sequence)
    }

    /// Where the spool stands.
    #[must_use]
    pub fn position(&self) -> Position {
        let first = self.segments.front().map(|segment| segment.first.max(self.meta.acknowledged + 1));
        let last = self.segments.back().map(|segment| segment.last);
        let kept = match (first, last) {
            (Some(first), Some(last)) if first <= last => Some((first, last)),
            (_, _) => None,
        };
        Position {
            spool_id: self.meta.spool_id,
            kept,
            acknowledged: self.meta.acknowledged,
            dropped: self.meta.dropped,
        }
    }

    /// The records behind a sequence: at most so many, of at most so many bytes of payload in all, up to the first gap.
    /// `overhead` is what a message adds to each. `None` when there is none, or the next does not fit.
    ///
    /// # Errors
    /// A segment cannot be read.
    pub fn read_after(
        &mut self,
        sequence: u64,
        items_max: usize,
        bytes_max: usize,
        overhead: usize,
    ) -> Result<Option<Batch>, SpoolError> {
        let after = sequence.max(self.meta.acknowledged);
        loop {
            let index = self.segments.partition_point(|segment| segment.last <= after);
            let Some(segment) = self.segments.get(index) else {
                return Ok(None);
            };
            match segment.read_after(after, self.cursor, items_max, bytes_max, overhead) {
                Ok(read) => {
                    self.cursor = Some(read.cursor);
                    if let Some(batch) = &read.batch {
                        self.known_max = self.known_max.max(batch.last_sequence());
                    }
                    return Ok(read.batch);
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::NotFound) => {
                    // The file changed under us. Better to lose its records, counted, than to stand still for ever.
                    tracing::error!(%error, "a spool segment became unreadable and is dropped");
                    self.drop_unreadable(index, after)?;
                }
                Err(source) => return Err(SpoolError::Segment { operation: "read", source }),
            }
        }
    }

    /// Forgets everything up to a sequence, for it is stored elsewhere.
    ///
    /// A sequence that this spool cannot have sent, though it may have recorded as many since, means that the folder is older than what
    /// the server has: a backup of the box was put back. What was recorded since has numbers that the server knows for other
    /// records, so the spool begins a new life: what it keeps is sent once more under another id. The server may then have some
    /// records twice, and none too few.
    ///
    /// # Errors
    /// A file cannot be removed or the description cannot be written.
    pub fn acknowledge(&mut self, sequence: u64) -> Result<(), SpoolError> {
        if sequence <= self.meta.acknowledged {
            return Ok(());
        }
        if sequence > self.known_max {
            let before = std::mem::replace(&mut self.meta.spool_id, rand::random());
            // Used only once it is on the disk: after a crash the old id would be asked for again, and nothing would be lost.
            self.meta.store(&self.folder).inspect_err(|_| self.meta.spool_id = before)?;
            tracing::warn!("the spool is older than what the server has stored; it begins anew under another id");
            return Ok(());
        }
        self.meta.acknowledged = sequence;
        self.remove_acknowledged()
    }

    /// Counts items that were given up outside, so that no loss goes unseen.
    pub fn count_dropped(&mut self, items: u64) {
        self.meta.dropped += items;
    }

    /// Writes down what is otherwise written rarely. For an orderly end.
    ///
    /// # Errors
    /// The description cannot be written.
    pub fn close(self) -> Result<(), SpoolError> {
        Ok(self.meta.store(&self.folder)?)
    }

    /// A handle by which the newest record can be forced to disk outside of a lock. `None` when nothing needs it.
    #[must_use]
    pub fn newest_file(&self) -> Option<io::Result<File>> {
        self.segments.back().map(|segment| File::open(&segment.path))
    }

    /// Removes segments whose every record is acknowledged, except one that still takes records.
    fn remove_acknowledged(&mut self) -> Result<(), SpoolError> {
        let acknowledged = self.meta.acknowledged;
        let is_done = |segment: &Segment| segment.last <= acknowledged;
        let takes_records = |index: usize, segment: &Segment, count: usize, limit: u64| {
            index + 1 == count && !segment.is_closed(limit) && segment.last + 1 == self.next_sequence
        };
        let count = self.segments.len();
        let mut done = self
            .segments
            .iter()
            .enumerate()
            .take_while(|(index, segment)| {
                is_done(segment) && !takes_records(*index, segment, count, self.limits.segment_bytes)
            })
            .count();
        if done == 0 {
            return Ok(());
        }
        // First the description, then the files: were it the other way round, a crash in between could lose the number
        // that the next record must not repeat. On a disk that takes nothing the newest file stays to remember it, and the
        // others go, for they are what fills the disk.
        if !self.store_meta_if_possible() && done == count {
            done -= 1;
        }
        self.remove_oldest(done)
    }

    /// For what may be written later too: a full disk is said, and nothing stops for it.
    fn store_meta_if_possible(&self) -> bool {
        let stored = self.meta.store(&self.folder);
        if let Err(error) = &stored {
            tracing::warn!(error = %with_sources(error), "the spool's description cannot be written");
        }
        stored.is_ok()
    }

    fn drop_beyond_caps(&mut self) -> Result<(), SpoolError> {
        let mut records: u64 = self.segments.iter().map(|segment| segment.records).sum();
        let mut bytes: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        let mut surplus = 0;
        let mut dropped = 0;
        // The newest segment stays: what was just written is never the oldest.
        for segment in self.segments.iter().take(self.segments.len().saturating_sub(1)) {
            if records <= self.limits.records_max && bytes <= self.limits.bytes_max {
                break;
            }
            records -= segment.records;
            bytes -= segment.bytes;
            surplus += 1;
            let acknowledged_here = (self.meta.acknowledged + 1).saturating_sub(segment.first);
            dropped += segment.records.saturating_sub(acknowledged_here);
        }
        if surplus == 0 {
            return Ok(());
        }
        self.meta.dropped += dropped;
        self.store_meta_if_possible();
        self.remove_oldest(surplus)
    }

    fn drop_unreadable(&mut self, index: usize, after: u64) -> Result<(), SpoolError> {
        let Some(segment) = self.segments.remove(index) else {
            return Ok(());
        };
        self.cursor = None;
        self.meta.dropped += segment.last - after.max(segment.first.saturating_sub(1));
        // The number of the last record must be remembered somewhere once its file is gone.
        self.meta.next_floor = self.meta.next_floor.max(segment.last + 1);
        self.meta.store(&self.folder)?;
        segment.remove().map_err(|source| SpoolError::Segment { operation: "remove", source })
    }

    fn remove_oldest(&mut self, count: usize) -> Result<(), SpoolError> {
        for segment in self.segments.drain(..count) {
            segment.remove().map_err(|source| SpoolError::Segment { operation: "remove", source })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
