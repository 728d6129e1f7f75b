//! What can go wrong with a private cluster.

use std::path::PathBuf;
use thiserror::Error;

/// A private cluster could not be made, started or stopped.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// No Postgres server programs were found.
    #[error(
        "the Postgres programs initdb and postgres were not found ({searched}); install them (Debian and Ubuntu: \
         `apt-get install postgresql`; its own cluster need not run), name their folder, or give the URL of a database"
    )]
    ProgramsMissing {
        /// Where was looked.
        searched: String,
    },
    /// The programs are of a release that is too old.
    #[error("{} is Postgres {found}; at least {required} is needed", folder.display())]
    ProgramsTooOld {
        /// The folder of the programs.
        folder: PathBuf,
        /// Their major version.
        found: u32,
        /// The smallest major version that will do.
        required: u32,
    },
    /// The data folder was made by another major version and its programs are not here.
    #[error(
        "the data in {} was made by Postgres {data} and this machine has Postgres {programs}; install the programs of \
         Postgres {data} beside it (Debian: `apt-get install postgresql-{data}`), which are then used, or bring the data \
         over with that release's pg_dumpall", folder.display()
    )]
    OtherMajor {
        /// The data folder.
        folder: PathBuf,
        /// The major version of the data.
        data: u32,
        /// The major version of the programs.
        programs: u32,
    },
    /// Another process uses this cluster.
    #[error(
        "another server already uses the database in {} (process {holder}); stop it, or give this one another state folder",
        folder.display()
    )]
    InUse {
        /// The cluster's home.
        folder: PathBuf,
        /// The process that holds the lock, as it wrote itself down.
        holder: String,
    },
    /// There is no account to run Postgres as.
    #[error("Postgres refuses to run as root, and this machine has no account named {tried} to run it as")]
    NoAccount {
        /// The accounts that were looked for.
        tried: String,
    },
    /// The data belongs to another user.
    #[error("{} belongs to user {owner}, and this process runs as user {user}; run as that user or as root", folder.display())]
    OtherOwner {
        /// The data folder.
        folder: PathBuf,
        /// The numeric user that owns it.
        owner: u32,
        /// The numeric user of this process.
        user: u32,
    },
    /// A folder that others can write to, or that is not ours, stands where ours must be.
    #[error("{} is not a folder that only its owner can write to; remove it", path.display())]
    UnsafeFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A program ended badly.
    #[error("{program} failed ({status}): {output}")]
    Program {
        /// The program.
        program: &'static str,
        /// How it ended.
        status: String,
        /// The end of what it said.
        output: String,
    },
    /// Postgres ended before it took connections.
    #[error("Postgres did not start ({status}): {log}")]
    NotStarted {
        /// How it ended.
        status: String,
        /// The end of its log.
        log: String,
    },
    /// A Postgres of an earlier server could not be ended.
    #[error("the Postgres of an earlier server (process {pid}) did not end")]
    OrphanStays {
        /// Its process id.
        pid: i32,
    },
    /// The operating system refused something.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A statement of our own was refused.
    #[error("cannot {action} in the private cluster")]
    Statement {
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: tokio_postgres::Error,
    },
    /// The cluster was stopped while it was starting, or its task is gone.
    #[error("the private cluster was stopped")]
    Stopped,
}

/// Attaches the path and the deed to an error of the operating system.
pub(crate) trait IoContext<T> {
    /// Says what was tried, on what.
    fn doing(self, action: &'static str, path: &std::path::Path) -> Result<T, ClusterError>;
}

impl<T, E: Into<std::io::Error>> IoContext<T> for Result<T, E> {
    fn doing(self, action: &'static str, path: &std::path::Path) -> Result<T, ClusterError> {
        self.map_err(|source| ClusterError::Io { action, path: path.to_owned(), source: source.into() })
    }
}
