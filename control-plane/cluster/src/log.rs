//! What Postgres says, in a file that does not grow without end.

use crate::error::{ClusterError, IoContext};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Largest log file in bytes. With one older file kept, logs take at most twice this and what is written between checks.
const MAX_LOG: u64 = 8 << 20;

/// Bytes of the log's end that go into an error message: about twenty lines.
const TAIL: u64 = 2_000;

/// The log of one cluster.
#[derive(Debug, Clone)]
pub(crate) struct ServerLog {
    path: PathBuf,
}

impl ServerLog {
    pub(crate) fn in_home(home: &Path) -> Self {
        Self { path: home.join("postgres.log") }
    }

    /// Opens the log for Postgres to write to. Appending keeps writes whole while [`Self::bound`] cuts the file.
    pub(crate) fn open(&self) -> Result<File, ClusterError> {
        OpenOptions::new().create(true).append(true).mode(0o640).open(&self.path).doing("open", &self.path)
    }

    /// Moves a log that grew too large aside. Postgres keeps its open file, so the content is copied and cut.
    pub(crate) fn bound(&self) -> Result<(), ClusterError> {
        match std::fs::metadata(&self.path) {
            Ok(metadata) if metadata.len() > MAX_LOG => {}
            _ => return Ok(()),
        }
        let older = self.path.with_extension("log.1");
        std::fs::copy(&self.path, &older).doing("copy the log to", &older)?;
        let file = OpenOptions::new().write(true).open(&self.path).doing("open", &self.path)?;
        file.set_len(0).doing("cut", &self.path)
    }

    /// How long the log is now, in bytes: where the next start's words begin.
    pub(crate) fn position(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// The last lines since `start`, for an error message. An unreadable log reads as empty.
    pub(crate) fn tail(&self, start: u64) -> String {
        let Ok(mut file) = File::open(&self.path) else { return String::new() };
        let length = self.position();
        let from = start.min(length).max(length.saturating_sub(TAIL));
        let mut text = Vec::new();
        if file.seek(SeekFrom::Start(from)).is_err() || file.take(TAIL).read_to_end(&mut text).is_err() {
            return String::new();
        }
        String::from_utf8_lossy(&text).trim().to_owned()
    }
}
