//! The environment variables that fleetctl honours, read once.

use kaliun_types::secret::SecretText;
use std::path::PathBuf;

/// What the environment says. Empty variables count as unset.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `FLEETCTL_SERVER`: wins over the context.
    pub server: Option<String>,
    /// `FLEETCTL_TOKEN`: wins over the context.
    pub token: Option<SecretText>,
    /// `FLEETCTL_ORGANIZATION`: name or id of the organization to act in; wins over the context.
    pub organization: Option<String>,
    /// `FLEETCTL_CONFIG`: the configuration file.
    pub config_file: Option<PathBuf>,
    /// `FLEETCTL_CA`: a PEM file with extra roots.
    pub ca_file: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// Whether `NO_COLOR` is set.
    pub no_color: bool,
    /// Whether `TERM` says that the terminal understands nothing but text.
    pub dumb_terminal: bool,
}

impl Environment {
    /// Reads the variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            server: text("FLEETCTL_SERVER"),
            token: text("FLEETCTL_TOKEN").map(|token| SecretText::new(token.trim().to_owned())),
            organization: text("FLEETCTL_ORGANIZATION"),
            config_file: path("FLEETCTL_CONFIG"),
            ca_file: path("FLEETCTL_CA"),
            config_home: path("XDG_CONFIG_HOME"),
            home: path("HOME"),
            no_color: text("NO_COLOR").is_some(),
            dumb_terminal: text("TERM").is_some_and(|term| term == "dumb"),
        }
    }
}

fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
