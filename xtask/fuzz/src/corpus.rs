//! The inputs that fuzzing begins with, and what the targets know: authorities, keys, devices, a chain of bundles. In files, so that a run is
//! the same each time and a finding stays.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Where all of it is.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Where the inputs of a target are.
#[must_use]
pub fn of(target: &str) -> PathBuf {
    folder().join(target)
}

/// The inputs of a target, by name.
///
/// # Errors
/// They cannot be read.
pub fn inputs(target: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut inputs = fs::read_dir(of(target))?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?))
        })
        .collect::<io::Result<Vec<_>>>()?;
    inputs.sort();
    Ok(inputs)
}

/// Something that the targets know.
///
/// # Panics
/// The file is not there: the checkout is not whole.
#[must_use]
pub fn known(file: &str) -> Vec<u8> {
    let path = folder().join("known").join(file);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A list of words that the targets know.
///
/// # Panics
/// The file is not there: the checkout is not whole.
#[must_use]
pub fn known_words(file: &str) -> Vec<String> {
    String::from_utf8_lossy(&known(file)).split_whitespace().map(str::to_owned).collect()
}
