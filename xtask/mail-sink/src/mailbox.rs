//! A folder with the newest mails, one file each.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Mails that are kept: a day of somebody who tries things out. Older ones go.
pub const MAILS_MAX: usize = 200;

/// The folder. One process writes it; others may read.
#[derive(Debug, Clone)]
pub struct Mailbox {
    folder: PathBuf,
}

/// A mail that is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// Its number; later ones are greater.
    pub number: u64,
    /// Where it is.
    pub path: PathBuf,
}

impl Mailbox {
    /// The mailbox in a folder, which must exist when the first mail comes.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps a mail, whole or not at all, for nobody but its owner to read: its link may let somebody in.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn put(&self, bytes: &[u8]) -> io::Result<Kept> {
        let kept = self.list()?;
        let number = kept.last().map_or(1, |last| last.number + 1);
        let path = self.folder.join(format!("{number:08}.eml"));
        let new = self.folder.join(".new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        fs::rename(&new, &path)?;
        for old in kept.iter().take((kept.len() + 1).saturating_sub(MAILS_MAX)) {
            fs::remove_file(&old.path)?;
        }
        Ok(Kept { number, path })
    }

    /// The mails that are kept, the oldest first. A folder that is not there has none.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> io::Result<Vec<Kept>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut kept = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".eml")?.parse().ok());
            kept.extend(number.map(|number| Kept { number, path }));
        }
        kept.sort();
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_newest_are_kept_with_growing_numbers() {
        let folder = Folder(std::env::temp_dir().join(format!("kaliun-mailbox-{}", std::process::id())));
        let mailbox = Mailbox::new(folder.0.clone());
        assert!(mailbox.list().unwrap().is_empty(), "there is no folder yet");
        fs::create_dir_all(&folder.0).unwrap();
        fs::write(folder.0.join("notes.txt"), "not a mail").unwrap();
        for number in 1..=MAILS_MAX + 5 {
            mailbox.put(format!("mail {number}").as_bytes()).unwrap();
        }
        let kept = Mailbox::new(folder.0.clone()).list().unwrap();
        assert_eq!(kept.len(), MAILS_MAX);
        assert_eq!(kept.first().unwrap().number, 6);
        let last = kept.last().unwrap();
        assert_eq!(last.number, u64::try_from(MAILS_MAX).unwrap() + 5);
        assert_eq!(fs::read_to_string(&last.path).unwrap(), "mail 205");
    }
}
