//! Reading and replacing the configuration file.

use super::Config;
use crate::environment::Environment;
use crate::failure::{Failure, Kind};
use kaliun_types::text::line_of;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// Readable and writable by its owner alone.
const FILE_MODE: u32 = 0o600;
pub(super) const FOLDER_MODE: u32 = 0o700;
/// Bits that let others in.
const OTHERS_MASK: u32 = 0o077;
/// How often a lock that another process holds is tried again: faster than a person notices.
const LOCK_AGAIN: Duration = Duration::from_millis(20);

/// A configuration as it was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// Something the person should know.
    pub(crate) warning: Option<String>,
}

/// Where the file is: `FLEETCTL_CONFIG`, else `kaliun/fleetctl.toml` in the user's configuration folder.
pub(crate) fn location(environment: &Environment) -> Result<PathBuf, Failure> {
    let folder =
        || environment.config_home.clone().or_else(|| environment.home.as_ref().map(|home| home.join(".config")));
    environment
        .config_file
        .clone()
        .or_else(|| folder().map(|folder| folder.join("kaliun").join("fleetctl.toml")))
        .ok_or_else(|| {
            Failure::new(Kind::General, "there is no home folder to keep contexts in", "set FLEETCTL_CONFIG")
        })
}

/// Reads the file; an absent one is empty.
pub(crate) fn load(path: &Path) -> Result<Loaded, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Loaded { config: Config::default(), warning: None });
        }
        Err(error) => return Err(unusable("read", path, &error)),
    };
    // The parser's message quotes the line that is wrong, which may hold a token, so only its place is told.
    let config = toml::from_str(&text).map_err(|error| {
        let line = line_of(&text, error.span().map_or(0, |span| span.start));
        Failure::new(
            Kind::General,
            format!("{}, line {line}: {}", path.display(), error.message()),
            "correct that line, or move the file away and run `fleetctl login` again",
        )
    })?;
    let warning = fs::metadata(path)
        .ok()
        .filter(|metadata| metadata.permissions().mode() & OTHERS_MASK != 0)
        .map(|_| format!("warning: others can read the tokens in {0}; run `chmod 600 {0}`", path.display()));
    Ok(Loaded { config, warning })
}

/// Reads, changes and replaces the file, while other fleetctl processes wait.
pub(crate) fn change<T>(path: &Path, edit: impl FnOnce(&mut Config) -> Result<T, Failure>) -> Result<T, Failure> {
    let (path, lock) = lock_file(path)?;
    lock.lock().map_err(|error| unusable("lock", &path, &error))?;
    let locked = Locked { path, _lock: lock };
    let mut config = locked.load()?;
    let result = edit(&mut config)?;
    locked.replace(&config)?;
    Ok(result)
}

/// The file, kept from other fleetctl processes until this is dropped.
#[derive(Debug)]
pub(crate) struct Locked {
    path: PathBuf,
    _lock: File,
}

impl Locked {
    /// Waits for other fleetctl processes, at most so long: one of them may be waiting for a server's answer.
    pub(crate) async fn wait(path: &Path, longest: Duration) -> Result<Self, Failure> {
        let (path, lock) = lock_file(path)?;
        let deadline = Instant::now() + longest;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { path, _lock: lock }),
                Err(TryLockError::Error(error)) => return Err(unusable("lock", &path, &error)),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(Failure::new(
                        Kind::Timeout,
                        format!("another fleetctl has kept {} for {longest:?}", path.display()),
                        "try again when it has ended, or allow more time with --timeout",
                    ));
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_AGAIN).await,
            }
        }
    }

    /// Reads the file as it is now.
    pub(crate) fn load(&self) -> Result<Config, Failure> {
        Ok(load(&self.path)?.config)
    }

    /// Finds out whether a new file can be written, before something is done that must be remembered.
    pub(crate) fn check_writable(&self) -> Result<(), Failure> {
        open_private(&beside(&self.path, "new")).map(drop).map_err(|error| unusable("write", &self.path, &error))
    }

    /// Puts a new file in the old one's place.
    pub(crate) fn replace(&self, config: &Config) -> Result<(), Failure> {
        let text = toml::to_string(config).map_err(|error| unusable("write", &self.path, &io::Error::other(error)))?;
        replace(&self.path, &text).map_err(|error| unusable("write", &self.path, &error))
    }
}

/// Opens what processes lock in place of the file, which is another one after each change.
fn lock_file(path: &Path) -> Result<(PathBuf, File), Failure> {
    // A configuration kept elsewhere behind a symbolic link stays there.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    fs::DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(folder(&path))
        .map_err(|error| unusable("make the folder of", &path, &error))?;
    let lock = open_private(&beside(&path, "lock")).map_err(|error| unusable("lock", &path, &error))?;
    Ok((path, lock))
}

pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new_path = beside(path, "new");
    let mut new = open_private(&new_path)?;
    // A file left over from a crash may be longer, and may have another mode.
    new.set_len(0)?;
    new.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
    new.write_all(text.as_bytes())?;
    new.sync_all()?;
    fs::rename(&new_path, path)?;
    File::open(folder(path))?.sync_all()
}

pub(super) fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(FILE_MODE).open(path)
}

pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

pub(super) fn unusable(doing: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Kind::General,
        format!("cannot {doing} {}: {error}", path.display()),
        "see that the folder exists and is yours, or set FLEETCTL_CONFIG",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_another_keeps_is_waited_for_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleetctl.toml");
        let held = Locked::wait(&path, Duration::ZERO).await.unwrap();
        let late = Locked::wait(&path, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(late.kind, Kind::Timeout, "{}", late.message);
        let (second, ()) = tokio::join!(Locked::wait(&path, Duration::from_secs(60)), async { drop(held) });
        assert!(second.is_ok());
        let mode = fs::metadata(beside(&path, "lock")).unwrap().permissions().mode();
        assert_eq!(mode & OTHERS_MASK, 0);
    }
}
