//! Lines on a terminal that are kept up to date in place: only those that differ are written again.

use crate::console::{Console, Size};
use crate::failure::Failure;

/// Moves the cursor to the beginning of the line `n` lines above.
fn up(lines: usize) -> String {
    if lines == 0 { "\r".to_owned() } else { format!("\u{1b}[{lines}F") }
}

/// Empties the line that the cursor is on.
const CLEAR_LINE: &str = "\u{1b}[2K";
/// Empties everything from the cursor on.
const CLEAR_BELOW: &str = "\u{1b}[J";
/// Empties the screen and goes to its beginning.
const CLEAR_ALL: &str = "\u{1b}[2J\u{1b}[H";

/// What stands on the screen.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    lines: Vec<String>,
    size: Option<Size>,
}

impl Screen {
    /// Brings the screen to show these lines. Each must fit the terminal's width, and all of them its height less one.
    pub(crate) fn show(&mut self, console: &mut Console, lines: Vec<String>) -> Result<(), Failure> {
        let size = console.size();
        if self.size.is_some() && self.size != size {
            // A terminal that was resized has wrapped the old lines in ways that nobody can know.
            console.print(CLEAR_ALL)?;
            self.lines.clear();
        }
        self.size = size;
        if lines == self.lines {
            return Ok(());
        }
        let mut text = up(self.lines.len());
        for (index, line) in lines.iter().enumerate() {
            if self.lines.get(index) != Some(line) {
                text.push_str(CLEAR_LINE);
                text.push_str(line);
            }
            text.push_str("\r\n");
        }
        if lines.len() < self.lines.len() {
            text.push_str(CLEAR_BELOW);
        }
        self.lines = lines;
        console.print(&text)?;
        console.flush()
    }
}
