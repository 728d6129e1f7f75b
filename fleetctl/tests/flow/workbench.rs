//! A place to run fleetctl in: its arguments, its environment and what it printed.

use crate::double::{Double, TOKEN};
use crate::things::NOW_MS;
use kaliun_fleetctl::console::{Console, Screen};
use kaliun_fleetctl::environment::Environment;
use kaliun_fleetctl::{Program, run};
use kaliun_types::secret::SecretText;
use std::ffi::OsString;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// How one run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: u8,
    pub(crate) output: String,
    pub(crate) error: String,
}

/// What a run finds.
pub(crate) struct Workbench {
    pub(crate) environment: Environment,
    pub(crate) input: String,
    pub(crate) can_ask: bool,
    pub(crate) screen: Screen,
    /// Bytes after which the reader of standard output goes away.
    pub(crate) reader_leaves_after: Option<usize>,
}

impl Workbench {
    /// With no server, no token, no terminal, and a configuration file that is not there.
    pub(crate) fn bare(test: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fleetctl").join(test);
        let _was_not_there = std::fs::remove_dir_all(&folder);
        Self {
            environment: Environment { config_file: Some(folder.join("config.toml")), ..Environment::default() },
            input: String::new(),
            can_ask: false,
            screen: Screen::None,
            reader_leaves_after: None,
        }
    }

    /// Signed in to the double by the environment.
    pub(crate) fn at(double: &Double) -> Self {
        let environment = Environment {
            server: Some(double.url.clone()),
            token: Some(SecretText::new(TOKEN.to_owned())),
            ..Environment::default()
        };
        Self { environment, ..Self::bare("unused") }
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.environment.config_file.clone().unwrap()
    }

    /// Runs a command line; words are parted by blanks.
    pub(crate) async fn run(&self, line: &str) -> Ended {
        let output = Kept::new(self.reader_leaves_after);
        let error = Kept::new(None);
        let mut program = Program {
            environment: self.environment.clone(),
            console: Console {
                output: Box::new(output.clone()),
                error: Box::new(error.clone()),
                input: Box::new(Cursor::new(self.input.clone())),
                screen: self.screen,
                can_ask: self.can_ask,
                color: false,
            },
            clock: || NOW_MS,
        };
        let arguments = std::iter::once("fleetctl").chain(line.split_whitespace()).map(OsString::from);
        let code = run(arguments, &mut program).await;
        let ended = Ended { code, output: output.text(), error: error.text() };
        assert!(!ended.output.contains(TOKEN) && !ended.error.contains(TOKEN), "the token was printed: {ended:?}");
        ended
    }

    /// Runs a command line that must succeed, and gives its data.
    pub(crate) async fn output(&self, line: &str) -> String {
        let ended = self.run(line).await;
        assert_eq!(ended.code, 0, "{line}: {}", ended.error);
        ended.output
    }
}

/// A writer whose content outlives it.
#[derive(Clone)]
struct Kept {
    bytes: Arc<Mutex<Vec<u8>>>,
    closes_after: Option<usize>,
}

impl Kept {
    fn new(closes_after: Option<usize>) -> Self {
        Self { bytes: Arc::default(), closes_after }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut kept = self.bytes.lock().unwrap();
        if self.closes_after.is_some_and(|limit| kept.len() >= limit) {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        kept.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
