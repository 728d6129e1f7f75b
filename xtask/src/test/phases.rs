//! Phases, what each took, and what there is to say about it.

use crate::talk::{duration, say};
use anyhow::{Context as _, ensure};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Lines of one runner's summary that are kept: one for each test program when cargo runs them.
const MAX_SUMMARY: usize = 100;

/// The phases so far.
#[derive(Debug)]
pub(crate) struct Phases {
    begun_at: Instant,
    done: Vec<Phase>,
}

#[derive(Debug)]
struct Phase {
    name: &'static str,
    took: Duration,
    outcome: Outcome,
    summary: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Passed,
    Failed,
    Skipped,
}

impl Outcome {
    fn of(passed: bool) -> Self {
        if passed { Self::Passed } else { Self::Failed }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        }
    }
}

impl Phases {
    pub(crate) fn new() -> Self {
        Self { begun_at: Instant::now(), done: Vec::new() }
    }

    /// Runs a phase and notes how long it took and the lines it returns.
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        phase: impl FnOnce() -> anyhow::Result<Vec<String>>,
    ) -> anyhow::Result<()> {
        say(&format!("== {name}"));
        let begun_at = Instant::now();
        let result = phase();
        let took = begun_at.elapsed();
        let outcome = Outcome::of(result.is_ok());
        let (summary, result) = match result {
            Ok(summary) => (summary, Ok(())),
            Err(error) => (Vec::new(), Err(error.context(format!("{name} failed")))),
        };
        say(&format!("== {name}: {} in {}", outcome.word(), duration(took)));
        self.done.push(Phase { name, took, outcome, summary });
        result
    }

    /// Notes that a phase is left out, and why: now, and again at the end, where it is read.
    pub(crate) fn skip(&mut self, name: &'static str, why: &str) {
        say(&format!("== {name}: skipped: {why}"));
        let summary = vec![why.to_owned()];
        self.done.push(Phase { name, took: Duration::ZERO, outcome: Outcome::Skipped, summary });
    }

    /// Shows the minutes of each phase.
    pub(crate) fn show(&self, passed: bool) {
        say("");
        for phase in &self.done {
            let minutes = phase.took.as_secs_f64() / 60.0;
            say(&format!("{:<26} {minutes:>6.1} min  {}", phase.name, phase.outcome.word()));
            for line in &phase.summary {
                say(&format!("    {}", line.trim()));
            }
        }
        let total = self.begun_at.elapsed().as_secs_f64() / 60.0;
        say(&format!("{:<26} {total:>6.1} min  {}", "all", Outcome::of(passed).word()));
    }
}

/// Runs a command, shows what it says, and returns the lines that were asked for. Runners speak on both outputs.
pub(crate) fn run_and_collect(command: &mut Command, wanted: fn(&str) -> bool) -> anyhow::Result<Vec<String>> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().context("no standard output")?;
    let stderr = child.stderr.take().context("no standard error")?;
    let (mut lines, more) = std::thread::scope(|scope| {
        let errors = scope.spawn(|| show_and_pick(stderr, wanted));
        let lines = show_and_pick(stdout, wanted);
        (lines, errors.join().unwrap_or_default())
    });
    let status = child.wait().context("cannot wait for cargo")?;
    lines.extend(more);
    for line in &lines {
        // A failed phase shows no summary of its own.
        if !status.success() {
            say(line);
        }
    }
    ensure!(status.success(), "it ended with {status}");
    Ok(lines)
}

fn show_and_pick(output: impl std::io::Read, wanted: fn(&str) -> bool) -> Vec<String> {
    let mut picked = Vec::new();
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        if wanted(&line) && picked.len() < MAX_SUMMARY {
            picked.push(line.clone());
        }
        say(&line);
    }
    picked
}
