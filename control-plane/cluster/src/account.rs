//! Whom Postgres runs as.

use crate::error::{ClusterError, IoContext};
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Accounts that Postgres may run as when we are root, best first.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// The user and group Postgres runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Whether we are root and must become this user.
    switch: bool,
}

impl Account {
    /// Chooses the account for a cluster whose data may exist already at `data`.
    pub(crate) fn choose(data: &Path) -> Result<Self, ClusterError> {
        let user = rustix::process::geteuid().as_raw();
        let owner = std::fs::symlink_metadata(data).ok().map(|metadata| (metadata.uid(), metadata.gid()));
        match owner {
            Some((owner, _)) if user != 0 && owner != user => {
                Err(ClusterError::OtherOwner { folder: data.to_owned(), owner, user })
            }
            // Data that a plain user's server made stays that user's when root runs it.
            Some((uid, gid)) if user == 0 && uid != 0 => Ok(Self { uid, gid, switch: true }),
            _ => Self::for_new_data(),
        }
    }

    /// Chooses the account for a cluster that is yet to be made.
    pub(crate) fn for_new_data() -> Result<Self, ClusterError> {
        let user = rustix::process::geteuid().as_raw();
        if user != 0 {
            return Ok(Self { uid: user, gid: rustix::process::getegid().as_raw(), switch: false });
        }
        let passwd = Path::new("/etc/passwd");
        let text = std::fs::read_to_string(passwd).doing("read", passwd)?;
        ACCOUNTS
            .iter()
            .find_map(|name| find_account(&text, name))
            .map(|(uid, gid)| Self { uid, gid, switch: true })
            .ok_or_else(|| ClusterError::NoAccount { tried: ACCOUNTS.join(" or ") })
    }

    /// Makes a command run as this account, with nothing of our environment.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC").current_dir("/");
        if self.switch {
            // The standard library drops supplementary groups too when root changes the user.
            command.uid(self.uid).gid(self.gid);
        }
    }

    /// Gives a file or folder that we just made to this account. A link is not followed.
    pub(crate) fn give(&self, path: &Path) -> Result<(), ClusterError> {
        if self.switch { lchown(path, Some(self.uid), Some(self.gid)).doing("give away", path) } else { Ok(()) }
    }

    /// Whether this account can pass through every folder on the way to `folder`, which exists, and into it.
    pub(crate) fn reaches(&self, folder: &Path) -> bool {
        if !self.switch {
            return true;
        }
        let Ok(real) = folder.canonicalize() else { return false };
        real.ancestors().all(|step| std::fs::metadata(step).is_ok_and(|metadata| self.may_pass(&metadata)))
    }

    /// The user and group to become; none when Postgres runs as who we are.
    #[cfg(feature = "testing")]
    pub(crate) fn switched(&self) -> Option<(u32, u32)> {
        self.switch.then_some((self.uid, self.gid))
    }

    fn may_pass(&self, metadata: &std::fs::Metadata) -> bool {
        let needed = if metadata.uid() == self.uid {
            0o100
        } else if metadata.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        metadata.mode() & needed != 0
    }
}

/// Reads an account's user and group from the text of `/etc/passwd`.
fn find_account(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        (uid != 0).then_some((uid, gid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_and_root_in_disguise_is_refused() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgres:x:101:104::/var/lib/postgresql:/bin/bash\nnobody:x:0:0::/:\n";
        assert_eq!(find_account(passwd, "postgres"), Some((101, 104)));
        assert_eq!(find_account(passwd, "nobody"), None);
        assert_eq!(find_account(passwd, "absent"), None);
    }
}
