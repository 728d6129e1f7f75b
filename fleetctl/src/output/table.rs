//! A small table printer: columns as wide as they need, the elastic ones giving way when the terminal is narrow.

use super::style::{Tone, paint};
use super::text;
use crate::console::Console;

/// Characters between columns.
const GAP: usize = 2;
/// An elastic column is not narrowed below this: an ellipsis and a few characters that still tell things apart.
const ELASTIC_MIN: usize = 12;

/// A column's heading and how it behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// In capitals, one word where it can be.
    pub(crate) title: &'static str,
    /// Shown by `-o wide` only.
    pub(crate) wide: bool,
    /// Figures stand at the right.
    pub(crate) right: bool,
    /// Gives way when the terminal is narrow.
    pub(crate) elastic: bool,
    /// Characters of the longest usual content, so that columns do not jump when one row changes.
    pub(crate) least: usize,
}

impl Column {
    /// A column that is always shown.
    pub(crate) const fn new(title: &'static str) -> Self {
        Self { title, wide: false, right: false, elastic: false, least: 0 }
    }

    /// Shown by `-o wide` only.
    pub(crate) const fn wide(self) -> Self {
        Self { wide: true, ..self }
    }

    /// Does not become narrower than this.
    pub(crate) const fn least(self, characters: usize) -> Self {
        Self { least: characters, ..self }
    }

    /// Figures stand at the right.
    pub(crate) const fn right(self) -> Self {
        Self { right: true, ..self }
    }

    /// Gives way when the terminal is narrow.
    pub(crate) const fn elastic(self) -> Self {
        Self { elastic: true, ..self }
    }
}

/// One field of a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

impl Cell {
    /// A field without tone; unsafe characters are replaced, and nothing is shown as a hyphen.
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self::toned(text, Tone::Plain)
    }

    /// A field with a tone.
    pub(crate) fn toned(text: impl AsRef<str>, tone: Tone) -> Self {
        let text = text.as_ref();
        Self { text: if text.is_empty() { "-".to_owned() } else { text::clean(text).into_owned() }, tone }
    }

    /// A field that may be missing.
    pub(crate) fn optional(text: Option<impl AsRef<str>>) -> Self {
        text.map_or_else(|| Self::new(""), Self::new)
    }
}

/// How a table is to be laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// Characters in a line; `None` for no limit.
    pub(crate) width: Option<usize>,
    /// Cut a line that is too long even with all elastic columns narrow.
    pub(crate) clip: bool,
    /// Whether to colour.
    pub(crate) color: bool,
}

impl Layout {
    /// For a console. A wide table keeps all it has: its lines may wrap.
    pub(crate) fn of_console(console: &Console, wide: bool) -> Self {
        Self { width: console.size().map(|size| size.columns), clip: !wide, color: console.color }
    }
}

/// Lays out a heading line and the rows.
pub(crate) fn lines(columns: &[Column], rows: &[Vec<Cell>], layout: Layout) -> Vec<String> {
    let widths = widths(columns, rows, layout);
    let heading: Vec<Cell> = columns.iter().map(|column| Cell::toned(column.title, Tone::Heading)).collect();
    std::iter::once(&heading).chain(rows).map(|row| line(columns, row, &widths, layout)).collect()
}

/// The width of each column, from its content and the room there is.
pub(crate) fn widths(columns: &[Column], rows: &[Vec<Cell>], layout: Layout) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.title.chars().count().max(column.least)).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.text.chars().count());
        }
    }
    let Some(room) = layout.width else { return widths };
    let gaps = GAP * columns.len().saturating_sub(1);
    for (index, column) in columns.iter().enumerate().rev() {
        let total: usize = widths.iter().sum::<usize>() + gaps;
        let excess = total.saturating_sub(room);
        if let Some(width) = widths.get_mut(index)
            && column.elastic
        {
            let least = ELASTIC_MIN.max(column.title.chars().count()).min(*width);
            *width = width.saturating_sub(excess).max(least);
        }
    }
    widths
}

/// Lays out one row.
pub(crate) fn line(columns: &[Column], row: &[Cell], widths: &[usize], layout: Layout) -> String {
    let mut room = if layout.clip { layout.width.unwrap_or(usize::MAX) } else { usize::MAX };
    let mut line = String::new();
    let count = columns.len().min(row.len());
    for (index, ((column, cell), width)) in columns.iter().zip(row).zip(widths).enumerate() {
        let width = (*width).min(room);
        if width == 0 {
            break;
        }
        let shown = text::cut(&cell.text, width);
        let padding = " ".repeat(width - shown.chars().count());
        let painted = paint(&shown, cell.tone, layout.color);
        let last = index + 1 == count;
        match (column.right, last) {
            (true, _) => line.extend([padding.as_str(), painted.as_str()]),
            // No blanks at the end of a line.
            (false, true) => line.push_str(&painted),
            (false, false) => line.extend([painted.as_str(), padding.as_str()]),
        }
        if !last {
            line.push_str(&" ".repeat(GAP));
        }
        room = room.saturating_sub(width + GAP);
    }
    line.truncate(line.trim_end_matches(' ').len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [Column::new("NAME"), Column::new("CPU").right(), Column::new("REASON").elastic()];

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec![Cell::new("cellar-1"), Cell::new("7%"), Cell::new("disk.nearly_full: 8.0 % of the disk is free.")],
            vec![Cell::new("a"), Cell::new("100%"), Cell::new("")],
        ]
    }

    fn check(width: Option<usize>, clip: bool, expected: &[&str]) {
        assert_eq!(lines(&COLUMNS, &rows(), Layout { width, clip, color: false }), expected, "{width:?}");
    }

    #[test]
    fn columns_are_as_wide_as_they_need() {
        let all = [
            "NAME       CPU  REASON",
            "cellar-1    7%  disk.nearly_full: 8.0 % of the disk is free.",
            "a         100%  -",
        ];
        check(None, true, &all);
        check(Some(80), true, &all);
    }

    #[test]
    fn the_elastic_column_gives_way() {
        check(Some(34), true, &["NAME       CPU  REASON", "cellar-1    7%  disk.nearly_full:…", "a         100%  -"]);
    }

    #[test]
    fn a_very_narrow_terminal_cuts_the_line() {
        check(Some(20), true, &["NAME       CPU  REA…", "cellar-1    7%  dis…", "a         100%  -"]);
        check(Some(20), false, &["NAME       CPU  REASON", "cellar-1    7%  disk.nearly…", "a         100%  -"]);
    }

    #[test]
    fn colour_does_not_count_as_width() {
        let row = vec![Cell::toned("ok", Tone::Good), Cell::new("1%"), Cell::new("x")];
        let lines = lines(&COLUMNS, &[row], Layout { width: None, clip: true, color: true });
        assert_eq!(lines.get(1).map(String::as_str), Some("\u{1b}[32mok\u{1b}[39m     1%  x"));
    }
}
