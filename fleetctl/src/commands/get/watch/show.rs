//! The three ways of showing changes: JSON lines, rows one after another, and a table that stays in place.

use super::roster::{Change, ChangeKind, Roster};
use crate::Program;
use crate::cli::Format;
use crate::failure::Failure;
use crate::output::listed::{self, Moment};
use crate::output::screen::Screen;
use crate::output::style::{Tone, paint};
use crate::output::table::{self, Cell, Column, Layout};
use crate::output::text::cut;
use crate::output::{print_document, print_json_line};
use crate::view::device::Device;
use std::collections::BTreeMap;

/// How many rows are laid out when the terminal does not say its height.
const ROWS_DEFAULT: usize = 24;

/// A way of showing changes.
pub(super) enum Show {
    /// For programs: one document for each change.
    Documents(Format),
    /// For logs and pipes: one row for each change.
    Rows(Rows),
    /// For a person: a table that stays in place.
    Table(Table),
}

/// Rows one after another.
pub(super) struct Rows {
    wide: bool,
    widths: Vec<usize>,
    /// What was printed last for each device, without what only grows older.
    printed: BTreeMap<String, Vec<Cell>>,
    /// Rows held back until the first state is complete, so that columns fit all of them.
    waiting: Option<Vec<Change>>,
}

/// A table that stays in place.
pub(super) struct Table {
    wide: bool,
    screen: Screen,
    /// What is wrong with the connection at the moment.
    trouble: Option<String>,
}

impl Show {
    /// Chooses by what was asked for and what standard output leads to.
    pub(super) fn new(program: &Program, format: Format) -> Result<Self, Failure> {
        let wide = format == Format::Wide;
        match format {
            Format::Json | Format::Yaml => Ok(Self::Documents(format)),
            Format::Name => Err(Failure::usage("names cannot be watched", "use -o table or -o json with --watch")),
            Format::Table | Format::Wide if program.console.is_terminal() => {
                Ok(Self::Table(Table { wide, screen: Screen::default(), trouble: None }))
            }
            Format::Table | Format::Wide => {
                Ok(Self::Rows(Rows { wide, widths: Vec::new(), printed: BTreeMap::new(), waiting: Some(Vec::new()) }))
            }
        }
    }

    /// Whether it stays in place and so wants to be refreshed.
    pub(super) const fn is_table(&self) -> bool {
        matches!(self, Self::Table(_))
    }

    /// Shows changes as they come. The table waits for [`Show::refresh`].
    pub(super) fn changes(&mut self, program: &mut Program, changes: Vec<Change>) -> Result<(), Failure> {
        match self {
            Self::Documents(Format::Yaml) => {
                for change in changes {
                    program.console.print_line("---")?;
                    print_document(program, Format::Yaml, &change)?;
                }
                program.console.flush()
            }
            Self::Documents(_) => changes.iter().try_for_each(|change| print_json_line(program, change)),
            Self::Rows(rows) => rows.changes(program, changes),
            Self::Table(_) => Ok(()),
        }
    }

    /// Brings a table that stays in place up to date.
    pub(super) fn refresh(
        &mut self,
        program: &mut Program,
        roster: &Roster,
        sorted: &[&Device],
    ) -> Result<(), Failure> {
        match self {
            Self::Table(table) => table.refresh(program, roster, sorted),
            Self::Documents(_) | Self::Rows(_) => Ok(()),
        }
    }

    /// Says why there are no changes for now. A pipe is told once each time; in a table the newest reason stands.
    pub(super) fn trouble(&mut self, program: &mut Program, failure: &Failure, already_told: bool) {
        let text = format!("{}; trying again", failure.message);
        match self {
            Self::Table(table) => table.trouble = Some(text),
            Self::Documents(_) | Self::Rows(_) if already_told => {}
            Self::Documents(_) | Self::Rows(_) => program.console.talk(&format!("warning: {text}")),
        }
    }

    /// Says that the changes are followed again.
    pub(super) fn well_again(&mut self, program: &mut Program) {
        match self {
            Self::Table(table) => table.trouble = None,
            Self::Documents(_) | Self::Rows(_) => program.console.talk("The changes are followed again."),
        }
    }
}

impl Rows {
    fn changes(&mut self, program: &mut Program, changes: Vec<Change>) -> Result<(), Failure> {
        for change in changes {
            match &mut self.waiting {
                Some(waiting) if change.kind == ChangeKind::CaughtUp => {
                    let waiting = std::mem::take(waiting);
                    self.waiting = None;
                    self.first(program, waiting)?;
                }
                Some(waiting) => waiting.push(change),
                None => self.one(program, &change)?,
            }
        }
        program.console.flush()
    }

    /// Prints the heading and the first state, with columns that fit it.
    fn first(&mut self, program: &mut Program, changes: Vec<Change>) -> Result<(), Failure> {
        let columns = self.columns();
        let rows: Vec<Vec<Cell>> =
            changes.iter().filter_map(|change| self.row(change, (program.clock)(), false)).collect();
        self.widths = table::widths(&columns, &rows, UNLIMITED);
        let heading: Vec<Cell> = columns.iter().map(|column| Cell::new(column.title)).collect();
        let heading = table::line(&columns, &heading, &self.widths, UNLIMITED);
        program.console.print_line(&heading)?;
        changes.iter().try_for_each(|change| self.one(program, change))
    }

    fn one(&mut self, program: &mut Program, change: &Change) -> Result<(), Failure> {
        let Some(device) = &change.device else { return Ok(()) };
        // With absolute times a row differs only when something happened.
        let steady = self.row(change, 0, true).unwrap_or_default().split_off(1);
        let before = if change.kind == ChangeKind::Removed {
            self.printed.remove(&device.id);
            None
        } else {
            self.printed.insert(device.id.clone(), steady.clone())
        };
        if before.as_ref() == Some(&steady) {
            return Ok(());
        }
        let columns = self.columns();
        let Some(row) = self.row(change, (program.clock)(), false) else { return Ok(()) };
        for (width, cell) in self.widths.iter_mut().zip(&row) {
            *width = (*width).max(cell.text.chars().count());
        }
        let line = table::line(&columns, &row, &self.widths, UNLIMITED);
        program.console.print_line(&line)
    }

    fn columns(&self) -> Vec<Column> {
        let mut columns = vec![Column::new("CHANGE")];
        columns.extend(listed::columns::<Device>(self.wide));
        columns
    }

    fn row(&self, change: &Change, now_ms: i64, steady: bool) -> Option<Vec<Cell>> {
        let device = change.device.as_ref()?;
        let moment = Moment { now_ms, absolute: self.wide || steady };
        let mut row = vec![Cell::new(change.kind.word())];
        row.extend(listed::cells(device, &listed::columns::<Device>(self.wide), moment));
        Some(row)
    }
}

const UNLIMITED: Layout = Layout { width: None, clip: false, color: false };

impl Table {
    fn refresh(&mut self, program: &mut Program, roster: &Roster, devices: &[&Device]) -> Result<(), Failure> {
        let rows = program.console.size().map_or(ROWS_DEFAULT, |size| size.rows);
        // The heading, the summary and the line that the cursor stands on.
        let room = rows.saturating_sub(3).max(1);
        let moment = Moment { now_ms: (program.clock)(), absolute: self.wide };
        let columns = listed::columns::<Device>(self.wide);
        let cells: Vec<Vec<Cell>> =
            devices.iter().take(room).map(|device| listed::cells(*device, &columns, moment)).collect();
        // A line that wraps could not be found again.
        let layout = Layout { clip: true, ..Layout::of_console(&program.console, self.wide) };
        let mut lines = table::lines(&columns, &cells, layout);
        let summary = self.summary(roster, devices.len(), devices.len().saturating_sub(room));
        let tone = if self.trouble.is_some() { Tone::Bad } else { Tone::Faint };
        lines.push(paint(&cut(&summary, layout.width.unwrap_or(usize::MAX)), tone, layout.color));
        self.screen.show(&mut program.console, lines)
    }

    fn summary(&self, roster: &Roster, shown: usize, hidden: usize) -> String {
        if let Some(trouble) = &self.trouble {
            return trouble.clone();
        }
        if !roster.is_caught_up() {
            return "Reading…".to_owned();
        }
        let mut text = match roster.summary() {
            Some(summary) => {
                let mut text = format!("{}: {} online", count_of(summary.total), summary.online);
                let counts = [
                    (summary.ok, "ok"),
                    (summary.degraded, "degraded"),
                    (summary.critical, "critical"),
                    (summary.stale, "stale"),
                    (summary.unknown, "unknown"),
                    (summary.revoked, "revoked"),
                ];
                for (count, word) in counts.into_iter().filter(|(count, _)| *count > 0) {
                    text.push_str(&format!(", {count} {word}"));
                }
                text
            }
            None => count_of(shown),
        };
        if hidden > 0 {
            text.push_str(&format!(" ({hidden} below the screen's end)"));
        }
        text
    }
}

fn count_of(devices: impl std::fmt::Display) -> String {
    let count = devices.to_string();
    let word = if count == "1" { "device" } else { "devices" };
    format!("{count} {word}")
}
