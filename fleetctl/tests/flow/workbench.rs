//! A place to run fleetctl in: its arguments, its environment and what it printed.

use crate::double::{DEVICE_CODE, Double, PERSON, TOKEN};
use crate::things::NOW_MS;
use kaliun_fleetctl::console::{Console, Screen};
use kaliun_fleetctl::environment::Environment;
use kaliun_fleetctl::{Program, run};
use kaliun_types::secret::SecretText;
use std::ffi::OsString;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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

    /// Signed in to the double as a person whose access token is good for so long, in the context `home`.
    pub(crate) fn signed_in(double: &Double, test: &str, access_seconds: i64) -> Self {
        let workbench = Self::bare(test);
        let [access, refresh] = double.world().logins.tokens();
        workbench.write_config(&format!(
            "current = 'home'\n[contexts.home]\nserver = '{}'\n[contexts.home.session]\nemail = '{PERSON}'\n\
             access_token = '{access}'\naccess_expires_at_ms = {}\nrefresh_token = '{refresh}'\nexpires_at_ms = {}\n",
            double.url,
            NOW_MS + access_seconds * 1_000,
            NOW_MS + 86_400_000,
        ));
        workbench
    }

    /// Puts a configuration in place that nobody else can read.
    pub(crate) fn write_config(&self, text: &str) {
        let file = self.config_file();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn config(&self) -> String {
        std::fs::read_to_string(self.config_file()).unwrap()
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.environment.config_file.clone().unwrap()
    }

    /// Runs a command line; words are parted by blanks.
    pub(crate) async fn run(&self, line: &str) -> Ended {
        self.run_words(&line.split_whitespace().collect::<Vec<_>>()).await
    }

    /// Runs a command line of words that may hold blanks.
    pub(crate) async fn run_words(&self, words: &[&str]) -> Ended {
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
            second: Duration::from_millis(1),
        };
        let arguments = std::iter::once("fleetctl").chain(words.iter().copied()).map(OsString::from);
        let code = run(arguments, &mut program).await;
        let ended = Ended { code, output: output.text(), error: error.text() };
        for secret in [TOKEN, DEVICE_CODE, "kas1.", "kar1."] {
            assert!(!ended.output.contains(secret) && !ended.error.contains(secret), "a secret was printed: {ended:?}");
        }
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
