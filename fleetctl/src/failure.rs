//! What went wrong, in one form: a kind that decides the exit code, one line that says it, one line that says what to do.

mod status;

pub(crate) use status::from_status;

use std::sync::Arc;
use thiserror::Error;
use tonic::{Code, Status};

/// Kinds of ends, each with its exit code. The codes are part of the contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Done.
    Success,
    /// The reader of the output went away. Not a fault.
    BrokenPipe,
    /// Anything that has no code of its own.
    General,
    /// The command line or a value on it is wrong.
    Usage,
    /// The thing that was named does not exist.
    NotFound,
    /// Not signed in, or not allowed.
    Denied,
    /// It exists already, or changed meanwhile.
    Conflict,
    /// Its state does not allow this.
    State,
    /// No answer in time.
    Timeout,
    /// Some of several things failed.
    Partial,
    /// What was looked for is there: something is wrong.
    Found,
    /// A person ended it with Ctrl-C.
    Interrupted,
}

impl Kind {
    /// The exit code of the process.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Success | Self::BrokenPipe => 0,
            Self::General => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Denied => 4,
            Self::Conflict | Self::State => 5,
            Self::Timeout => 6,
            Self::Partial => 7,
            Self::Found => 8,
            // As shells say of a program that ended by SIGINT: 128 and 2.
            Self::Interrupted => 130,
        }
    }
}

/// A command's failure.
#[derive(Debug, Clone, Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// Decides the exit code.
    pub(crate) kind: Kind,
    /// One line: what did not work.
    pub(crate) message: String,
    /// One line: what to do next.
    pub(crate) hint: String,
}

impl Failure {
    /// Makes a failure; texts are cut to one line each.
    pub(crate) fn new(kind: Kind, message: impl AsRef<str>, hint: impl AsRef<str>) -> Self {
        Self { kind, message: one_line(message.as_ref()), hint: one_line(hint.as_ref()) }
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl AsRef<str>, hint: impl AsRef<str>) -> Self {
        Self::new(Kind::Usage, message, hint)
    }

    /// Replaces the hint of a thing that was not found: where to look depends on its kind.
    pub(crate) fn not_found_hint(self, hint: &str) -> Self {
        if self.kind == Kind::NotFound { Self { hint: hint.to_owned(), ..self } } else { self }
    }

    /// Replaces the hint where a state does not allow something: where to look at the state depends on the thing.
    pub(crate) fn state_hint(self, hint: &str) -> Self {
        if self.kind == Kind::State { Self { hint: hint.to_owned(), ..self } } else { self }
    }

    /// Replaces the hint where something is there already: what to do about it depends on the thing.
    pub(crate) fn conflict_hint(self, hint: &str) -> Self {
        if self.kind == Kind::Conflict { Self { hint: hint.to_owned(), ..self } } else { self }
    }

    /// Packs it into a status, for the way through a generated client. [`from_status`] unpacks it.
    pub(crate) fn carried(self, code: Code) -> Status {
        let mut status = Status::new(code, self.message.clone());
        status.set_source(Arc::new(self));
        status
    }

    /// Writing to standard output failed.
    pub(crate) fn from_output(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(Kind::BrokenPipe, "the reader went away", "nothing to do");
        }
        Self::new(Kind::General, format!("cannot write the output: {error}"), "see whether the disk is full")
    }
}

/// What failed of several things that were asked for, told one by one and summed up at the end.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    succeeded: usize,
    failures: Vec<Failure>,
}

impl Tally {
    /// Counts one success.
    pub(crate) fn success(&mut self) {
        self.succeeded += 1;
    }

    /// Keeps one failure.
    pub(crate) fn failure(&mut self, failure: Failure) {
        self.failures.push(failure);
    }

    /// How all of it ended: a single failure as it is, several with one exit code as the last, a mixture as a partial failure.
    /// The failures that the answer does not carry are handed to `tell`.
    pub(crate) fn finish(mut self, mut tell: impl FnMut(&Failure)) -> Result<(), Failure> {
        let Some(last) = self.failures.pop() else { return Ok(()) };
        if self.failures.is_empty() && self.succeeded == 0 {
            return Err(last);
        }
        let failed = self.failures.len() + 1;
        self.failures.iter().for_each(&mut tell);
        let same_code = self.failures.iter().all(|failure| failure.kind.exit_code() == last.kind.exit_code());
        if self.succeeded == 0 && same_code {
            return Err(last);
        }
        tell(&last);
        let all = failed + self.succeeded;
        Err(Failure::new(
            Kind::Partial,
            format!("{failed} of {all} failed"),
            "mend what is named above and run it again for those",
        ))
    }
}

/// Turns clap's complaint into ours: its message, and a hint in place of its last line.
pub(crate) fn from_clap(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut parts = text.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
    let message = parts.next().unwrap_or("the command line is wrong");
    let message = message.strip_prefix("error:").unwrap_or(message);
    let usage = parts.find_map(|part| part.strip_prefix("Usage:")).map(one_line);
    let hint = match usage {
        Some(usage) => format!("usage: {usage}; --help says more"),
        None => "see `fleetctl --help`".to_owned(),
    };
    Failure::usage(message, hint)
}

fn one_line(text: &str) -> String {
    crate::output::text::clean(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(succeeded: usize, kinds: &[Kind], expected: Option<Kind>, expected_told: usize) {
        let mut tally = Tally::default();
        (0..succeeded).for_each(|_| tally.success());
        kinds.iter().for_each(|kind| tally.failure(Failure::new(*kind, "x", "y")));
        let mut told = 0;
        let end = tally.finish(|_| told += 1);
        assert_eq!(end.err().map(|failure| failure.kind), expected, "{succeeded} {kinds:?}");
        assert_eq!(told, expected_told, "{succeeded} {kinds:?}");
    }

    #[test]
    fn several_ends_become_one() {
        check(2, &[], None, 0);
        check(0, &[Kind::NotFound], Some(Kind::NotFound), 0);
        check(0, &[Kind::NotFound, Kind::NotFound], Some(Kind::NotFound), 1);
        check(0, &[Kind::Conflict, Kind::State], Some(Kind::State), 1);
        check(1, &[Kind::NotFound], Some(Kind::Partial), 1);
        check(0, &[Kind::NotFound, Kind::Denied], Some(Kind::Partial), 2);
    }

    #[test]
    fn a_message_stays_on_its_line_and_cannot_drive_the_terminal() {
        let failure = Failure::new(Kind::General, "two\nlines \u{1b}[2J", "x");
        assert_eq!(failure.message, "two lines \u{fffd}[2J");
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let kinds = [
            Kind::Success,
            Kind::General,
            Kind::Usage,
            Kind::NotFound,
            Kind::Denied,
            Kind::Conflict,
            Kind::Timeout,
            Kind::Partial,
            Kind::Found,
        ];
        assert_eq!(kinds.map(Kind::exit_code), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((Kind::BrokenPipe.exit_code(), Kind::State.exit_code()), (0, 5));
        assert_eq!(Kind::Interrupted.exit_code(), 130);
    }
}
