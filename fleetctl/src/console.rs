//! Standard output, error and input of a command, and what is known of the terminal behind them.

use crate::cli::Color;
use crate::environment::Environment;
use crate::failure::{Failure, Kind};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{BufRead, BufReader, BufWriter, IsTerminal as _, Write};

/// What standard output leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// A file, a pipe: lines have no width.
    None,
    /// The process's terminal; its size is asked for each time, for people resize windows.
    Terminal,
    /// A terminal of this size, in characters. For tests.
    Fixed {
        /// Characters in a line.
        columns: usize,
        /// Lines.
        rows: usize,
    },
}

/// Columns and rows of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// Where data, talk and answers go and come from.
pub struct Console {
    /// Data.
    pub output: Box<dyn Write>,
    /// Talk.
    pub error: Box<dyn Write>,
    /// Answers and secrets.
    pub input: Box<dyn BufRead>,
    /// What `output` leads to.
    pub screen: Screen,
    /// Whether a person can answer a question.
    pub can_ask: bool,
    /// Whether colour is wanted; decided by [`Console::decide_color`].
    pub color: bool,
}

impl Console {
    /// The console of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let screen = if std::io::stdout().is_terminal() { Screen::Terminal } else { Screen::None };
        Self {
            output: Box::new(BufWriter::new(std::io::stdout())),
            error: Box::new(std::io::stderr()),
            input: Box::new(BufReader::new(std::io::stdin())),
            screen,
            can_ask: std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
            color: false,
        }
    }

    /// Decides whether to colour: as told, else on a terminal unless `NO_COLOR` is set.
    pub fn decide_color(&mut self, wanted: Color, environment: &Environment) {
        self.color = match wanted {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => self.is_terminal() && !environment.no_color && !environment.dumb_terminal,
        };
    }

    /// Whether data is read by a person.
    pub(crate) fn is_terminal(&self) -> bool {
        self.screen != Screen::None
    }

    /// The terminal's size now; `None` when there is no terminal or it does not say.
    pub(crate) fn size(&self) -> Option<Size> {
        match self.screen {
            Screen::None => None,
            Screen::Fixed { columns, rows } => Some(Size { columns, rows }),
            Screen::Terminal => {
                let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
                (size.ws_col > 0).then(|| Size { columns: size.ws_col.into(), rows: size.ws_row.into() })
            }
        }
    }

    /// Writes data.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.output.write_all(text.as_bytes()).map_err(|error| Failure::from_output(&error))
    }

    /// Writes data and the end of the line.
    pub(crate) fn print_line(&mut self, text: &str) -> Result<(), Failure> {
        self.print(text)?;
        self.print("\n")
    }

    /// Makes sure that what was printed has left.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.output.flush().map_err(|error| Failure::from_output(&error))
    }

    /// Says something to the person. Nobody can be told when standard error itself fails, so that is let be.
    pub fn talk(&mut self, line: &str) {
        let _nobody_to_tell = writeln!(self.error, "{line}").and_then(|()| self.error.flush());
    }

    /// Tells a failure.
    pub(crate) fn report(&mut self, failure: &Failure) {
        if failure.kind != Kind::BrokenPipe {
            self.talk(&format!("error: {}\nhint: {}", failure.message, failure.hint));
        }
    }

    /// Asks for a line of text. Without a person to ask, the answer is a failure with this hint.
    pub(crate) fn ask(&mut self, question: &str, hint: &str) -> Result<String, Failure> {
        if !self.can_ask {
            return Err(Failure::usage(format!("{question}nobody is here to type them"), hint));
        }
        let _nobody_to_tell = write!(self.error, "{question}").and_then(|()| self.error.flush());
        let mut answer = String::new();
        self.input
            .read_line(&mut answer)
            .map_err(|error| Failure::new(Kind::General, format!("cannot read the answer: {error}"), hint))?;
        Ok(answer.trim().to_owned())
    }

    /// Asks for a secret, which the terminal does not show. Without a person to ask, the answer is a failure with this hint.
    pub(crate) fn ask_secret(&mut self, question: &str, hint: &str) -> Result<String, Failure> {
        let shown = Echo::off();
        let answer = self.ask(question, hint);
        if shown.is_some() {
            self.talk("");
        }
        answer
    }

    /// Asks for a yes. Without a person to ask, the answer is a failure that names the flag.
    pub(crate) fn confirm(&mut self, question: &str) -> Result<(), Failure> {
        if !self.can_ask {
            return Err(Failure::usage(format!("{question} Nobody is here to say yes"), "add --yes when you are sure"));
        }
        let _nobody_to_tell = write!(self.error, "{question} [y/N] ").and_then(|()| self.error.flush());
        let mut answer = String::new();
        self.input.read_line(&mut answer).map_err(|error| {
            Failure::new(Kind::General, format!("cannot read the answer: {error}"), "add --yes when you are sure")
        })?;
        if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            return Ok(());
        }
        Err(Failure::new(Kind::General, "left as it is", "answer y to go on"))
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Echo(Termios);

impl Echo {
    /// `None` when standard input is no terminal, which is so in tests.
    fn off() -> Option<Self> {
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        // Flush: what was typed before the question is no answer to it.
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &silent).ok()?;
        Some(Self(before))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _nobody_to_tell = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}
