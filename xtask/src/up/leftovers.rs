//! What outlived a supervisor that was killed.

use crate::up::folder::StateFolder;
use crate::up::parts::NAMES;
use crate::up::process::Ours;
use rustix::process::Signal;
use std::path::PathBuf;
use std::time::Duration;

/// How long a part may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(45);

/// Ends every process of this fleet that still runs; nothing else is ever touched.
pub(crate) async fn end(folder: &StateFolder) -> anyhow::Result<()> {
    for name in NAMES {
        let path = folder.pid_file(name);
        if let Some(process) = Ours::recorded(&path) {
            crate::talk::progress(&format!("ending {name} (process {}) of an earlier run", process.pid()));
            process.end(Signal::TERM, Signal::KILL, PATIENCE).await?;
        }
        let _ = std::fs::remove_file(path);
    }
    for data in database_folders(folder) {
        if let Some(postgres) = Ours::postgres(&data) {
            crate::talk::progress(&format!("ending Postgres (process {}) of an earlier run", postgres.pid()));
            // A fast shutdown, then an immediate one; what was committed is kept by both.
            postgres.end(Signal::INT, Signal::QUIT, PATIENCE).await?;
        }
    }
    Ok(())
}

/// Where the control plane's private Postgres may have its data: in its state folder, or where a note there says.
fn database_folders(folder: &StateFolder) -> Vec<PathBuf> {
    let home = folder.path("control-plane/postgres");
    let note = std::fs::read_to_string(home.join("where")).unwrap_or_default();
    let elsewhere = note.lines().find(|line| line.starts_with('/')).map(PathBuf::from);
    [Some(home), elsewhere].into_iter().flatten().map(|home| home.join("data")).collect()
}
