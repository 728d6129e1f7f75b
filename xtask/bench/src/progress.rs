//! What whoever waits for the figures is told.

use std::io::Write as _;

/// Says how far it is, beside the figures.
pub(crate) fn say(text: &str) {
    // A standard error that is closed is no reason to stop.
    let _closed = writeln!(std::io::stderr(), "{text}");
}
