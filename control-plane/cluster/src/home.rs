//! Where a cluster lives.

use crate::account::Account;
use crate::error::{ClusterError, IoContext};
use data_encoding::HEXLOWER;
use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The note that says where the cluster is when it could not be in the folder that was asked for.
const NOTE: &str = "where";

/// The folder of one cluster, and whom its Postgres runs as.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    pub(crate) path: PathBuf,
    pub(crate) account: Account,
}

impl Home {
    /// Finds or makes the home for the cluster of `folder`. The home is `folder` itself, or a folder of its own below
    /// `elsewhere` when the user Postgres must run as cannot get into `folder`.
    pub(crate) fn locate(folder: &Path, elsewhere: &Path) -> Result<Self, ClusterError> {
        make_folder(folder, 0o711)?;
        let folder = folder.canonicalize().doing("find", folder)?;
        if let Some(path) = read_note(&folder)? {
            // A note to a folder that is gone means lost data, which must not be mistaken for a new fleet.
            path.canonicalize()
                .doing("find the database, which the file `where` in the state folder places at", &path)?;
            let account = Account::choose(&path.join("data"))?;
            return Ok(Self { path, account });
        }
        let data = folder.join("data");
        let account = Account::choose(&data)?;
        if data.exists() || account.reaches(&folder) {
            return Ok(Self { path: folder, account });
        }
        let path = make_elsewhere(elsewhere, &folder)?;
        Ok(Self { path, account })
    }

    /// Postgres' own data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }
}

/// Makes a folder and those above it, with exactly these permissions; one that exists is left as it is.
pub(crate) fn make_folder(path: &Path, mode: u32) -> Result<(), ClusterError> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o755).create(path).doing("make", path)?;
    // Set again, for the process's mask may have taken bits away.
    std::fs::set_permissions(path, Permissions::from_mode(mode)).doing("protect", path)
}

/// Makes a folder in a place where others may make things too, or accepts the one that is there when nobody but
/// `owner` can have made it or can change it.
pub(crate) fn make_safe_folder(path: &Path, mode: u32, owner: u32) -> Result<(), ClusterError> {
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => return std::fs::set_permissions(path, Permissions::from_mode(mode)).doing("protect", path),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).doing("make", path),
    }
    // Not following links: a link that someone planted is not a folder.
    let metadata = std::fs::symlink_metadata(path).doing("look at", path)?;
    let ours = metadata.is_dir() && metadata.uid() == owner && metadata.mode() & 0o777 == mode;
    if ours { Ok(()) } else { Err(ClusterError::UnsafeFolder { path: path.to_owned() }) }
}

fn read_note(folder: &Path) -> Result<Option<PathBuf>, ClusterError> {
    let note = folder.join(NOTE);
    match std::fs::read_to_string(&note) {
        Ok(text) => Ok(text.lines().find(|line| line.starts_with('/')).map(PathBuf::from)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing("read", &note),
    }
}

fn make_elsewhere(elsewhere: &Path, folder: &Path) -> Result<PathBuf, ClusterError> {
    // Random rather than made from the folder's name: a new state folder of an old name must not find the old data.
    let mut suffix = [0; 6];
    aws_lc_rs::rand::fill(&mut suffix)
        .map_err(|_| std::io::Error::other("no random bytes"))
        .doing("name a folder in", elsewhere)?;
    make_folder(elsewhere, 0o755)?;
    let path = elsewhere.join(format!("postgres-{}", HEXLOWER.encode(&suffix)));
    DirBuilder::new().mode(0o711).create(&path).doing("make", &path)?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o711)).doing("protect", &path)?;
    let origin = path.join("belongs-to");
    std::fs::write(&origin, format!("{}\n", folder.display())).doing("write", &origin)?;
    let text = format!(
        "# The user that Postgres runs as cannot get into this folder, so the database is at:\n{}\n",
        path.display()
    );
    write_durably(&folder.join(NOTE), &text)?;
    tracing::info!(place = %path.display(), "the database is kept elsewhere, where its user can reach it");
    Ok(path)
}

/// Writes a file that is whole after a power cut or not there.
fn write_durably(path: &Path, text: &str) -> Result<(), ClusterError> {
    let new = path.with_extension("new");
    std::fs::write(&new, text).doing("write", &new)?;
    sync(&new)?;
    std::fs::rename(&new, path).doing("put in place", path)?;
    path.parent().map_or(Ok(()), sync)
}

/// Makes a file's content, or a folder's list of names, outlive a power cut.
pub(crate) fn sync(path: &Path) -> Result<(), ClusterError> {
    std::fs::File::open(path).and_then(|file| file.sync_all()).doing("write to disk", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_folder_is_refused() {
        let temp = std::env::temp_dir().join(format!("kaliun-home-test-{}", std::process::id()));
        std::fs::create_dir_all(&temp).unwrap();
        let user = rustix::process::geteuid().as_raw();
        let fine = temp.join("fine");
        make_safe_folder(&fine, 0o700, user).unwrap();
        make_safe_folder(&fine, 0o700, user).unwrap();
        std::fs::set_permissions(&fine, Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(make_safe_folder(&fine, 0o700, user), Err(ClusterError::UnsafeFolder { .. })));
        let link = temp.join("link");
        std::os::unix::fs::symlink(&temp, &link).unwrap();
        assert!(matches!(make_safe_folder(&link, 0o700, user), Err(ClusterError::UnsafeFolder { .. })));
        std::fs::remove_dir_all(&temp).unwrap();
    }
}
