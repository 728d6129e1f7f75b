//! The journal of devices that may not connect any more, kept beside the database: what a backup does not know, a restored database can be
//! told again.
//!
//! Each replica keeps a whole one in its state folder, a line of JSON for each device that was revoked, decommissioned or deleted, and
//! one more when that changes. It is written a few seconds after the fact, and never shortened: some 250 bytes for a device that ended.

use crate::clock;
use kaliun_store::{EndedDevice, StoreError, SystemStore};
use kaliun_types::id::DeviceId;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use thiserror::Error;

/// Its name in the state folder.
pub const FILE: &str = "ended-devices.jsonl";

/// How often it is brought up to date.
pub(crate) const PERIOD: Duration = Duration::from_secs(5);
/// How far back each look reaches: a transaction is seen some time after it has begun, and takes 20 s at most.
const LOOK_BACK: Duration = Duration::from_secs(60);
/// All of them are looked at again this often, for what changes without a new time: an order to delete an identity that came later.
const WHOLE_PERIOD: Duration = Duration::from_secs(3600);
/// Devices that are read at once.
const PAGE: i64 = 1_000;

/// The journal cannot be read or written.
#[derive(Debug, Error)]
pub enum JournalError {
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
    #[error("line {line} of {} is none of this journal; take it out and try again", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1 on.
        line: usize,
    },
}

/// The journal is not up to date.
#[derive(Debug, Error)]
pub(crate) enum NotFollowed {
    /// The database does not say what ended.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be written down.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    device: String,
    organization: String,
    name: String,
    /// Hexadecimal.
    key_hash: String,
    revoked_at_ms: Option<i64>,
    decommissioned_at_ms: Option<i64>,
    wipe_identity: bool,
    deleted_at_ms: Option<i64>,
}

impl Line {
    fn of(device: &EndedDevice) -> Self {
        Self {
            device: device.device.to_string(),
            organization: device.organization.to_string(),
            name: device.name.clone(),
            key_hash: data_encoding::HEXLOWER.encode(&device.key_hash),
            revoked_at_ms: device.revoked_at.map(clock::to_ms),
            decommissioned_at_ms: device.decommissioned_at.map(clock::to_ms),
            wipe_identity: device.wipe_identity,
            deleted_at_ms: device.deleted_at.map(clock::to_ms),
        }
    }

    fn read(&self) -> Option<EndedDevice> {
        Some(EndedDevice {
            device: self.device.parse().ok()?,
            organization: self.organization.parse().ok()?,
            name: self.name.clone(),
            key_hash: data_encoding::HEXLOWER.decode(self.key_hash.as_bytes()).ok().filter(|hash| hash.len() == 32)?,
            revoked_at: self.revoked_at_ms.map(clock::from_ms),
            decommissioned_at: self.decommissioned_at_ms.map(clock::from_ms),
            wipe_identity: self.wipe_identity,
            deleted_at: self.deleted_at_ms.map(clock::from_ms),
        })
    }
}

/// What a line says, as far as it may change.
type Standing = (bool, bool, bool, bool);

fn standing(device: &EndedDevice) -> Standing {
    (device.revoked_at.is_some(), device.decommissioned_at.is_some(), device.wipe_identity, device.deleted_at.is_some())
}

/// Reads a journal: the last word on each device, in no order. One that is not there is empty. A last line that was cut off counts for
/// nothing: what it was about is said again by the database that it came from, or was never said.
///
/// # Errors
/// The file cannot be read, or a line before the last is none of a journal.
pub fn read(path: &Path) -> Result<Vec<EndedDevice>, JournalError> {
    let failed = |source| JournalError::File { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut devices: HashMap<DeviceId, EndedDevice> = HashMap::new();
    let mut broken = None;
    for (number, line) in (1..).zip(BufReader::new(file).split(b'\n')) {
        let line = line.map_err(failed)?;
        if let Some(line) = broken {
            return Err(JournalError::Line { path: path.to_owned(), line });
        }
        let read = serde_json::from_slice::<Line>(&line).ok().and_then(|line| line.read());
        match read {
            Some(device) => drop(devices.insert(device.device, device)),
            None => broken = Some(number),
        }
    }
    Ok(devices.into_values().collect())
}

/// The journal of this replica.
pub(crate) struct Journal {
    path: PathBuf,
    known: HashMap<DeviceId, Standing>,
    /// Bytes that are in the file.
    written: u64,
    /// By the database's clock, as ends are noted.
    looked_at: SystemTime,
    whole_at: Option<Instant>,
}

impl Journal {
    /// Opens it, and takes off a last line that was cut off.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub(crate) fn open(state_dir: &Path) -> Result<Self, JournalError> {
        let path = state_dir.join(FILE);
        let known = read(&path)?.iter().map(|device| (device.device, standing(device))).collect();
        mend(&path).map_err(|source| JournalError::File { path: path.clone(), source })?;
        let written = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        Ok(Self { path, known, written, looked_at: SystemTime::UNIX_EPOCH, whole_at: None })
    }

    /// Whether the file has less than was written to it.
    fn is_cut(&self) -> bool {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len()) < self.written
    }

    /// Writes down what is not in it yet.
    ///
    /// # Errors
    /// The database failed, or the file cannot be written; what was not written is tried again the next time.
    pub(crate) async fn follow(&mut self, store: &SystemStore) -> Result<(), NotFollowed> {
        let now = store.database_time().await?;
        let began = Instant::now();
        let is_whole = self.whole_at.is_none_or(|at| began.duration_since(at) >= WHOLE_PERIOD);
        let from = if is_whole { SystemTime::UNIX_EPOCH } else { self.looked_at - LOOK_BACK };
        let mut after = (from, DeviceId::from_uuid(uuid::Uuid::nil()));
        loop {
            let page = store.ended_list_page(after, PAGE).await?;
            let Some((at, last)) = page.last() else { break };
            after = (*at, last.device);
            let devices: Vec<EndedDevice> = page.into_iter().map(|(_at, device)| device).collect();
            self.append(&devices).await?;
        }
        self.looked_at = now;
        if is_whole {
            self.whole_at = Some(began);
        }
        Ok(())
    }

    async fn append(&mut self, devices: &[EndedDevice]) -> Result<(), JournalError> {
        let fresh: Vec<&EndedDevice> =
            devices.iter().filter(|device| self.known.get(&device.device) != Some(&standing(device))).collect();
        if fresh.is_empty() {
            return Ok(());
        }
        let failed = |source| JournalError::File { path: self.path.clone(), source };
        let mut text = Vec::new();
        for device in &fresh {
            serde_json::to_writer(&mut text, &Line::of(device)).map_err(|error| failed(error.into()))?;
            text.push(b'\n');
        }
        let (path, bytes) = (self.path.clone(), u64::try_from(text.len()).unwrap_or(u64::MAX));
        // Forced to disk, which may take a while.
        let written = tokio::task::spawn_blocking(move || write(&path, &text)).await;
        written.map_err(|_cancelled| failed(io::ErrorKind::Interrupted.into()))?.map_err(failed)?;
        self.written = self.written.saturating_add(bytes);
        self.known.extend(fresh.iter().map(|device| (device.device, standing(device))));
        Ok(())
    }
}

/// Keeps a journal that may not be there yet, or not be readable.
pub(crate) struct Keeper {
    state_dir: PathBuf,
    journal: Option<Journal>,
}

impl Keeper {
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned(), journal: None }
    }

    /// Opens the journal, if that is to be done, and brings it up to date.
    ///
    /// # Errors
    /// One of both did not work; it is tried again the next time.
    pub(crate) async fn follow(&mut self, store: &SystemStore) -> Result<(), NotFollowed> {
        // One that somebody took away or cut is written anew, from what is there.
        if self.journal.as_ref().is_some_and(Journal::is_cut) {
            self.journal = None;
        }
        if let Some(journal) = &mut self.journal {
            return journal.follow(store).await;
        }
        self.journal.insert(Journal::open(&self.state_dir)?).follow(store).await
    }
}

/// How the journal of this replica goes.
#[derive(Default)]
pub(crate) struct JournalKeeping(Mutex<Option<JournalTrouble>>);

/// It cannot be written, or is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalTrouble {
    /// Since when.
    pub(crate) since: SystemTime,
    /// What is wrong, as one sentence without its end.
    pub(crate) text: String,
}

impl JournalKeeping {
    /// What is wrong with it, if anything is.
    pub(crate) fn trouble(&self) -> Option<JournalTrouble> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the outcome of one look, and says in the log what is new about it.
    ///
    /// # Errors
    /// The database's failure, which is told elsewhere and says nothing about the journal.
    pub(crate) fn note(&self, followed: Result<(), NotFollowed>, now: SystemTime) -> Result<(), StoreError> {
        let mut trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match followed {
            Ok(()) => {
                if trouble.take().is_some() {
                    tracing::info!("the journal of ended devices is kept again");
                }
                Ok(())
            }
            Err(NotFollowed::Store(error)) => Err(error),
            Err(NotFollowed::Journal(error)) => {
                let text = error.to_string();
                if trouble.as_ref().is_none_or(|before| before.text != text) {
                    tracing::error!(error = &error as &dyn std::error::Error, "no journal of ended devices is kept");
                }
                let since = trouble.as_ref().map_or(now, |before| before.since);
                *trouble = Some(JournalTrouble { since, text });
                Ok(())
            }
        }
    }
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(options.create(true).append(true), 0o600);
    let mut file = options.open(path)?;
    let before = file.metadata()?.len();
    let written = file.write_all(text).and_then(|()| file.sync_data());
    if written.is_err() {
        // A full disk may have taken half a line, and the next would follow on it.
        let _still_full = file.set_len(before);
    }
    written
}

/// Takes off what follows the last whole line: the power went while it was written.
fn mend(path: &Path) -> io::Result<()> {
    let content = match std::fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    if whole < content.len() {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(u64::try_from(whole).unwrap_or(u64::MAX))?;
        file.sync_data()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_types::id::OrganizationId;

    fn ended(name: &str) -> EndedDevice {
        EndedDevice {
            device: DeviceId::new(),
            organization: OrganizationId::new(),
            name: name.to_owned(),
            key_hash: vec![7; 32],
            revoked_at: Some(clock::from_ms(1_000)),
            decommissioned_at: None,
            wipe_identity: false,
            deleted_at: None,
        }
    }

    fn sorted(mut devices: Vec<EndedDevice>) -> Vec<EndedDevice> {
        devices.sort_by(|one, other| one.name.cmp(&other.name));
        devices
    }

    #[tokio::test]
    async fn the_last_word_on_each_counts_and_nothing_is_said_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(read(&path).unwrap(), []);
        let (attic, cellar) = (ended("attic"), ended("cellar"));
        let mut journal = Journal::open(folder.path()).unwrap();
        journal.append(&[attic.clone(), cellar.clone()]).await.unwrap();
        journal.append(&[attic.clone(), cellar.clone()]).await.unwrap();
        let gone = EndedDevice { deleted_at: Some(clock::from_ms(2_000)), ..cellar };
        journal.append(std::slice::from_ref(&gone)).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
        assert_eq!(sorted(read(&path).unwrap()), [attic.clone(), gone.clone()]);
        // The next process goes on where this one was.
        let mut journal = Journal::open(folder.path()).unwrap();
        journal.append(&[attic, gone]).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
    }

    #[tokio::test]
    async fn one_that_was_taken_away_or_cut_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut journal = Journal::open(folder.path()).unwrap();
        assert!(!journal.is_cut(), "there is none yet");
        journal.append(&[ended("attic"), ended("cellar")]).await.unwrap();
        assert!(!journal.is_cut());
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(journal.is_cut());
        std::fs::remove_file(&path).unwrap();
        assert!(journal.is_cut());
        assert!(!Journal::open(folder.path()).unwrap().is_cut());
    }

    #[tokio::test]
    async fn a_line_that_was_cut_off_is_taken_off_and_one_in_the_middle_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let (attic, cellar) = (ended("attic"), ended("cellar"));
        Journal::open(folder.path()).unwrap().append(std::slice::from_ref(&attic)).await.unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{{\"device\": \"")).unwrap();
        assert_eq!(read(&path).unwrap(), std::slice::from_ref(&attic));
        let mut journal = Journal::open(folder.path()).unwrap();
        journal.append(std::slice::from_ref(&cellar)).await.unwrap();
        assert_eq!(sorted(read(&path).unwrap()), [attic, cellar]);
        std::fs::write(&path, format!("garbage\n{whole}")).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.starts_with("line 1 of "), "{error}");
    }
}
