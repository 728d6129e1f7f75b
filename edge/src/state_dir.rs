//! The folder that is a box's identity and memory: mode 0700, its files 0600, each replaced as a whole.

use crate::link::transport::with_sources;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Largest file, bytes. The largest is a trust chain: 128 bundles, the most there are, take less than 200 kB with two authorities in each. 128 of
/// the largest that a bundle may be do not fit; such a chain counts until a restart, and the one stored before it then.
const FILE_MAX_BYTES: u64 = 1024 * 1024;

/// Whether writes are forced to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Survives a power cut. What a real box uses.
    Disk,
    /// Survives the end of the process, not of the machine. For simulated boxes, which end with their machine anyway.
    PageCache,
}

/// A box's folder.
#[derive(Debug, Clone)]
pub struct StateDir {
    root: PathBuf,
    durability: Durability,
}

/// A file operation in the state folder failed.
#[derive(Debug, Error)]
#[error("cannot {operation} {path}", path = .path.display())]
pub struct StateDirError {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl StateDirError {
    /// What the operating system said.
    #[must_use]
    pub fn io_error(&self) -> &io::Error {
        &self.source
    }
}

/// The state folder in the hands of one process; let go when dropped or when the process ends.
#[derive(Debug)]
pub struct StateDirLock {
    _file: File,
}

impl StateDir {
    /// Opens the folder, making it with mode 0700 where it is missing and taking other people's access away.
    ///
    /// # Errors
    /// The folder cannot be made or its mode cannot be set.
    pub fn open(root: &Path, durability: Durability) -> Result<Self, StateDirError> {
        let grown = folders_that_grow(root);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .map_err(|source| failure("create", root, source))?;
        if durability == Durability::Disk {
            // A power cut must not take the folder's name away with all that was forced to disk below it.
            for folder in &grown {
                sync(folder)?;
            }
        }
        let mode = fs::metadata(root).map_err(|source| failure("read", root, source))?.permissions().mode();
        if mode & 0o077 != 0 {
            fs::set_permissions(root, fs::Permissions::from_mode(0o700))
                .map_err(|source| failure("set the mode of", root, source))?;
        }
        Ok(Self { root: root.to_owned(), durability })
    }

    /// A folder below this one, of the same kind.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn subfolder(&self, name: &str) -> Result<Self, StateDirError> {
        Self::open(&self.root.join(name), self.durability)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Whether writes are forced to the disk.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Takes the folder for this process. `None` when another has it.
    ///
    /// # Errors
    /// The lock file cannot be opened.
    pub fn try_lock(&self) -> Result<Option<StateDirLock>, StateDirError> {
        let path = self.root.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|source| failure("open", &path, source))?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(StateDirLock { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(failure("lock", &path, errno.into())),
        }
    }

    /// Reads a file; `None` when there is none.
    ///
    /// # Errors
    /// It cannot be read, or is larger than 1 MB.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StateDirError> {
        let path = self.root.join(name);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failure("read", &path, source)),
            Ok(metadata) if metadata.len() > FILE_MAX_BYTES => {
                return Err(failure("read", &path, too_large()));
            }
            Ok(_) => {}
        }
        fs::read(&path).map(Some).map_err(|source| failure("read", &path, source))
    }

    /// Reads a file that the box can do without. One that cannot be read counts as none: a bad block must not take a box off its fleet.
    #[must_use]
    pub fn read_if_possible(&self, name: &str) -> Option<Vec<u8>> {
        self.read(name).unwrap_or_else(|error| {
            tracing::error!(error = %with_sources(&error), "the file counts as none");
            None
        })
    }

    /// Replaces a file as a whole: after a crash there is the old content or the new one.
    ///
    /// # Errors
    /// It is larger than 1 MB, so that it could not be read back, or it cannot be written, forced to disk or moved into place.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), StateDirError> {
        let path = self.root.join(name);
        if content.len() as u64 > FILE_MAX_BYTES {
            return Err(failure("write", &path, too_large()));
        }
        let temporary = self.root.join(format!("{name}.new"));
        self.write_temporary(&temporary, content).map_err(|source| failure("write", &temporary, source))?;
        fs::rename(&temporary, &path).map_err(|source| failure("replace", &path, source))?;
        self.sync_folder()
    }

    /// Removes a file; one that is not there is no error.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), StateDirError> {
        let path = self.root.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failure("remove", &path, source)),
            Ok(()) | Err(_) => self.sync_folder(),
        }
    }

    /// Removes a folder below this one with all that is in it; one that is not there is no error.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove_folder(&self, name: &str) -> Result<(), StateDirError> {
        let path = self.root.join(name);
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failure("remove", &path, source)),
            Ok(()) | Err(_) => self.sync_folder(),
        }
    }

    /// Forces names that were added or taken away to the disk, where this folder does that.
    ///
    /// # Errors
    /// The folder cannot be opened or synced.
    pub fn sync_folder(&self) -> Result<(), StateDirError> {
        match self.durability {
            Durability::PageCache => Ok(()),
            Durability::Disk => sync(&self.root),
        }
    }

    fn write_temporary(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(content)?;
        match self.durability {
            Durability::Disk => file.sync_all(),
            Durability::PageCache => Ok(()),
        }
    }
}

/// The folders that get a new name in them when a folder is made with all that is missing above it, the lowest first.
fn folders_that_grow(root: &Path) -> Vec<PathBuf> {
    let missing = root.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    let parents = missing.filter_map(Path::parent);
    // What is not below anything is below where the process is.
    parents.map(|parent| if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() }).collect()
}

/// Forces the names in a folder to the disk.
fn sync(folder: &Path) -> Result<(), StateDirError> {
    File::open(folder).and_then(|opened| opened.sync_all()).map_err(|source| failure("sync", folder, source))
}

fn too_large() -> io::Error {
    io::Error::other("it is larger than 1 MB")
}

fn failure(operation: &'static str, path: &Path, source: io::Error) -> StateDirError {
    StateDirError { operation, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_private_and_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(&folder.path().join("box"), Durability::Disk).unwrap();
        state.write("identity", b"one").unwrap();
        state.write("identity", b"two").unwrap();
        assert_eq!(state.read("identity").unwrap().unwrap(), b"two");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(state.path()), 0o700);
        assert_eq!(mode(&state.path().join("identity")), 0o600);
        state.remove("identity").unwrap();
        state.remove("identity").unwrap();
        assert_eq!(state.read("identity").unwrap(), None);
    }

    #[test]
    fn nothing_is_written_that_could_not_be_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
        let largest = vec![7; usize::try_from(FILE_MAX_BYTES).unwrap()];
        state.write("large", &largest).unwrap();
        assert_eq!(state.read("large").unwrap().as_ref(), Some(&largest));
        let error = state.write("large", &[largest.as_slice(), b"x"].concat()).unwrap_err();
        assert!(with_sources(&error).contains("it is larger than 1 MB"), "{error:?}");
        assert_eq!(state.read("large").unwrap(), Some(largest), "the old content stays");
    }

    #[test]
    fn each_folder_with_a_new_name_in_it_is_forced_to_disk() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("var/lib/box");
        let grown = [folder.path().join("var/lib"), folder.path().join("var"), folder.path().to_owned()];
        assert_eq!(folders_that_grow(&root), grown);
        StateDir::open(&root, Durability::Disk).unwrap();
        assert_eq!(folders_that_grow(&root), Vec::<PathBuf>::new());
        assert_eq!(folders_that_grow(Path::new("no-such/box")), [Path::new("no-such"), Path::new(".")]);
    }

    #[test]
    fn other_people_lose_access_to_an_existing_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        StateDir::open(folder.path(), Durability::PageCache).unwrap();
        assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
        let lock = state.try_lock().unwrap();
        assert!(lock.is_some());
        assert!(state.try_lock().unwrap().is_none());
        drop(lock);
        assert!(state.try_lock().unwrap().is_some());
    }
}
