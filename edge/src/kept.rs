//! Whether what counts in memory is on the disk, too. What was verified counts whether or not it can be stored: a full disk must not take a
//! box off its fleet. Whoever holds it tries again to store it.

use crate::link::transport::with_sources;
use crate::state_dir::StateDirError;
use std::time::Duration;

/// When what could not be stored is stored again: a full disk may have room by then.
pub(crate) const STORE_RETRY: Duration = Duration::from_secs(10);

/// How a thing in memory stands to its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Both are the same.
    Stored,
    /// It was changed, and not stored yet.
    Changed,
    /// It was changed, and cannot be stored so far. After a restart the older file counts.
    Unstorable,
}

impl Kept {
    pub(crate) fn is_stored(self) -> bool {
        self == Self::Stored
    }

    /// It is another now.
    pub(crate) fn changed(&mut self) {
        if *self == Self::Stored {
            *self = Self::Changed;
        }
    }

    /// Takes note of a try to store it, and logs the first that failed and the one that helped.
    pub(crate) fn tried(&mut self, what: &'static str, outcome: Result<(), StateDirError>) {
        match outcome {
            Ok(()) => {
                if *self == Self::Unstorable {
                    tracing::info!(what, "stored after all");
                }
                *self = Self::Stored;
            }
            Err(error) => {
                if *self != Self::Unstorable {
                    tracing::error!(what, error = %with_sources(&error), "cannot be stored; it counts until a restart, and is stored as soon as it can be");
                }
                *self = Self::Unstorable;
            }
        }
    }
}
