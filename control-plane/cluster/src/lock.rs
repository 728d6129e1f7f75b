//! One server per cluster.

use crate::error::{ClusterError, IoContext};
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Longest note of a holder that is read back, in bytes: a process id.
const MAX_HOLDER: u64 = 32;

/// Held while a server uses a cluster; the kernel releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct ClusterLock {
    _file: File,
}

impl ClusterLock {
    /// Takes the lock in a cluster's home, without waiting.
    pub(crate) fn take(home: &Path) -> Result<Self, ClusterError> {
        let path = home.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .doing("open", &path)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            // The note is a courtesy; the lock is what counts.
            let _ = Read::by_ref(&mut file).take(MAX_HOLDER).read_to_string(&mut holder);
            return Err(ClusterError::InUse { folder: home.to_owned(), holder: holder.trim().to_owned() });
        }
        file.set_len(0).doing("write", &path)?;
        file.rewind().doing("write", &path)?;
        writeln!(file, "{}", std::process::id()).doing("write", &path)?;
        Ok(Self { _file: file })
    }
}
