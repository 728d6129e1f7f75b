//! What a thing must offer to be listed.

use super::table::{Cell, Column};
use super::time::Time;
use serde::Serialize;

/// How a table shows times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Now, milliseconds since the Unix epoch.
    pub(crate) now_ms: i64,
    /// RFC 3339 in place of "3m".
    pub(crate) absolute: bool,
}

impl Moment {
    /// A time's field.
    pub(crate) fn cell(self, time: Option<Time>) -> Cell {
        Cell::optional(time.map(|time| if self.absolute { time.to_string() } else { time.relative(self.now_ms) }))
    }
}

/// A kind of thing that `get` lists. Its serialized form is the JSON contract.
pub(crate) trait Listed: Serialize {
    /// As it stands before the slash in `device/cellar-1`.
    const NOUN: &'static str;
    /// For sentences.
    const PLURAL: &'static str;
    /// All columns, in order.
    const COLUMNS: &'static [Column];

    /// What follows the slash.
    fn reference(&self) -> &str;

    /// Whether other commands take the reference. They do not for what belongs to another organization.
    fn is_named(&self) -> bool {
        true
    }

    /// One field for each of [`Self::COLUMNS`].
    fn row(&self, moment: Moment) -> Vec<Cell>;
}

/// The columns to show.
pub(crate) fn columns<T: Listed>(wide: bool) -> Vec<Column> {
    T::COLUMNS.iter().filter(|column| wide || !column.wide).copied().collect()
}

/// The fields of one thing for the columns shown.
pub(crate) fn cells<T: Listed>(item: &T, shown: &[Column], moment: Moment) -> Vec<Cell> {
    T::COLUMNS
        .iter()
        .zip(item.row(moment))
        .filter(|(column, _)| shown.iter().any(|shown| shown.title == column.title))
        .map(|(_, cell)| cell)
        .collect()
}
