//! Where the machine keeps its Postgres programs.

use crate::error::ClusterError;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The smallest major version the schema is written for.
const MIN_MAJOR: u32 = 15;

/// Folders that hold one folder per major version, and what follows the version in each.
const VERSIONED: [(&str, &str); 4] =
    [("/usr/lib/postgresql", "bin"), ("/usr/pgsql", "bin"), ("/opt/homebrew/opt", "bin"), ("/usr/libexec", "")];

/// Other folders where distributions put the programs.
const PLAIN: [&str; 3] = ["/usr/local/pgsql/bin", "/usr/libexec/postgresql", "/run/current-system/sw/bin"];

/// A folder with `initdb` and `postgres`, and their major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    folder: PathBuf,
    major: u32,
}

impl Programs {
    /// Looks at one folder.
    ///
    /// # Errors
    /// The folder lacks the programs, or they are too old.
    pub fn in_folder(folder: &Path) -> Result<Self, ClusterError> {
        let missing = || ClusterError::ProgramsMissing { searched: folder.display().to_string() };
        let programs = Self::probe(folder).ok_or_else(missing)?;
        if programs.major < MIN_MAJOR {
            return Err(ClusterError::ProgramsTooOld {
                folder: folder.to_owned(),
                found: programs.major,
                required: MIN_MAJOR,
            });
        }
        Ok(programs)
    }

    /// Finds the programs for data of the major version `wanted`, or the newest ones when there is no data yet.
    ///
    /// # Errors
    /// There are none, or all are too old. Programs of another major version than `wanted` are an answer: the caller
    /// says what to do about it.
    pub fn find(wanted: Option<u32>) -> Result<Self, ClusterError> {
        let folders = candidates();
        let mut found: Vec<Self> = folders.iter().filter_map(|folder| Self::probe(folder)).collect();
        found.sort_by_key(|programs| std::cmp::Reverse(programs.major));
        let best = found.iter().find(|programs| Some(programs.major) == wanted).or_else(|| found.first());
        let Some(best) = best else {
            let searched = "on PATH, in /usr/lib/postgresql/*/bin and in other usual places".to_owned();
            return Err(ClusterError::ProgramsMissing { searched });
        };
        Self::in_folder(&best.folder)
    }

    /// The folder of the programs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Their major version, such as 15.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The path of one program.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn probe(folder: &Path) -> Option<Self> {
        // Links are followed first: Postgres finds its own libraries beside the real program.
        let postgres = folder.join("postgres").canonicalize().ok()?;
        let folder = postgres.parent()?.to_owned();
        if !folder.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(&postgres).arg("--version").env_clear().output().ok()?;
        let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { folder, major })
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    for (parent, rest) in VERSIONED {
        let Ok(entries) = std::fs::read_dir(parent) else { continue };
        folders.extend(entries.flatten().map(|entry| entry.path().join(rest)));
    }
    folders.extend(PLAIN.iter().map(PathBuf::from));
    folders.retain(|folder| folder.is_absolute() && folder.join("postgres").exists());
    folders
}

/// Reads `postgres (PostgreSQL) 15.20 (Debian …)`, also of pre-releases such as `19beta1`.
fn parse_major(text: &str) -> Option<u32> {
    let version = text.split_once("(PostgreSQL) ")?.1;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(parse_major("cockroach 25"), None);
    }

    #[test]
    fn a_folder_without_programs_says_what_to_install() {
        let error = Programs::in_folder(Path::new("/nonexistent")).unwrap_err();
        assert!(error.to_string().contains("apt-get install postgresql"), "{error}");
    }
}
