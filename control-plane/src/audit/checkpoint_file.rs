//! Checkpoints outside of the database: a file in the state folder of each replica, by which a chain that somebody made anew, with the
//! database and all keys at hand, is still found.
//!
//! A line of JSON for each checkpoint, some 400 bytes, written within seconds. When the file is full it becomes the one before, and a new
//! one begins with the newest of each organization; so of a busy server weeks are kept, and of each organization its end. Whoever wants
//! more copies it away: to where whoever could break into the server cannot write.

use crate::authority::audit_key::key_id;
use data_encoding::{BASE64, HEXLOWER};
use kaliun_store::{StoreError, SystemStore};
use kaliun_types::audit::{Checkpoint, Hash};
use kaliun_types::id::OrganizationId;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Its name in the state folder, and that of the one before.
pub const FILE: &str = "audit-checkpoints.jsonl";
const FILE_BEFORE: &str = "audit-checkpoints.1.jsonl";
/// How often it is brought up to date.
pub(crate) const PERIOD: Duration = Duration::from_secs(2);
/// Largest file, bytes: some 40,000 checkpoints, those of one organization that is never quiet for four weeks, or of 1,000 for 40
/// minutes.
const FILE_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// How far back each look reaches, microseconds: a checkpoint is seen some time after it was signed, and a transaction takes 20 s at most.
const LOOK_BACK_US: i64 = 60_000_000;
/// Checkpoints read at once.
const PAGE: i64 = 1_000;

/// The file cannot be read or written.
#[derive(Debug, Error)]
pub enum CheckpointFileError {
    /// The file.
    #[error("{} cannot be read or written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line in it.
    #[error("line {line} of {} is no checkpoint; take it out and try again", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1 on.
        line: usize,
    },
}

/// The file is not up to date.
#[derive(Debug, Error)]
pub(crate) enum NotFollowed {
    /// The database does not say what was signed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file.
    #[error(transparent)]
    File(#[from] CheckpointFileError),
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    organization: String,
    incarnation: u64,
    sequence: u64,
    /// Hexadecimal.
    hash: String,
    at_us: i64,
    /// Hexadecimal.
    key: String,
    /// Base64.
    signature: String,
}

impl Line {
    fn of(checkpoint: &Checkpoint) -> Self {
        Self {
            organization: checkpoint.organization.to_string(),
            incarnation: checkpoint.incarnation,
            sequence: checkpoint.sequence,
            hash: HEXLOWER.encode(&checkpoint.hash),
            at_us: checkpoint.at_us,
            key: HEXLOWER.encode(&checkpoint.key_id),
            signature: BASE64.encode(&checkpoint.signature),
        }
    }

    fn read(&self) -> Option<Checkpoint> {
        let hash = |text: &str| -> Option<Hash> { HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok() };
        Some(Checkpoint {
            organization: self.organization.parse().ok()?,
            incarnation: self.incarnation,
            sequence: self.sequence,
            hash: hash(&self.hash)?,
            at_us: self.at_us,
            key_id: hash(&self.key)?,
            signature: BASE64.decode(self.signature.as_bytes()).ok()?,
        })
    }
}

/// Reads a file. One that is not there is empty; a last line that was cut off counts for nothing, for the power went while it was written.
///
/// # Errors
/// The file cannot be read, or a line before the last is no checkpoint.
pub fn read(path: &Path) -> Result<Vec<Checkpoint>, CheckpointFileError> {
    let failed = |source| CheckpointFileError::File { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut checkpoints = Vec::new();
    let mut broken = None;
    for (number, line) in (1..).zip(BufReader::new(file).split(b'\n')) {
        let line = line.map_err(failed)?;
        if let Some(line) = broken {
            return Err(CheckpointFileError::Line { path: path.to_owned(), line });
        }
        match serde_json::from_slice::<Line>(&line).ok().and_then(|line| line.read()) {
            Some(checkpoint) => checkpoints.push(checkpoint),
            None => broken = Some(number),
        }
    }
    Ok(checkpoints)
}

/// Reads the file in a state folder and the one before.
///
/// # Errors
/// See [`read`].
pub fn read_folder(state_dir: &Path) -> Result<Vec<Checkpoint>, CheckpointFileError> {
    let mut checkpoints = read(&state_dir.join(FILE_BEFORE))?;
    checkpoints.extend(read(&state_dir.join(FILE))?);
    Ok(checkpoints)
}

/// The file of this replica.
pub(crate) struct CheckpointFile {
    folder: PathBuf,
    /// The newest of each organization that is in it.
    newest: HashMap<OrganizationId, Checkpoint>,
    /// Bytes that are in the file.
    written: u64,
    /// When the newest that was seen was signed.
    seen_us: i64,
    max_bytes: u64,
}

impl CheckpointFile {
    /// Opens it.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub(crate) fn open(state_dir: &Path) -> Result<Self, CheckpointFileError> {
        let mut file = Self {
            folder: state_dir.to_owned(),
            newest: HashMap::new(),
            written: 0,
            seen_us: 0,
            max_bytes: FILE_MAX_BYTES,
        };
        for checkpoint in read_folder(state_dir)? {
            file.take(checkpoint);
        }
        let path = file.path();
        file.written = mend(&path).map_err(|source| CheckpointFileError::File { path, source })?;
        Ok(file)
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    fn take(&mut self, checkpoint: Checkpoint) {
        self.seen_us = self.seen_us.max(checkpoint.at_us);
        self.newest.insert(checkpoint.organization, checkpoint);
    }

    fn is_new(&self, checkpoint: &Checkpoint) -> bool {
        // A database that came back from a backup goes on with lower numbers.
        let place = |checkpoint: &Checkpoint| (checkpoint.incarnation, checkpoint.sequence);
        self.newest.get(&checkpoint.organization).is_none_or(|newest| place(newest) < place(checkpoint))
    }

    /// Writes down what is not in it yet.
    ///
    /// # Errors
    /// The database failed, or the file cannot be written; what was not written is tried again the next time.
    pub(crate) async fn follow(&mut self, store: &SystemStore) -> Result<(), NotFollowed> {
        // One that somebody took away or cut begins anew with what is known.
        let length = std::fs::metadata(self.path()).map_or(0, |metadata| metadata.len());
        if length < self.written {
            self.begin_anew().await?;
        }
        let mut after = (self.seen_us.saturating_sub(LOOK_BACK_US), OrganizationId::from_uuid(uuid::Uuid::nil()), 0);
        loop {
            let page = store.audit_checkpoint_list_since(after, PAGE, key_id).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = (last.at_us, last.organization, last.sequence);
            let is_last = i64::try_from(page.len()).is_ok_and(|count| count < PAGE);
            self.append(page).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    async fn append(&mut self, page: Vec<Checkpoint>) -> Result<(), CheckpointFileError> {
        let mut fresh = Vec::new();
        for checkpoint in page {
            if self.is_new(&checkpoint) {
                fresh.push(checkpoint.clone());
                self.newest.insert(checkpoint.organization, checkpoint);
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let text = lines(fresh.iter());
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if self.written > 0 && self.written.saturating_add(bytes) > self.max_bytes {
            // What is newest of each organization is in the new one, these too.
            self.begin_anew().await?;
        } else {
            let path = self.path();
            let written = blocking({
                let path = path.clone();
                move || write(&path, &text)
            });
            if let Err(source) = written.await {
                // They are new again the next time.
                fresh.iter().for_each(|checkpoint| drop(self.newest.remove(&checkpoint.organization)));
                return Err(CheckpointFileError::File { path, source });
            }
            self.written = self.written.saturating_add(bytes);
        }
        self.seen_us = fresh.iter().map(|checkpoint| checkpoint.at_us).fold(self.seen_us, i64::max);
        Ok(())
    }

    /// Begins a new file, and keeps what there is as the one before.
    async fn begin_anew(&mut self) -> Result<(), CheckpointFileError> {
        let text = lines(self.newest.values());
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        // Until it is there the next look tries again.
        self.written = u64::MAX;
        let (path, before) = (self.path(), self.folder.join(FILE_BEFORE));
        let turned = blocking({
            let path = path.clone();
            move || turn(&path, &before, &text)
        });
        turned.await.map_err(|source| CheckpointFileError::File { path, source })?;
        self.written = length;
        Ok(())
    }
}

fn lines<'a>(checkpoints: impl Iterator<Item = &'a Checkpoint>) -> Vec<u8> {
    let mut text = Vec::new();
    for checkpoint in checkpoints {
        // Numbers and texts always are JSON, and writing into memory does not fail.
        let _infallible = serde_json::to_writer(&mut text, &Line::of(checkpoint));
        text.push(b'\n');
    }
    text
}

/// Forced to disk, which may take a while.
async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(work).await.map_err(|_cancelled| io::Error::from(io::ErrorKind::Interrupted))?
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let before = file.metadata()?.len();
    let written = file.write_all(text).and_then(|()| file.sync_data());
    if written.is_err() {
        // A full disk may have taken half a line, and the next would follow on it.
        let _still_full = file.set_len(before);
    }
    written
}

/// Puts a new file in the place of one that becomes the one before. Killed at any moment, it leaves all that was there in one of the two.
fn turn(path: &Path, before: &Path, text: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    match std::fs::rename(path, before) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    std::fs::rename(&new, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Takes off what follows the last whole line. Answers how long the file is.
fn mend(path: &Path) -> io::Result<u64> {
    let content = match std::fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    let length = u64::try_from(whole).unwrap_or(u64::MAX);
    if whole < content.len() {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(length)?;
        file.sync_data()?;
    }
    Ok(length)
}

/// Keeps a file that may not be readable yet, and says once when it does not work.
pub(crate) struct Keeper {
    state_dir: PathBuf,
    file: Option<CheckpointFile>,
    trouble: Option<String>,
}

impl Keeper {
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned(), file: None, trouble: None }
    }

    /// Opens the file, if that is to be done, and brings it up to date.
    ///
    /// # Errors
    /// The database failed. What is wrong with the file is told here.
    pub(crate) async fn activate(&mut self, store: &SystemStore) -> Result<(), StoreError> {
        match self.follow(store).await {
            Ok(()) => {
                if self.trouble.take().is_some() {
                    tracing::info!("checkpoints of the audit are kept outside of the database again");
                }
                Ok(())
            }
            Err(NotFollowed::Store(error)) => Err(error),
            Err(NotFollowed::File(error)) => {
                let text = error.to_string();
                if self.trouble.as_ref() != Some(&text) {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "checkpoints of the audit are not kept outside of the database");
                    self.trouble = Some(text);
                }
                Ok(())
            }
        }
    }

    async fn follow(&mut self, store: &SystemStore) -> Result<(), NotFollowed> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(CheckpointFile::open(&self.state_dir)?),
        };
        file.follow(store).await
    }
}

#[cfg(test)]
mod tests;
