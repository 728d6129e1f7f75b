//! What the program is told: by a file, then by the environment, then by flags; the later one wins.

use crate::agent::AgentConfig;
use crate::homeassistant::probe::{HomeAssistantAddress, InvalidHomeAssistantAddress};
use crate::server_address::{InvalidServerAddress, ServerAddress};
use clap::Args;
use kaliun_types::join_token::parse_hash;
use kaliun_types::secret::SecretText;
use kaliun_types::text::line_of;
use serde::Deserialize;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Where a box keeps its state when nobody says otherwise.
const STATE_DIR_DEFAULT: &str = "/var/lib/kaliun-edge";

/// Bounds of the time between samples, milliseconds: as settings from the control plane have, and 100 ms for tests.
const SAMPLE_INTERVAL_MS: std::ops::RangeInclusive<u64> = 100..=3_600_000;

/// Largest file with a secret, bytes.
const SECRET_MAX_BYTES: u64 = 64 * 1024;

/// Every key there is. The same names serve as keys of the file, flags, and `KALIUN_EDGE_<KEY>` in the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Layer {
    /// Folder with the box's identity and spool [default: /var/lib/kaliun-edge]
    #[arg(long, value_name = "DIR", env = "KALIUN_EDGE_STATE_DIR", global = true)]
    pub state_dir: Option<PathBuf>,
    /// The control plane's device listener: `https://HOST[:PORT]`
    #[arg(long, value_name = "URL", env = "KALIUN_EDGE_SERVER", global = true)]
    pub server: Option<String>,
    /// File with a join token; without one the box shows a claim code
    #[arg(long, value_name = "FILE", env = "KALIUN_EDGE_JOIN_TOKEN_FILE", global = true)]
    pub join_token_file: Option<PathBuf>,
    /// SHA-256 of the control plane's first trust bundle, 64 hexadecimal digits; needed without a join token
    #[arg(long, value_name = "HEX", env = "KALIUN_EDGE_TRUST_HASH", global = true)]
    pub trust_hash: Option<String>,
    /// Home Assistant on this box's network: `http://HOST[:PORT]`
    #[arg(long, value_name = "URL", env = "KALIUN_EDGE_HOME_ASSISTANT_URL", global = true)]
    pub home_assistant_url: Option<String>,
    /// File with a long-lived token of Home Assistant, to see its state and version
    #[arg(long, value_name = "FILE", env = "KALIUN_EDGE_HOME_ASSISTANT_TOKEN_FILE", global = true)]
    pub home_assistant_token_file: Option<PathBuf>,
    /// Terminal device that shows claim codes and check characters, such as /dev/tty1 [default: standard output, if it is a terminal]
    #[arg(long, value_name = "FILE", env = "KALIUN_EDGE_CONSOLE", global = true)]
    pub console: Option<PathBuf>,
    /// Time between samples, milliseconds, whatever the control plane says
    #[arg(long, value_name = "MS", env = "KALIUN_EDGE_SAMPLE_INTERVAL_MS", global = true)]
    pub sample_interval_ms: Option<u64>,
    /// What to log: a level, or directives such as `info,kaliun_edge=debug` [default: info]
    #[arg(long, value_name = "FILTER", env = "KALIUN_EDGE_LOG", global = true)]
    pub log: Option<String>,
}

/// A configuration that was checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Folder with the box's identity and spool.
    pub state_dir: PathBuf,
    /// What the agent is told.
    pub agent: AgentConfig,
    /// Where Home Assistant is; `None` where none is set up.
    pub home_assistant: Option<HomeAssistantAddress>,
    /// The device of the terminal that somebody stands before.
    pub console: Option<PathBuf>,
}

/// The configuration is wrong. Names the key.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{key}: cannot read {path}", path = .path.display())]
    Read {
        /// The key that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configuration file is no TOML, or has a key that does not exist.
    #[error("config: {path}, line {line}: {problem}", path = .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
        /// What is wrong. The parser's own words would quote the line, which may hold a token.
        problem: String,
    },
    /// Nothing says where the control plane is.
    #[error("server: not given; use --server https://HOST:PORT, KALIUN_EDGE_SERVER or `server` in the file")]
    NoServer,
    /// No address of a control plane.
    #[error("server")]
    Server(#[from] InvalidServerAddress),
    /// No hash.
    #[error("trust_hash: expected 64 hexadecimal digits")]
    TrustHash,
    /// No address of a Home Assistant.
    #[error("home_assistant_url")]
    HomeAssistant(#[from] InvalidHomeAssistantAddress),
    /// A token without an address.
    #[error("home_assistant_token_file: given without home_assistant_url")]
    TokenWithoutAddress,
    /// The terminal's device cannot be written to.
    #[error("console: cannot open {path} for writing", path = .path.display())]
    Console {
        /// The device.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Out of bounds.
    #[error("sample_interval_ms: expected 100 to 3,600,000")]
    SampleInterval,
}

impl Layer {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// It cannot be read, is no TOML, or has a key that does not exist.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            key: "config",
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|error| ConfigError::Parse {
            path: path.to_owned(),
            line: line_of(&text, error.span().map_or(0, |span| span.start)),
            problem: error.message().to_owned(),
        })
    }

    /// This layer over another one.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            state_dir: self.state_dir.or(below.state_dir),
            server: self.server.or(below.server),
            join_token_file: self.join_token_file.or(below.join_token_file),
            trust_hash: self.trust_hash.or(below.trust_hash),
            home_assistant_url: self.home_assistant_url.or(below.home_assistant_url),
            home_assistant_token_file: self.home_assistant_token_file.or(below.home_assistant_token_file),
            console: self.console.or(below.console),
            sample_interval_ms: self.sample_interval_ms.or(below.sample_interval_ms),
            log: self.log.or(below.log),
        }
    }

    /// The state folder.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.state_dir.clone().unwrap_or_else(|| PathBuf::from(STATE_DIR_DEFAULT))
    }

    /// What to log.
    #[must_use]
    pub fn log(&self) -> &str {
        self.log.as_deref().unwrap_or("info")
    }

    /// Checks everything, before any socket is opened.
    ///
    /// # Errors
    /// The first key that is wrong.
    pub fn check(&self) -> Result<Config, ConfigError> {
        let server: ServerAddress = self.server.as_deref().ok_or(ConfigError::NoServer)?.parse()?;
        let mut agent = AgentConfig::new(server);
        agent.join_token =
            self.join_token_file.as_deref().map(|path| read_secret("join_token_file", path)).transpose()?;
        agent.trust_hash = match &self.trust_hash {
            Some(text) => Some(parse_hash(text.trim()).ok_or(ConfigError::TrustHash)?),
            None => None,
        };
        agent.sample_interval = match self.sample_interval_ms {
            Some(milliseconds) if SAMPLE_INTERVAL_MS.contains(&milliseconds) => {
                Some(Duration::from_millis(milliseconds))
            }
            Some(_) => return Err(ConfigError::SampleInterval),
            None => None,
        };
        let token = self
            .home_assistant_token_file
            .as_deref()
            .map(|path| read_secret("home_assistant_token_file", path))
            .transpose()?;
        let home_assistant = match &self.home_assistant_url {
            Some(url) => Some(HomeAssistantAddress::parse(url, token)?),
            None if token.is_some() => return Err(ConfigError::TokenWithoutAddress),
            None => None,
        };
        Ok(Config { state_dir: self.state_dir(), agent, home_assistant, console: self.console.clone() })
    }
}

/// Reads a file that holds one secret.
///
/// # Errors
/// It cannot be read or is far too large.
pub fn read_secret(key: &'static str, path: &Path) -> Result<SecretText, ConfigError> {
    let failure = |source| ConfigError::Read { key, path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(failure)?.len() > SECRET_MAX_BYTES {
        return Err(failure(io::Error::other("it is too large to be a secret")));
    }
    let text = std::fs::read_to_string(path).map_err(failure)?;
    Ok(SecretText::new(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> Result<Layer, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge.toml");
        std::fs::write(&path, content).unwrap();
        Layer::from_file(&path)
    }

    #[test]
    fn the_file_is_below_the_flags() {
        let below = file("server = \"https://a\"\ntrust_hash = \"aa\"\n").unwrap();
        let flags = Layer { server: Some("https://b".to_owned()), ..Layer::default() };
        let both = flags.over(below);
        assert_eq!(both.server.as_deref(), Some("https://b"));
        assert_eq!(both.trust_hash.as_deref(), Some("aa"));
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = file("log = \"info\"\njoin_token = \"kjt1.hunter2\"").unwrap_err();
        let text = crate::link::transport::with_sources(&error);
        assert!(text.contains("line 2") && text.contains("join_token"), "{text}");
        assert!(!format!("{text} {error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn each_key_is_checked() {
        let check = |layer: Layer, key: &str| {
            let server = layer.server.clone().or(Some("https://fleet.example".to_owned()));
            let error = Layer { server, ..layer }.check().unwrap_err();
            assert!(error.to_string().starts_with(key), "{error}");
        };
        assert!(matches!(Layer::default().check(), Err(ConfigError::NoServer)));
        check(Layer { server: Some("http://x".to_owned()), ..Layer::default() }, "server");
        check(Layer { trust_hash: Some("12".to_owned()), ..Layer::default() }, "trust_hash");
        check(Layer { sample_interval_ms: Some(1), ..Layer::default() }, "sample_interval_ms");
        check(Layer { join_token_file: Some("/nowhere".into()), ..Layer::default() }, "join_token_file");
        check(Layer { home_assistant_url: Some("https://x".to_owned()), ..Layer::default() }, "home_assistant_url");
    }
}
