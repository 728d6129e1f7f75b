//! Where the unix socket stands.

use crate::account::Account;
use crate::error::{ClusterError, IoContext};
use crate::home::make_safe_folder;
use crate::settings::PORT;
use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use std::fs::{DirBuilder, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Longest path of a socket, in bytes. The kernel's limit is 107.
const MAX_SOCKET_PATH: usize = 100;

/// Makes the folder of the socket, which only the account can enter, and says where it is.
pub(crate) fn prepare(home: &Path, account: &Account) -> Result<PathBuf, ClusterError> {
    let folder = home.join("socket");
    let folder = if fits(&folder) { prepare_at_home(&folder)? } else { prepare_short(home, account)? };
    account.give(&folder)?;
    remove_stale_socket(&folder)?;
    Ok(folder)
}

/// The home is ours alone, so what is there was made by us.
fn prepare_at_home(folder: &Path) -> Result<PathBuf, ClusterError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        made => made.doing("make", folder)?,
    }
    std::fs::set_permissions(folder, Permissions::from_mode(0o700)).doing("protect", folder)?;
    Ok(folder.to_owned())
}

fn prepare_short(home: &Path, account: &Account) -> Result<PathBuf, ClusterError> {
    let digest = digest::digest(&digest::SHA256, home.as_os_str().as_bytes());
    let name: String = HEXLOWER.encode(digest.as_ref()).chars().take(12).collect();
    let folder = short_parent().join(format!("kaliun-pg-{name}"));
    // From an earlier start it belongs to the account; when new, to us.
    let owner = match std::fs::symlink_metadata(&folder) {
        Ok(metadata) if metadata.uid() == account.uid => account.uid,
        _ => rustix::process::geteuid().as_raw(),
    };
    make_safe_folder(&folder, 0o700, owner)?;
    Ok(folder)
}

/// A folder with a short name, preferably one where nobody else can make things.
fn short_parent() -> PathBuf {
    let user = rustix::process::geteuid().as_raw();
    let private = match user {
        0 => Some(PathBuf::from("/run")),
        _ => std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
    };
    let is_ours = |path: &PathBuf| {
        let metadata = std::fs::metadata(path);
        path.is_absolute()
            && path.as_os_str().len() < 40
            && metadata
                .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == user && metadata.mode() & 0o022 == 0)
    };
    private.filter(is_ours).unwrap_or_else(|| PathBuf::from("/tmp"))
}

/// Whether a socket in this folder has a path that the kernel takes and the configuration file need not quote.
fn fits(folder: &Path) -> bool {
    let bytes = folder.as_os_str().as_bytes();
    let plain = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(byte));
    plain && bytes.len() + format!("/.s.PGSQL.{PORT}").len() <= MAX_SOCKET_PATH
}

/// Takes away what a killed Postgres left. The caller holds the cluster's lock; a Postgres that still listened there is
/// ended before a new one starts.
fn remove_stale_socket(folder: &Path) -> Result<(), ClusterError> {
    for name in [format!(".s.PGSQL.{PORT}"), format!(".s.PGSQL.{PORT}.lock")] {
        let path = folder.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).doing("remove", &path),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_odd_paths_are_not_used() {
        assert!(fits(Path::new("/var/lib/kaliun-fleet/postgres-0123456789ab/socket")));
        assert!(!fits(Path::new(&format!("/{}", "x".repeat(90)))));
        assert!(!fits(Path::new("/home/a b/socket")));
        assert!(!fits(Path::new("/home/a,b/socket")));
    }
}
