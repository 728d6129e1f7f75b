//! What fleetctl remembers of chains that it has verified: where each ended, and which keys signed it. By that the next verification finds
//! a chain that was made anew or cut off by somebody who has the server, its database and its keys.

use super::file::{FOLDER_MODE, beside, folder, location, open_private, replace, unusable};
use crate::environment::Environment;
use crate::failure::{Failure, Kind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Its name, beside the configuration file.
const FILE: &str = "audit-heads.json";

/// The end of a chain, as it was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) incarnation: u64,
    pub(crate) sequence: u64,
    /// Hexadecimal.
    pub(crate) hash: String,
    /// Ids of the keys, hexadecimal.
    pub(crate) keys: Vec<String>,
    pub(crate) verified_at_ms: i64,
}

/// By server and organization, with a blank between.
type Heads = BTreeMap<String, Head>;

/// Where they are.
pub(crate) fn path(environment: &Environment) -> Result<PathBuf, Failure> {
    Ok(location(environment)?.with_file_name(FILE))
}

fn key(server: &str, organization: &str) -> String {
    format!("{server} {organization}")
}

fn read(path: &Path) -> Result<Heads, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Heads::new()),
        Err(error) => return Err(unusable("read", path, &error)),
    };
    serde_json::from_str(&text).map_err(|error| {
        Failure::new(
            Kind::General,
            format!("{}, line {}: {error}", path.display(), error.line()),
            "put back a copy of the file; without it nothing is remembered of the chains that were verified",
        )
    })
}

/// What is remembered of a chain.
pub(crate) fn load(path: &Path, server: &str, organization: &str) -> Result<Option<Head>, Failure> {
    Ok(read(path)?.remove(&key(server, organization)))
}

/// Remembers a chain, while other fleetctl processes wait.
pub(crate) fn save(path: &Path, server: &str, organization: &str, head: Head) -> Result<(), Failure> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(folder(path))
        .map_err(|error| unusable("make the folder of", path, &error))?;
    let lock = open_private(&beside(path, "lock")).map_err(|error| unusable("lock", path, &error))?;
    lock.lock().map_err(|error| unusable("lock", path, &error))?;
    let mut heads = read(path)?;
    heads.insert(key(server, organization), head);
    let text =
        serde_json::to_string_pretty(&heads).map_err(|error| unusable("write", path, &io::Error::other(error)))?;
    replace(path, &text).map_err(|error| unusable("write", path, &error))
}
