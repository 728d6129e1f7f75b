//! One file of a spool: records in order, named after its first sequence.

use super::record::{self, HEADER_BYTES};
use super::{Batch, PAYLOAD_MAX_BYTES};
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const EXTENSION: &str = "segment";

/// Bytes read from a segment at a time: one link message.
const READ_BYTES: usize = 32 * 1024;

/// What is known about a segment without reading it again.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// First and last sequence in it.
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) records: u64,
    /// Bytes of whole records; the file is never trusted beyond.
    pub(super) bytes: u64,
    /// Set when a write failed and could not be taken back: nothing may follow in this file.
    broken: bool,
}

/// Where reading stopped, so that the next read need not search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    segment_first: u64,
    /// The record at `offset` is the first one behind this sequence.
    after: u64,
    offset: u64,
}

/// What a read found.
#[derive(Debug)]
pub(super) struct ReadBatch {
    pub(super) batch: Option<Batch>,
    pub(super) cursor: Cursor,
}

/// What was found in a folder.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) segments: VecDeque<Segment>,
    /// Records that are gone. An end that was cut off, and a newest segment that could not be read, held at least one and count as one.
    pub(super) lost: u64,
    /// A segment could not be read and is gone: nobody knows which numbers were in it.
    pub(super) is_unsure: bool,
}

impl Segment {
    /// Names a segment that begins with a sequence. The file is made by the first append.
    pub(super) fn begin(folder: &Path, first: u64) -> Self {
        let path = folder.join(format!("{first:020}.{EXTENSION}"));
        Self { path, first, last: first.saturating_sub(1), records: 0, bytes: 0, broken: false }
    }

    /// Whether the next record belongs in a new segment.
    pub(super) fn is_closed(&self, segment_bytes: u64) -> bool {
        self.broken || self.bytes >= segment_bytes
    }

    /// Writes a record at the end.
    pub(super) fn append(&mut self, sequence: u64, payload: &[u8]) -> io::Result<()> {
        let encoded = record::encode(sequence, payload);
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
        let written = file.seek(SeekFrom::Start(self.bytes)).and_then(|_| file.write_all(&encoded));
        if let Err(error) = written {
            // A half-written record must not stand before a whole one.
            self.broken = file.set_len(self.bytes).is_err();
            return Err(error);
        }
        self.bytes += encoded.len() as u64;
        self.records += 1;
        self.last = sequence;
        Ok(())
    }

    /// Reads records behind a sequence, up to the first gap.
    pub(super) fn read_after(
        &self,
        after: u64,
        cursor: Option<Cursor>,
        items_max: usize,
        bytes_max: usize,
        overhead: usize,
    ) -> io::Result<ReadBatch> {
        let mut offset = cursor
            .filter(|cursor| cursor.segment_first == self.first && cursor.after <= after)
            .map_or(0, |cursor| cursor.offset);
        let mut file = File::open(&self.path)?;
        let mut first_sequence = None;
        let mut payloads: Vec<Vec<u8>> = Vec::new();
        let mut bytes_left = bytes_max;
        let mut position = after;
        'chunks: while offset < self.bytes && payloads.len() < items_max {
            let chunk = read_chunk(&mut file, offset, self.bytes)?;
            let mut rest = chunk.as_slice();
            while let Some(found) = record::decode(rest) {
                if found.sequence > after {
                    let cost = found.payload.len() + overhead;
                    let follows = first_sequence.is_none() || found.sequence == position + 1;
                    if !follows || cost > bytes_left || payloads.len() >= items_max {
                        break 'chunks;
                    }
                    bytes_left -= cost;
                    first_sequence.get_or_insert(found.sequence);
                    position = found.sequence;
                    payloads.push(found.payload.to_vec());
                }
                offset += found.file_bytes() as u64;
                rest = rest.get(found.file_bytes()..).unwrap_or_default();
            }
            if rest.len() == chunk.len() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a record that was whole is not any more"));
            }
        }
        let cursor = Cursor { segment_first: self.first, after: position, offset };
        Ok(ReadBatch { batch: first_sequence.map(|first_sequence| Batch { first_sequence, payloads }), cursor })
    }

    pub(super) fn remove(self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Opens all segments of a folder in order, cutting off what is torn.
pub(super) fn open_all(folder: &Path) -> io::Result<Scan> {
    let mut scan = Scan::default();
    let (mut last, mut lost_from) = (0, None);
    for path in segment_paths(folder)? {
        let first = first_of(&path);
        // What a lost segment held ends where the next one begins.
        scan.lost += lost_from.take().zip(first).map_or(0, |(from, first): (u64, u64)| first.saturating_sub(from + 1));
        let content = match fs::read(&path) {
            Ok(content) => content,
            Err(error) if is_about_process(&error) => return Err(error),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "a spool segment cannot be read and is dropped");
                fs::remove_file(&path)?;
                scan.lost += 1;
                scan.is_unsure = true;
                lost_from = first;
                continue;
            }
        };
        let (segment, was_cut) = open_one(&path, &content, last)?;
        scan.lost += u64::from(was_cut);
        let Some(segment) = segment else {
            fs::remove_file(&path)?;
            continue;
        };
        last = segment.last;
        scan.segments.push_back(segment);
    }
    Ok(scan)
}

/// Removes all segments of a folder: their numbers belong to a spool that nobody can name any more. Answers how many records they held,
/// of which some may have been acknowledged.
pub(super) fn remove_all(folder: &Path) -> io::Result<u64> {
    let scan = open_all(folder)?;
    let held = scan.segments.iter().map(|segment| segment.records).sum::<u64>() + scan.lost;
    segment_paths(folder)?.iter().try_for_each(fs::remove_file)?;
    Ok(held)
}

/// Whether an error says something of this process rather than of a file: the file may be read well another time.
pub(super) fn is_about_process(error: &io::Error) -> bool {
    let passing = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE, rustix::io::Errno::NOMEM];
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Interrupted)
        || passing.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// The first sequence of a segment, by its name.
fn first_of(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

fn segment_paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            paths.push(path);
        }
    }
    // Names are zero-padded numbers, so their order is the order of the records.
    paths.sort();
    Ok(paths)
}

/// Reads a segment through and cuts it behind its last whole record. `None` when it holds none; the flag says that
/// something was cut off.
fn open_one(path: &Path, content: &[u8], last_before: u64) -> io::Result<(Option<Segment>, bool)> {
    let mut first = None;
    let mut last = last_before;
    let mut records = 0;
    let mut rest = content;
    while let Some(found) = record::decode(rest) {
        if found.sequence <= last {
            break;
        }
        first.get_or_insert(found.sequence);
        last = found.sequence;
        records += 1;
        rest = rest.get(found.file_bytes()..).unwrap_or_default();
    }
    let bytes = (content.len() - rest.len()) as u64;
    if !rest.is_empty() {
        tracing::warn!(path = %path.display(), bytes = rest.len(), "cut a torn end off a spool segment");
        OpenOptions::new().write(true).open(path)?.set_len(bytes)?;
    }
    let segment = first.map(|first| Segment { path: path.to_owned(), first, last, records, bytes, broken: false });
    Ok((segment, !rest.is_empty()))
}

/// Reads at most one link message's worth, but at least one whole record.
fn read_chunk(file: &mut File, offset: u64, end: u64) -> io::Result<Vec<u8>> {
    const { assert!(READ_BYTES >= HEADER_BYTES + PAYLOAD_MAX_BYTES, "a chunk holds any record") };
    let mut chunk = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take((READ_BYTES as u64).min(end - offset)).read_to_end(&mut chunk)?;
    Ok(chunk)
}
