//! What can go wrong with the database.

use thiserror::Error;
use tokio_postgres::error::SqlState;

/// Classes of SQLSTATE that are the database's own trouble and pass: connection, transaction state (also a standby that does not
/// write yet), rollback, resources (disk, memory, connections), locks, operator, system and input/output.
const TRANSIENT_CLASSES: [&str; 7] = ["08", "25", "40", "53", "55", "57", "58"];

/// A failed operation of the store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// No connection could be had in time.
    #[error("no database connection for {operation}")]
    Pool {
        /// What was to be done.
        operation: &'static str,
        /// Why.
        #[source]
        source: Box<deadpool_postgres::PoolError>,
    },
    /// The database refused a statement or went away.
    #[error("the database failed at {operation}")]
    Database {
        /// What was to be done.
        operation: &'static str,
        /// Why.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The database said nothing for longer than a statement may run.
    #[error("the database did not answer at {operation}")]
    Silent {
        /// What was to be done.
        operation: &'static str,
    },
    /// It would become more than there may be.
    #[error("{what}: at most {most}")]
    TooMany {
        /// What.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// A row breaks our own rules.
    #[error("inconsistent row: {table}.{column} of {id}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: String,
    },
    /// Something with this name is already there.
    #[error("{what} is already there")]
    AlreadyExists {
        /// What.
        what: &'static str,
    },
    /// Somebody else changed it since it was read.
    #[error("{what} was changed by somebody else")]
    Stale {
        /// What.
        what: &'static str,
    },
}

impl StoreError {
    /// Makes the function that wraps a database error with what was being done.
    pub(crate) fn at(operation: &'static str) -> impl Fn(tokio_postgres::Error) -> Self {
        move |source| Self::Database { operation, source }
    }

    /// Whether a second try may succeed: the connection was lost, or two transactions were in each other's way.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Pool { .. } | Self::Silent { .. } => true,
            Self::Database { source, .. } => source.code().is_none_or(|code| {
                TRANSIENT_CLASSES.contains(&code.code().get(..2).unwrap_or_default())
                    // A table made later, such as the partition of an hour.
                    || *code == SqlState::CHECK_VIOLATION
            }),
            Self::TooMany { .. } | Self::Inconsistent { .. } | Self::AlreadyExists { .. } | Self::Stale { .. } => false,
        }
    }

    /// Turns a violated unique constraint into `AlreadyExists`.
    pub(crate) fn unless_duplicate(self, what: &'static str) -> Self {
        match &self {
            Self::Database { source, .. } if source.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                Self::AlreadyExists { what }
            }
            Self::Database { .. }
            | Self::Pool { .. }
            | Self::Silent { .. }
            | Self::TooMany { .. }
            | Self::Inconsistent { .. }
            | Self::AlreadyExists { .. }
            | Self::Stale { .. } => self,
        }
    }
}
