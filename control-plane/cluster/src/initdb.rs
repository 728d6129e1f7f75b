//! Making a new cluster.

use crate::account::Account;
use crate::cluster::ADMIN;
use crate::error::{ClusterError, IoContext};
use crate::home::sync;
use crate::programs::Programs;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Command;

/// Makes the data folder with `initdb`, whole or not at all.
pub(crate) fn make_data(programs: &Programs, account: &Account, data: &Path) -> Result<(), ClusterError> {
    let new = data.with_extension("new");
    match std::fs::remove_dir_all(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).doing("remove", &new),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&new).doing("make", &new)?;
    account.give(&new)?;
    let mut command = Command::new(programs.path("initdb"));
    command.arg("--pgdata").arg(&new).args(["--username", ADMIN, "--encoding=UTF8", "--locale=C.UTF-8"]).args([
        "--data-checksums",
        "--auth=trust",
        "--no-instructions",
    ]);
    account.prepare(&mut command);
    let output = command.output().doing("run", &programs.path("initdb"))?;
    if !output.status.success() {
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        let start = text.floor_char_boundary(text.len().saturating_sub(1_000));
        let end = text.get(start..).unwrap_or_default().trim().to_owned();
        return Err(ClusterError::Program { program: "initdb", status: output.status.to_string(), output: end });
    }
    std::fs::rename(&new, data).doing("put in place", data)?;
    data.parent().map_or(Ok(()), sync)
}

/// The major version that made a data folder; none when there is no data yet.
pub(crate) fn data_major(data: &Path) -> Result<Option<u32>, ClusterError> {
    let path = data.join("PG_VERSION");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !data.exists() => return Ok(None),
        Err(error) => return Err(error).doing("read", &path),
    };
    let major = text.trim().parse().map_err(|_| std::io::Error::other("not a version number"));
    major.doing("understand", &path).map(Some)
}
